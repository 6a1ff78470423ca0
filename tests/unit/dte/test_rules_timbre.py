"""The TED family: each rule fires on its fault and is silent on a valid document."""

import pytest

from tests.documents import DELETE, TYPES, document
from tests.factories import signed
from tests.factories.judged import codes, finding
from tests.factories.keys import small_key

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("caf_authority")]

NAME = "Encabezado/Receptor/RznSocRecep"
ITEM = "Detalle[1]/NmbItem"


@pytest.mark.parametrize("tipo", TYPES)
def test_a_valid_document_has_no_stamp_finding(tipo):
    assert not codes(signed(tipo), "TED")


@pytest.mark.parametrize(
    ("code", "stamp"),
    [
        ("TED-02", {"RE": "77120455-4"}),
        ("TED-03", {"TD": "34"}),
        ("TED-04", {"F": "124"}),
        ("TED-05", {"FE": "2026-03-01"}),
        ("TED-06", {"RR": "76192083-9"}),
        ("TED-07", {"RSR": "Otra Panadería"}),
        ("TED-08", {"MNT": "1191"}),
        ("TED-09", {"IT1": "Harina 50 kg"}),
    ],
)
def test_a_stamp_that_says_otherwise_is_found(code, stamp):
    assert codes(signed(33, stamp=stamp), "TED") == {code}


def test_the_message_quotes_both():
    found = finding(signed(33, stamp={"MNT": "11900"}), "TED-08")
    assert found.message == "El timbre dice 11.900 y el total del documento es 1.190."
    assert found.values == {"en_timbre": 11900, "total": 1190}
    assert found.line


def test_a_missing_stamp_is_found():
    raw = signed(33)
    start, end = raw.index(b"<TED "), raw.index(b"</TED>") + 6
    assert codes(raw[:start] + raw[end:], "TED") == {"TED-01"}


@pytest.mark.parametrize(
    "stamping", [{"key": small_key("another")}, {"charset": "utf-8"}], ids=["key", "utf-8"]
)
def test_a_stamp_with_a_wrong_signature_is_found(stamping):
    raw = signed(33, {NAME: "Panadería Ñuble"}, stamping=stamping)
    assert codes(raw, "TED") == {"TED-10"}


def test_a_stamp_edited_afterwards_is_found():
    raw = signed(33).replace(b"<TSTED>2026-03-02T10", b"<TSTED>2026-03-02T11")
    assert codes(raw, "TED") == {"TED-10"}


@pytest.mark.parametrize(
    ("stamped", "fires"), [("2026-03-01T23:59:59", True), ("2026-03-02T00:00:00", False)]
)
def test_a_stamp_older_than_the_document_is_found(stamped, fires):
    assert ("TED-11" in codes(signed(33, stamped=stamped), "TED")) is fires


@pytest.mark.parametrize(
    ("name", "stamped"),
    [
        ("Sociedad de Inversiones y Transportes del Pacífico Sur Limitada",
         "Sociedad de Inversiones y Transportes de"),
        ("Panificadora   La  Espiga", "Panificadora La Espiga"),
        ("Comercial e Industrial Santa Rosa de la  Costa SpA",
         "Comercial e Industrial Santa Rosa de la"),
    ],
)  # fmt: skip
def test_a_name_cut_at_forty_characters_is_the_same(name, stamped):
    raw = signed(33, {NAME: name, ITEM: name}, stamp={"RSR": stamped, "IT1": stamped})
    assert not codes(raw, "TED")


def test_a_boleta_without_buyer_may_be_stamped_with_any_name():
    assert not codes(signed(39, stamp={"RSR": "Cliente"}), "TED")


def test_amounts_and_folios_are_compared_as_numbers():
    raw = signed(
        110, {"Encabezado/Totales/MntTotal": "1000.00"}, stamp={"MNT": "1000", "F": "0123"}
    )
    assert not codes(raw, "TED")


def test_a_document_without_the_compared_field_is_left_to_the_format():
    doc = document(33, {NAME: DELETE, "Encabezado/Receptor/RUTRecep": DELETE})
    assert not codes(signed(doc=doc, stamp={"RR": "77120455-4"}), "TED")
