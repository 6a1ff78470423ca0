"""AEC: the chain of cessions, their signatures, amounts and dates, and the document that is ceded."""

from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from dte.cesion import examine
from dte.examining.examination import Case
from dte.examining.given import Given
from dte.models import Validation
from dte.parsing.unreadable import Unreadable
from tests.factories import signed
from tests.factories.cesion import DEBTOR, IMAGE, PARTIES, aec, cession, receipt
from tests.factories.keys import signer

pytestmark = [
    pytest.mark.unit,
    pytest.mark.django_db,
    pytest.mark.urls("dte.urls"),
    pytest.mark.usefixtures("caf_authority"),
]

AS_OF = datetime(2026, 3, 5, 12, tzinfo=UTC)
PATH = "/api/dte/validate"


def examined(raw):
    return examine(Given(raw), Case(as_of=AS_OF))


def codes(raw):
    return {found.code for found in examined(raw).findings}


def purchase():
    """A factura de compra, whose credit is the seller's: its receiver's."""
    return signed(46)


VALID = {
    "one cession": lambda: aec(),
    "two cessions": lambda: aec([cession(1), cession(2)]),
    "signed in its place": lambda: aec([cession(in_context=True)]),
    "signed as a whole with an empty reference": lambda: aec([cession(empty_uri=True)]),
    "a part of the amount": lambda: aec([cession(changes={"MontoCesion": "600"})]),
    "a receipt instead of the statement": lambda: aec(
        [cession(statement=False)], receipts=receipt()
    ),
    "a receipt of its guide": lambda: aec(receipts=receipt("88", tipo="52")),
    "an image of the receipt": lambda: aec(images=IMAGE),
    "two persons sign": lambda: aec(
        [
            cession(
                by=[signer(), signer("12345678-5", name="Otro Firmante")],
                authorised=["9876543-3", "12345678-5"],
            )
        ]
    ),
}
FAULTY = {
    "an element too many": (lambda: aec([cession(changes={"Extra": "1"})]), "CES-01"),
    "no debtor in the document's identity": (
        lambda: aec([cession(changes={"IdDTE/RUTReceptor": None})]),
        "CES-01",
    ),
    "no signature of the whole": (lambda: aec(unsigned=True), "CES-02"),
    "the cession edited": (lambda: aec([cession(spoil=("Huérfanos", "Ahumada"))]), "CES-02"),
    "the whole edited": (lambda: aec(spoil=("Ana Díaz", "Eva Díaz")), "CES-02"),
    "other algorithms": (lambda: aec(signing={"algorithm": "urn:x"}), "CES-02"),
    "two signatures, one person": (lambda: aec([cession(signatures=2)]), "CES-03"),
    "another signer than the authorised": (
        lambda: aec([cession(authorised=["12345678-5"])]),
        "CES-04",
    ),
    "an expired certificate": (
        lambda: aec([cession(by=[signer(end=datetime(2026, 1, 1, tzinfo=UTC))])]),
        "CES-05",
    ),
    "a credit note": (lambda: aec(ceded=signed(61)), "CES-06"),
    "a gap in the numbers": (lambda: aec([cession(1, {"SeqCesion": "2"})]), "CES-07"),
    "someone else's credit": (
        lambda: aec([cession(1, {"Cedente/RUT": PARTIES[2][0]})]),
        "CES-08",
    ),
    "a broken chain": (
        lambda: aec([cession(1, {"Cesionario/RUT": "96790240-3"}), cession(2)]),
        "CES-09",
    ),
    "another folio": (lambda: aec([cession(1, {"IdDTE/Folio": "124"})]), "CES-10"),
    "more than the total": (lambda: aec([cession(1, {"MontoCesion": "1191"})]), "CES-11"),
    "nothing": (lambda: aec([cession(1, {"MontoCesion": "0"})]), "CES-12"),
    "more than was received": (
        lambda: aec([cession(1, {"MontoCesion": "600"}), cession(2)]),
        "CES-13",
    ),
    "due before the issue": (
        lambda: aec([cession(1, {"UltimoVencimiento": "2026-02-01"})]),
        "CES-14",
    ),
    "in the future": (lambda: aec([cession(1, {"TmstCesion": "2026-03-09T10:00:00"})]), "CES-15"),
    "before the issue": (
        lambda: aec([cession(1, {"TmstCesion": "2026-02-01T10:00:00"})]),
        "CES-16",
    ),
    "the second before the first": (
        lambda: aec([cession(1), cession(2, {"TmstCesion": "2026-03-02T09:00:00"})]),
        "CES-16",
    ),
    "another cover": (lambda: aec(cover={"RutCesionario": PARTIES[2][0]}), "CES-17"),
    "a wrong check digit": (lambda: aec([cession(1, {"Cesionario/RUT": "76086428-4"})]), "CES-18"),
    "to oneself": (lambda: aec([cession(1, {"Cesionario/RUT": PARTIES[0][0]})]), "CES-19"),
    "to the debtor": (lambda: aec([cession(1, {"Cesionario/RUT": DEBTOR})]), "CES-20"),
    "neither receipt nor statement": (lambda: aec([cession(statement=False)]), "CES-21"),
    "the statement lost on the way": (
        lambda: aec([cession(1), cession(2, statement=False)]),
        "CES-22",
    ),
    "a statement without the parties": (
        lambda: aec([cession(1, {"Cedente/DeclaracionJurada": "Juro."})]),
        "CES-23",
    ),
    "a receipt of another invoice": (lambda: aec(receipts=receipt("999")), "CES-24"),
    "a forged receipt": (lambda: aec(receipts=receipt(spoil=True)), "CES-02"),
    "an image that is no PDF": (lambda: aec(images="<ImagenAR>aG9sYQ==</ImagenAR>"), "CES-25"),
    "a forged document": (lambda: aec(ceded=signed(33).replace(b"Harina", b"Avena ")), "SIG-02"),
    "no cession": (lambda: aec([]), "CES-01"),
}


