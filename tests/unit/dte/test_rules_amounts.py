"""Amounts that the format lets one read in more than one way, and those it does not."""

import pytest

from tests.documents import codes, document, findings

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


@both_forms
@pytest.mark.parametrize(
    ("total", "found"), [("1071", False), ("1190", False), ("1131", True), ("1200", True)]
)
def test_a_row_without_indicator_in_an_exempt_boleta_may_be_applied_or_not(total, found, form):
    discount = {"NroLinDR": "1", "TpoMov": "D", "TpoValor": "%", "ValorDR": "10"}
    changes = {
        "DscRcgGlobal": [discount],
        f"{TOTALS}/MntExe": total,
        f"{TOTALS}/MntTotal": total,
    }
    raised = codes(document(41, changes), form)
    assert ("TOT-02" in raised) is found
    assert ("BOL-02" in raised) is (total != "1190")  # the SII adds up the lines alone


def _taxed(code, amount, **totals):
    row = {"TipoImp": code, "MontoImp": amount, **totals}
    return document(33, {f"{TOTALS}/ImptoReten": [row], "Detalle[1]/CodImpAdic": [code]})


@both_forms
@pytest.mark.parametrize(
    ("code", "amount", "found"),
    [
        ("28", "100", False),
        ("28", "0", True),
        ("28", "-100", False),  # the variable part of the fuel taxes
        ("24", "0", True),
        ("24", "-315", True),
        ("24", "315", False),
    ],
)
def test_a_tax_without_rate_is_more_than_nothing(code, amount, found, form):
    assert ("TOT-09" in codes(_taxed(code, amount), form)) is found


def test_a_text_correction_may_list_a_tax_of_zero():
    zero = {f"{TOTALS}/MntTotal": "0", "Detalle[1]/MontoItem": "0"}
    doc = document(61, {f"{TOTALS}/ImptoReten": [{"TipoImp": "28", "MontoImp": "0"}], **zero})
    assert "TOT-09" not in codes(doc)


@both_forms
@pytest.mark.parametrize(("amount", "found"), [("570", False), ("600", True)])
def test_a_margin_may_be_informed_in_the_totals_only(amount, found, form):
    doc = _taxed("14", amount, TasaImp="19")
    doc["Encabezado"]["Totales"]["MntMargenCom"] = "3000"
    assert ("TOT-09" in codes(doc, form)) is found


@both_forms
@pytest.mark.parametrize(("amount", "found"), [("514", False), ("510", False), ("530", True)])
def test_a_percentage_reaches_what_is_not_billable_before_or_after_the_negatives(
    amount, found, form
):
    line = {"NmbItem": "Cargo", "MontoItem": "700", "IndExe": "2", "NroLinDet": "2"}
    back = {"NmbItem": "Rebaja", "MontoItem": "200", "IndExe": "6", "NroLinDet": "3"}
    surcharge = {"NroLinDR": "1", "TpoMov": "R", "TpoValor": "%", "ValorDR": "2", "IndExeDR": "2"}
    changes = {"Detalle[2]": line, "Detalle[3]": back, "DscRcgGlobal": [surcharge]}
    doc = document(33, {**changes, f"{TOTALS}/MontoNF": amount})
    assert ("TOT-14" in codes(doc, form)) is found


FLAT = {
    "tipo_dte": "33",
    "folio": 5,
    "fecha_emision": "2026-03-02",
    "rut_emisor": "76192083-9",
    "rut_receptor": "77120455-4",
    "monto_total": 1190,
    "items": [{"nombre": "Harina", "cantidad": 2, "precio_unitario": 500, "monto": 1000}],
}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, set()),
        ({"monto_neto": 1000, "monto_iva": 190}, set()),
        ({"monto_neto": 1100, "monto_iva": 190}, {"TOT-01", "TOT-04", "TOT-13"}),
        ({"monto_neto": 1000}, {"TOT-13"}),
    ],
)
def test_the_flat_form_may_bring_its_total_alone(more, expected):
    raised = {found.code for found in findings({**FLAT, **more})}
    assert {code for code in raised if code.startswith("TOT")} == expected
