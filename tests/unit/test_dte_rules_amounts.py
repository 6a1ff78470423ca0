"""Amounts that the format lets one read in more than one way, and those it does not."""

import pytest

from tests.documents import codes, document

pytestmark = pytest.mark.unit

both_forms = pytest.mark.parametrize("form", ["xml", "json"])
TOTALS = "Encabezado/Totales"


@both_forms
@pytest.mark.parametrize(
    ("amount", "found"), [("-1000", False), ("-1001", False), ("-1010", True), ("1010", True)]
)
def test_a_returned_line_of_a_settlement_is_negative(amount, found, form):
    # Quantity and price carry no sign in the format; MontoItem does in a liquidación-factura.
    doc = document(43, {"Detalle[1]/MontoItem": amount})
    assert ("DET-04" in codes(doc, form)) is found
