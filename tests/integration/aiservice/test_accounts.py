"""Two keys of one company are two doors to the same things; another company's is not."""

import json

import pytest
from rest_framework.test import APIClient

from chat.models import Conversation
from dte.models import Validation
from tests.documents import document
from usage.models import Account, ApiKey, UsageRecord

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

AS_OF = "2026-03-02T12:00:00-03:00"


def client_of(secret):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def acme(db):
    return Account.objects.create(name="Acme", rut="76192083-9")


@pytest.fixture
def old(acme):
    return client_of(ApiKey.objects.issue(name="antigua", account=acme)[1])


@pytest.fixture
def new(acme):
    return client_of(ApiKey.objects.issue(name="nueva", account=acme)[1])


@pytest.fixture
def stranger():
    return client_of(ApiKey.objects.issue(name="otra empresa")[1])


def validate(client, **query):
    query = {"as_of": AS_OF, "ai": "never", **query}
    url = "/api/dte/validate"
    body = json.dumps(document(33))
    answer = client.post(url, body, content_type="application/json", query_params=query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def ask(client, text, session, **more):
    answer = client.post(
        "/api/chat/message", {"message": text, "session_id": session, **more}, format="json"
    )
    assert answer.status_code == 200, answer.content
    return answer.json()


def codes(answer):
    return {finding["code"] for finding in answer["findings"]}


def test_a_key_that_replaces_another_knows_its_folios(old, new, stranger):
    first = validate(old)
    url = f"/api/dte/validations/{first['id']}/outcome"
    assert old.post(url, {"outcome": "accepted"}, format="json").status_code == 200
    ApiKey.objects.get(name="antigua").revoke()
    again = validate(new)
    assert "FOL-04" in codes(again)
    assert again["recommendation"] == "reject"
    assert "FOL-04" not in codes(validate(stranger))
    assert new.get(f"/api/dte/validations/{first['id']}").status_code == 200
    assert stranger.get(f"/api/dte/validations/{first['id']}").status_code == 404
    listed = {row["id"] for row in new.get("/api/dte/validations").json()["results"]}
    assert listed == {first["id"], again["id"]}


def test_a_conversation_goes_on_with_another_key_of_the_account(old, new, stranger):
    ask(old, "¿Qué es un CAF?", "caja-1")
    ask(new, "¿Y cuánto dura?", "caja-1")
    ask(stranger, "¿Qué es un folio?", "caja-1")
    assert Conversation.objects.count() == 2
    for client in (old, new):
        assert client.get("/api/chat/session/caja-1").json()["message_count"] == 4
    assert stranger.get("/api/chat/session/caja-1").json()["message_count"] == 2
    assert new.delete("/api/chat/session/caja-1").status_code == 200
    assert old.get("/api/chat/session/caja-1").status_code == 404
    assert stranger.get("/api/chat/session/caja-1").status_code == 200


def test_a_key_that_is_moved_takes_along_what_it_did(old, stranger, acme):
    first = validate(stranger)
    ask(stranger, "¿Qué es un folio?", "caja-1")
    ask(old, "¿Qué es un CAF?", "caja-1")
    moved = ApiKey.objects.get(name="otra empresa")
    moved.account = acme
    moved.save()
    assert old.get(f"/api/dte/validations/{first['id']}").status_code == 200
    # Two conversations of one name: each key goes on with its own.
    ask(stranger, "¿Cuánto dura?", "caja-1")
    assert stranger.get("/api/chat/session/caja-1").json()["message_count"] == 4
    assert old.get("/api/chat/session/caja-1").json()["message_count"] == 2


def test_spending_is_the_account_s(old, new, stranger):
    ask(old, "¿Qué es un CAF?", "a")
    ask(new, "¿Qué es un CAF?", "b")
    ask(stranger, "¿Qué es un CAF?", "c")
    assert new.get("/api/usage").json()["day"]["calls"] == 2
    assert new.get("/api/usage/summary").json()["totals"]["calls"] == 2
    assert stranger.get("/api/usage").json()["month"]["calls"] == 1


def test_the_end_user_is_kept_with_what_is_done_for_him(old):
    ask(old, "¿Qué es un CAF?", "a", end_user="ana@acme.cl")
    first = validate(old, end_user="ana@acme.cl")
    validate(old)
    assert set(UsageRecord.objects.values_list("end_user", flat=True)) == {"ana@acme.cl", ""}
    assert Conversation.objects.get().end_user == "ana@acme.cl"
    assert Validation.objects.get(pk=first["id"]).end_user == "ana@acme.cl"
    listed = old.get("/api/dte/validations", {"end_user": "ana@acme.cl"}).json()["results"]
    assert [row["id"] for row in listed] == [first["id"]]
    long = {"message": "Hola", "end_user": "x" * 101}
    assert old.post("/api/chat/message", long, format="json").status_code == 400


def test_keys_of_an_account_that_is_not_active_open_nothing(old, acme):
    acme.active = False
    acme.save()
    assert old.get("/api/usage").status_code == 401


def test_a_rut_is_checked_and_written_one_way(db):
    account = Account(name="Acme", rut="76.192.083-9")
    account.full_clean()
    assert account.rut == "76192083-9"
