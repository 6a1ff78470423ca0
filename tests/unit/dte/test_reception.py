"""A received document: what its receiver is told, who cannot correct it."""

import json

import pytest

from tests.documents import document
from tests.factories import envelope, signed

pytestmark = [pytest.mark.unit, pytest.mark.django_db, pytest.mark.urls("tests.dte_urls")]

AS_OF = "2026-03-02T12:00:00-03:00"
WRONG_VAT = {"Encabezado/Totales/IVA": "1"}


def receive(client, doc, **query):
    query = {"as_of": AS_OF, "ai": "never", "mode": "reception", **query}
    body = doc if isinstance(doc, bytes) else json.dumps(doc)
    kind = "text/xml" if isinstance(doc, bytes) else "application/json"
    return client.post("/api/dte/validate", body, content_type=kind, query_params=query)


def said(answer):
    return answer.json()["valid_for_sii"]["statement"]


@pytest.mark.parametrize(
    ("tipo", "wrong"), [(33, WRONG_VAT), (34, {"Encabezado/Totales/MntTotal": "1"})]
)
def test_the_receiver_of_a_wrong_invoice_may_claim_it(api_client, tipo, wrong):
    statement = said(receive(api_client, document(tipo, wrong)))
    assert "le corresponden al emisor" in statement
    assert "reclamar" in statement
    assert "8 días" in statement


def test_what_cannot_be_claimed_is_taken_up_with_its_issuer(api_client):
    statement = said(receive(api_client, document(52, {"Encabezado/Receptor/RUTRecep": "1-1"})))
    assert "le corresponden al emisor" in statement
    assert "reclamar" not in statement


def test_a_document_in_order_needs_nobody_to_correct_it(api_client):
    assert "emisor" not in said(receive(api_client, document(33)))


def test_the_issuer_is_not_told_what_a_receiver_can_do(api_client):
    assert "reclamar" not in said(receive(api_client, document(33, WRONG_VAT), mode="emission"))


def test_an_envelope_with_one_invoice_to_claim_says_so(api_client):
    raw = envelope([signed(52), signed(33, WRONG_VAT)])
    answer = receive(api_client, raw)
    assert "reclamar" in said(answer)
    guide, invoice = (one["valid_for_sii"]["statement"] for one in answer.json()["documents"])
    assert "reclamar" not in guide
    assert "reclamar" in invoice


def test_the_fix_of_a_document_received_twice_is_for_its_receiver(api_client):
    receive(api_client, document(33))
    changed = document(33, {"Encabezado/Receptor/GiroRecep": "Otro giro"})
    for doc, fix in ((document(33), "dos veces"), (changed, "Compárelo")):
        found = {one["code"]: one for one in receive(api_client, doc).json()["findings"]}
        assert fix in found["FOL-04"]["fix"]


def responsible(answer):
    return {one["code"]: one["responsible"] for one in answer.json()["findings"]}


def test_each_finding_says_who_has_to_act_on_it(api_client):
    mistaken = document(33, WRONG_VAT)
    told = responsible(receive(api_client, mistaken, receptor="96790240-3"))
    assert told["REC-02"] == "receiver"
    assert {party for code, party in told.items() if code[:3] in {"TOT", "IVA"}} == {"issuer"}
    assert responsible(receive(api_client, mistaken))["FOL-04"] == "receiver"  # received twice
    assert set(responsible(receive(api_client, mistaken, mode="emission")).values()) == {"issuer"}
    unread = receive(api_client, {"Encabezado": 1})
    assert unread.status_code == 400
    assert responsible(unread) == {"JSN-01": "receiver"}


@pytest.mark.parametrize("wrong", ["x", "76192083-0", "76192083"])
def test_a_receiver_that_is_no_rut_is_named_instead_of_doubting_the_document(api_client, wrong):
    answer = receive(api_client, document(33), receptor=wrong)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == ["receptor"]


def test_a_receiver_is_understood_as_people_write_it(api_client):
    answer = receive(api_client, document(33), receptor=" 77.120.455-4 ")
    assert "REC-02" not in {one["code"] for one in answer.json()["findings"]}
