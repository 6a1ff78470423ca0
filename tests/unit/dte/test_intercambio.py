"""What receivers answer: RespuestaDTE and EnvioRecibos, alone and against their document."""

import json
from datetime import UTC, datetime

import pytest

from dte.examining.examination import Case
from dte.examining.given import Given
from dte.models import Validation
from dte.respuesta.intercambio import KIND as EXCHANGE
from dte.respuesta.recibos import KIND as RECEIPTS
from tests.documents import AS_OF, DELETE, document
from tests.factories import signed
from tests.factories.intercambio import exchange, receipt, receipts, reception, result
from tests.factories.keys import signer

pytestmark = pytest.mark.unit


def examine(kind, raw, beside=None):
    given = Given(raw, document=beside)
    assert kind.recognise(given)
    return kind.examine(given, Case(AS_OF))


def codes(examination):
    return {found.code for found in examination.findings}


EXPIRED = signer(end=datetime(2025, 12, 1, tzinfo=UTC))
ANSWERS = {
    "accepted": (exchange(result()), set(), "aceptado"),
    "two accepted": (exchange(result(), result(Folio="124")), set(), "aceptado"),
    "with discrepancies": (exchange(result("1")), {"RSP-07"}, "con discrepancias"),
    "refused": (exchange(result("2")), {"RSP-08"}, "rechazado"),
    "one of two refused": (exchange(result(), result("2", Folio="124")), {"RSP-08"}, "rechazado"),
    "refused without reason": (
        exchange(result("2", CodRchDsc="")), {"RSP-08", "RSP-09"}, "rechazado",
    ),
    "received": (exchange(reception()), set(), "recibido"),
    "envelope of another": (exchange(reception("3", ())), {"RSP-05"}, "no recibido"),
    "document repeated": (exchange(reception("0", ("0", "4"))), {"RSP-06"}, "no recibido"),
    "empty": (exchange(), {"RSP-17"}, "vacía"),
    "wrong count": (exchange(result(), cover={"NroDetalles": "5"}), {"RSP-04"}, "aceptado"),
    "not of the receiver": (
        exchange(result(), cover={"RutResponde": "60803000-K"}), {"RSP-13"}, "aceptado",
    ),
    "changed after signing": (
        exchange(result()).replace(b"<EstadoDTE>0", b"<EstadoDTE>2"), {"RSP-02", "RSP-08", "RSP-09"}, "rechazado",
    ),
    "without signature": (
        exchange(result()).partition(b"<Signature")[0] + b"</RespuestaDTE>", {"RSP-01", "RSP-02"}, "aceptado",
    ),
    "certificate expired": (exchange(result(), by=EXPIRED), {"RSP-03"}, "aceptado"),
    "no folio": (exchange(result(Folio="")), {"RSP-01"}, "aceptado"),
    "a state that is none": (exchange(result("7")), {"RSP-01"}, "vacía"),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_an_exchange_is_understood(name):
    raw, expected, state = ANSWERS[name]
    found = examine(EXCHANGE, raw)
    assert codes(found) == expected
    assert found.state == state
    assert found.headline
    assert [ask.name for ask in found.asks] == ["document"]


SENT = {
    "good": (receipts(receipt()), set()),
    "two": (receipts(receipt(), receipt("T52F9", TipoDoc="52", Folio="9")), set()),
    "of an exempt invoice": (receipts(receipt(TipoDoc="34")), set()),
    "one of two changed": (
        receipts(receipt(), receipt("T52F9", TipoDoc="52", Folio="9")).replace(b"<Folio>9<", b"<Folio>8<"),
        {"RSP-02"},
    ),
    "a field nobody knows": (receipts(receipt(Otro="1")), {"RSP-01"}),
    "declaration in other words": (receipts(receipt(Declaracion="Recibido conforme.")), {"RSP-14"}),
    "signed by another": (receipts(receipt(RutFirma="60803000-K")), {"RSP-15"}),
    "of a note": (receipts(receipt(TipoDoc="61")), {"RSP-16"}),
    "of a receiver who is not the answering one": (
        receipts(receipt(), cover={"RutResponde": "60803000-K"}), {"RSP-13"},
    ),
    "receipt changed": (
        receipts(receipt()).replace(b"<Recinto>Bodega 1", b"<Recinto>Bodega 2"), {"RSP-02"},
    ),
    "cover changed": (receipts(receipt()).replace(b"T13:00:00</TmstFirmaEnv>", b"T14:00:00</TmstFirmaEnv>"), {"RSP-02"}),
    "receipt without signature": (
        receipts(receipt().partition("<Signature")[0] + "</Recibo>"), {"RSP-01", "RSP-02"},
    ),
    "certificate expired": (receipts(receipt(by=EXPIRED), by=EXPIRED), {"RSP-03"}),
    "none inside": (receipts(), {"RSP-01"}),
    "no place": (receipts(receipt(Recinto="")), {"RSP-01"}),
    "identifier twice": (receipts(receipt(), receipt(Folio="9")), {"RSP-02"}),
}  # fmt: skip


@pytest.mark.parametrize("name", SENT)
def test_receipts_are_understood(name):
    raw, expected = SENT[name]
    found = examine(RECEIPTS, raw)
    assert codes(found) == expected
    rejects = any(one.severity == "reject" for one in found.findings)
    assert found.state == ("no vale" if rejects else "recibido")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, set()),
        ({"Encabezado/Totales/MntTotal": "2380"}, {"RSP-10"}),
        ({"Encabezado/Receptor/RUTRecep": "60803000-K"}, {"RSP-10"}),
        ({"Encabezado/IdDoc/FchEmis": "2026-03-01"}, {"RSP-10"}),
        ({"Encabezado/IdDoc/Folio": "999"}, {"RSP-11"}),
        ({"Encabezado/Totales/MntTotal": DELETE}, {"RSP-10"}),
    ],
)
def test_they_are_compared_with_the_document_given(changes, expected):
    beside = signed(33, changes)
    assert codes(examine(EXCHANGE, exchange(result()), beside)) == expected
    assert codes(examine(EXCHANGE, exchange(reception()), beside)) == expected
    assert codes(examine(RECEIPTS, receipts(receipt()), beside)) == expected


def test_a_document_that_cannot_be_read_is_no_hindrance():
    assert codes(examine(EXCHANGE, exchange(result()), b"<x")) == set()


@pytest.mark.django_db
@pytest.mark.urls("dte.urls")
def test_it_is_linked_to_what_was_validated_and_is_no_answer_of_the_sii(api_client):
    def post(body, content_type="application/xml"):
        query = {"as_of": "2026-03-02T12:00:00-03:00", "ai": "never"}
        answer = api_client.post(
            "/api/dte/validate", body, content_type=content_type, query_params=query
        )
        assert answer.status_code == 200, answer.content
        return answer.json()

    sent = post(json.dumps(document(33)), "application/json")
    answer = post(exchange(result("2")))
    assert answer["kind"] == "RespuestaDTE"
    assert [link["id"] for link in answer["links"]] == [sent["id"]]
    assert Validation.objects.get(pk=sent["id"]).outcome == ""
    row = Validation.objects.get(pk=answer["id"])
    assert (row.tipo, row.folio, row.issuer) == (33, "123", "76192083-9")
    other = post(exchange(result(MntTotal="5")))
    assert {found["code"] for found in other["findings"]} == {"RSP-12"}
