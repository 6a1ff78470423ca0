"""The ENV family: each rule fires on its fault and is silent on a valid envelope."""

from datetime import UTC, datetime

import pytest

from dte.documents.document import Values
from dte.documents.envelope import Envelope
from dte.rules.registry import REGISTRY, Context
from tests.documents import AS_OF
from tests.factories import envelope, signed, signer
from tests.factories.judged import codes, finding, findings

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("caf_authority")]


def note(folio, **changes):
    return signed(61, {"Referencia[1]/FolioRef": str(folio), **changes})


@pytest.mark.parametrize("kind", ["EnvioDTE", "EnvioBOLETA"])
def test_a_valid_envelope_has_no_envelope_finding(kind):
    documents = [signed(39), signed(41)] if kind == "EnvioBOLETA" else [signed(33), note(123)]
    assert not codes(envelope(documents, kind=kind), "ENV")


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("ENV-01", {"totals": {"33": 2}}),
        ("ENV-01", {"totals": {"33": 1, "34": 1}}),
        ("ENV-01", {"totals": {}}),
        ("ENV-02", {"caratula": {"RutEmisor": "77120455-4"}}),
        ("ENV-03", {"caratula": {"RutReceptor": "77120455-4"}}),
        ("ENV-04", {"caratula": {"RutEnvia": "12345670-K"}}),
        ("ENV-07", {"in_context": False}),
        ("ENV-07", {"by": signer(end=datetime(2026, 2, 1, tzinfo=UTC))}),
        ("ENV-08", {"unsigned": True}),
    ],
)
def test_a_wrong_envelope_is_found(code, options):
    assert codes(envelope([signed(33)], **options), "ENV") == {code}


def test_subtotals_are_explained_by_type():
    found = finding(envelope([signed(33)], totals={"33": 2}), "ENV-01")
    assert found.message == "La carátula declara 2 documentos del tipo 33 y el sobre trae 1."


def test_the_issuer_finding_points_at_the_document():
    raw = envelope([signed(33), signed(33, {"Encabezado/Emisor/RUTEmisor": "77120455-4"})])
    assert [found.document for found in findings(raw) if found.code == "ENV-02"] == [2]


def test_an_envelope_for_the_customer_is_no_fault_when_received():
    raw = envelope([signed(33)], caratula={"RutReceptor": "77120455-4"})
    assert not codes(raw, "ENV", mode="reception")


@pytest.mark.parametrize(
    ("resolution", "idk", "fires"),
    [
        ("0", 300, True),
        ("80", 100, True),
        ("0", 100, False),
        ("80", 300, False),
        ("80", 999, False),
    ],
)
def test_the_resolution_must_be_of_the_folios_environment(resolution, idk, fires):
    raw = envelope([signed(33, caf={"idk": idk})], caratula={"NroResol": resolution})
    assert ("ENV-05" in codes(raw, "ENV")) is fires


@pytest.mark.parametrize(
    ("kind", "count", "fires"),
    [
        ("EnvioDTE", 2000, False),
        ("EnvioDTE", 2001, True),
        ("EnvioBOLETA", 500, False),
        ("EnvioBOLETA", 501, True),
    ],
)
def test_a_full_envelope_is_found(kind, count, fires):
    from lxml import etree

    full = Envelope(
        kind=kind,
        caratula=Values({}),
        raw=b"",
        shell=etree.Element(kind),
        fragments=((0, 0),) * count,
        encoding="ISO-8859-1",
    )
    assert bool(list(REGISTRY["ENV-06"].function(full, Context(as_of=AS_OF)))) is fires


def test_a_document_changed_inside_the_envelope_breaks_its_signature():
    raw = envelope([signed(33), note(123)]).replace(b"Camino a Coelemu", b"Camino a Cobquecura", 1)
    assert {"ENV-07", "SIG-02"} <= codes(raw)


@pytest.mark.parametrize(
    ("documents", "fires"),
    [
        ([note(123), signed(33)], True),
        ([signed(33), note(123)], False),
        ([note(777), signed(33)], False),
    ],
    ids=["before", "after", "elsewhere"],
)
def test_a_note_before_its_invoice_is_found(documents, fires):
    assert ("ENV-09" in codes(envelope(documents), "ENV")) is fires


def test_a_caratula_without_resolution_is_left_to_the_format():
    raw = envelope([signed(33)]).replace(b"<NroResol>80</NroResol>", b"")
    assert "ENV-05" not in codes(raw, "ENV")


def test_a_key_that_is_not_the_certificates_is_said_of_the_envelope_as_of_a_document():
    # As in F60T33, the SII's own example: the signature verifies with KeyValue.
    other = signer(name="Otra Persona")
    raw = envelope([signed(33)], signing={"certificate": other.der})
    assert codes(raw, "ENV") == set()
    found = finding(raw, "SIG-04")
    assert found.severity == "reject"
    assert found.line == raw[: raw.rindex(b"<KeyInfo>")].count(b"\n") + 1