@pytest.mark.parametrize("name", VALID)
def test_a_valid_one_has_nothing_against_it(name):
    found = examined(VALID[name]())
    assert [(one.code, one.message) for one in found.findings] == []
    assert found.state == "anotable"


@pytest.mark.parametrize("name", FAULTY)
def test_each_fault_is_found_and_says_what_to_do(name):
    make, code = FAULTY[name]
    found = {one.code: one for one in examined(make()).findings}
    assert code in found
    assert found[code].message
    assert found[code].fix
    assert found[code].source


def test_a_signature_names_its_signer_and_the_chain_is_shown():
    found = examined(aec([cession(1), cession(2)]))
    chain, signatures = found.tables
    assert [row[0] for row in chain.rows] == ["1", "2"]
    assert PARTIES[1][0] in chain.rows[1][1]
    assert {row[2] for row in signatures.rows} == {"válida"}
    assert found.summary["cesionario"] == PARTIES[2][0]
    assert found.summary["issuer"]["rut"] == PARTIES[0][0]


def test_the_seller_cedes_a_factura_de_compra():
    ids = {
        "IdDTE/TipoDTE": "46",
        "Cedente/RUT": DEBTOR,
    }
    assert "CES-08" not in codes(aec([cession(1, ids)], ceded=purchase()))


def test_what_an_annotated_cession_did_is_no_reason_to_refuse():
    """The company itself as the authorised person, its representative as the signer."""
    found = examined(aec([cession(authorised=[PARTIES[0][0]])]))
    assert [(one.code, one.severity) for one in found.findings] == [("CES-04", "warn")]
    assert found.state == "anotable"


def test_another_element_with_the_id_is_wrapping():
    raw = aec().replace(b'<Cesion version="1.0">', b'<Cesion version="1.0" Id="Ces1">', 1)
    assert "CES-02" in codes(raw)


def test_a_document_the_sii_refused_is_not_ceded(api_client):
    document = api_client.post(
        PATH, signed(33), content_type="text/xml", query_params={"ai": "never"}
    ).json()
    path = f"/api/dte/validations/{document['id']}/outcome"
    api_client.post(path, {"outcome": "rejected"}, format="json")
    answer = api_client.post(
        PATH, aec(), content_type="text/xml", query_params={"as_of": AS_OF.isoformat()}
    ).json()
    assert "CES-27" in {one["code"] for one in answer["findings"]}


def test_the_door_answers_and_keeps_a_row(api_client):
    upload = SimpleUploadedFile("cesion.xml", aec(), "text/xml")
    answer = api_client.post(
        PATH, {"file": upload}, format="multipart", query_params={"as_of": AS_OF.isoformat()}
    )
    assert answer.status_code == 200
    body = answer.json()
    assert (body["kind"], body["state"], body["recommendation"]) == ("AEC", "anotable", "send")
    row = Validation.objects.get(pk=body["id"])
    assert (row.kind, row.folio, row.issuer, row.receiver) == ("AEC", "123", PARTIES[0][0], DEBTOR)
    stored = api_client.get(f"/api/dte/validations/{body['id']}").json()
    assert stored["kind"] == "AEC"


HOSTILE = {
    "empty": b"<AEC/>",
    "nothing ceded": b'<AEC version="1.0"><DocumentoAEC ID="a"><Cesiones/></DocumentoAEC></AEC>',
    "texts for elements": b"<AEC>x<DocumentoAEC>y<Caratula/>z<Cesiones>w<Cesion/></Cesiones></DocumentoAEC></AEC>",
    "instructions": b"<AEC><?x?><!-- --><DocumentoAEC/></AEC>",
    "documents in documents": b"<AEC>" + b"<DTE>" * 20 + b"</DTE>" * 20 + b"</AEC>",
    "two thousand cessions": b"<AEC><DocumentoAEC><Cesiones>"
    + b'<Cesion><DocumentoCesion ID="a"/><Signature/></Cesion>' * 2000
    + b"</Cesiones></DocumentoAEC></AEC>",
    "cut": aec()[:-400],
    "half": aec()[:3000],
    "doctype": b'<!DOCTYPE AEC [<!ENTITY a "b">]><AEC>&a;</AEC>',
    "latin without declaration": aec().partition(b"?>")[2],
    "relative namespace": b'<AEC xmlns="x"><DocumentoAEC ID="a"/><Signature/></AEC>',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_made_to_hurt_is_refused_or_found_wrong(name):
    try:
        found = examined(HOSTILE[name])
    except Unreadable:
        return
    if name != "latin without declaration":
        assert found.state == "no_anotable"
