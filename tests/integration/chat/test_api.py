"""The chat's endpoints without a model: names, shapes, ownership and honesty."""

import json
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.core.management import call_command
from django.test import AsyncClient, Client
from model_bakery import baker
from rest_framework.test import APIClient

from chat.models import Conversation, Message
from knowledge.models import Question as KnowledgeQuestion
from usage.models import ApiKey, UsageRecord

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

MESSAGE = "/api/chat/message"
STREAM = "/api/chat/message/stream"
SESSION = "/api/chat/session/"
QUESTION = "¿Cuánto duran los folios de un CAF?"
ANSWER_FIELDS = {
    "message",
    "sources",
    "confidence",
    "session_id",
    "llm_used",
    "tokens_used",
    "plugin_used",
}
TOKEN_FIELDS = {
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_creation_tokens",
}


@pytest.fixture
def knowledge(db: None) -> None:
    """The shipped documents."""
    call_command("load_knowledge")


@pytest.fixture
def stranger(db: None) -> APIClient:
    """A client with another key."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {ApiKey.objects.issue(name='otro')[1]}")
    return client


def ask(client: APIClient, **data: Any) -> Any:
    return client.post(MESSAGE, {"message": QUESTION, **data}, format="json")


def test_an_answer_has_the_fields_that_existing_clients_read(
    api_client: APIClient, knowledge: None
):
    response = ask(api_client, session_id="odoo-7", user_context={"company_name": "Acme SpA"})

    body = response.json()
    assert response.status_code == 200
    assert body.keys() >= ANSWER_FIELDS
    assert body["session_id"] == "odoo-7"
    assert body["plugin_used"] == "l10n_cl_dte"
    assert body["plugin_title"] == "Facturación electrónica (DTE)"
    assert body["plugin_reason"] == "por el tema de la pregunta"
    assert body["tokens_used"].keys() == TOKEN_FIELDS
    assert 0 <= body["confidence"] <= 100
    assert all(isinstance(source, str) for source in body["sources"])


def test_without_a_model_the_passages_themselves_are_the_answer(
    api_client: APIClient, knowledge: None
):
    body = ask(api_client).json()

    assert body["llm_used"] == "offline"
    assert body["sources"][0] in body["message"]
    assert "seis meses" in body["message"]
    assert body["tokens_used"]["total_tokens"] == 0
    assert body["citations"][0]["number"] == 1


def test_an_offline_answer_leaves_one_usage_row_linked_to_it(
    api_client: APIClient, api_key: tuple[ApiKey, str], knowledge: None
):
    body = ask(api_client).json()

    record = UsageRecord.objects.get()
    answer = Message.objects.get(pk=body["message_id"])
    assert record.operation == "chat.reply"
    assert record.api_key == api_key[0]
    assert answer.usage == record


def test_nothing_relevant_is_said_honestly(api_client: APIClient):
    body = ask(api_client).json()

    assert body["message"].startswith("No encontré")
    assert body["sources"] == []
    assert body["confidence"] == 0


def test_a_session_is_opened_with_a_greeting(api_client: APIClient, api_key: tuple[ApiKey, str]):
    response = api_client.post(
        SESSION + "new", {"user_context": {"environment": "Sandbox"}}, format="json"
    )

    body = response.json()
    conversation = Conversation.objects.get(session_id=body["session_id"])
    assert response.status_code == 200
    assert body["welcome_message"].startswith("¡Hola!")
    assert conversation.api_key == api_key[0]
    assert conversation.user_context == {"environment": "Sandbox"}


def test_a_session_is_opened_without_a_body(api_client: APIClient):
    assert api_client.post(SESSION + "new").status_code == 200


def test_a_question_without_a_session_gets_one(api_client: APIClient):
    first = ask(api_client).json()["session_id"]
    second = ask(api_client, session_id=None).json()["session_id"]
    third = ask(api_client, session_id="").json()["session_id"]

    assert len({first, second, third}) == 3
    assert Conversation.objects.count() == 3


@pytest.mark.parametrize(
    "session_id", ["a/b", "  ", "ñandú 😀", "x" * 100, "new/../new", "1", "..", "%2F"]
)
def test_a_session_may_have_any_name(api_client: APIClient, session_id: str):
    from urllib.parse import quote

    assert ask(api_client, session_id=session_id).json()["session_id"] == session_id
    response = api_client.get(SESSION + quote(session_id, safe=""))

    assert response.status_code == 200
    assert response.json()["session_id"] == session_id


def test_a_conversation_is_read_in_order(api_client: APIClient, knowledge: None):
    ask(api_client, session_id="s")
    ask(api_client, session_id="s", message="¿y si ya venció?")

    body = api_client.get(SESSION + "s").json()
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user", "assistant"]
    assert body["messages"][0]["content"] == QUESTION
    assert body["messages"][1]["llm_used"] == "offline"
    assert body["message_count"] == 4
    assert body["stats"] == {"total_messages": 4, "user_messages": 2, "assistant_messages": 2}
    assert {"timestamp", "sources", "confidence", "cut"} <= body["messages"][1].keys()


def test_a_session_belongs_to_the_key_that_opened_it(
    api_client: APIClient, stranger: APIClient, api_key: tuple[ApiKey, str]
):
    ask(api_client, session_id="compartida", message="secreto de acme")

    assert stranger.get(SESSION + "compartida").status_code == 404
    assert stranger.delete(SESSION + "compartida").status_code == 404
    ask(stranger, session_id="compartida", message="hola")
    assert "secreto" not in json.dumps(stranger.get(SESSION + "compartida").json())
    assert Conversation.objects.filter(session_id="compartida").count() == 2


def test_a_deleted_conversation_is_gone_and_its_cost_stays(api_client: APIClient):
    ask(api_client, session_id="s")

    response = api_client.delete(SESSION + "s")

    assert response.status_code == 200
    assert response.json()["status"] == "cleared"
    assert api_client.get(SESSION + "s").status_code == 404
    assert not Message.objects.exists()
    assert UsageRecord.objects.count() == 1


def feedback(client: APIClient, message_id: Any, rating: Any) -> Any:
    return client.post(f"{MESSAGE}/{message_id}/feedback", {"rating": rating}, format="json")


def test_a_bad_rating_is_kept_and_puts_the_question_on_the_editors_list_once(
    api_client: APIClient, knowledge: None
):
    answer = ask(api_client, session_id="s").json()["message_id"]

    responses = [feedback(api_client, answer, rating) for rating in ("down", "down", "up")]

    assert [response.status_code for response in responses] == [200, 200, 200]
    assert Message.objects.get(pk=answer).rating == "up"
    assert KnowledgeQuestion.objects.get().thumbs_down == 1
    assert api_client.get(SESSION + "s").json()["messages"][1]["rating"] == "up"


def test_only_ones_own_answers_can_be_rated(
    api_client: APIClient, stranger: APIClient, knowledge: None
):
    answer = ask(api_client).json()["message_id"]
    question = Message.objects.get(role="user").pk

    assert feedback(stranger, answer, "down").status_code == 404
    assert feedback(api_client, question, "down").status_code == 404
    assert feedback(api_client, 10**18, "down").status_code == 404
    assert feedback(api_client, answer, "sideways").status_code == 400
    assert not KnowledgeQuestion.objects.exists()


def test_a_question_that_finds_nothing_is_put_on_the_editors_list(api_client: APIClient):
    ask(api_client)

    assert KnowledgeQuestion.objects.get().not_found == 1


@pytest.mark.parametrize("path", ["nada", "x" * 101, "%00", "a%00b"])
def test_an_unknown_session_is_not_found(api_client: APIClient, path: str):
    response = api_client.get(SESSION + path)

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"message": ""}, "message"),
        ({"message": "   "}, "message"),
        ({"message": None}, "message"),
        ({"message": ["a"]}, "message"),
        ({"message": "x" * 12_001}, "message"),
        ({"message": "a\x00b"}, "message"),
        ({"message": "hola", "session_id": "x" * 101}, "session_id"),
        ({"message": "hola", "session_id": "a\x00"}, "session_id"),
        ({"message": "hola", "session_id": {}}, "session_id"),
        ({"message": "hola", "user_context": "texto"}, "user_context"),
        ({"message": "hola", "user_context": [1]}, "user_context"),
        ({"message": "hola", "user_context": {"a": "x" * 9_000}}, "user_context"),
        ({"message": "hola", "user_context": {"a": "\x00"}}, "user_context"),
        ({"message": "hola", "user_context": {"a\x00": 1}}, "user_context"),
        ({}, "message"),
    ],
)
@pytest.mark.parametrize("path", [MESSAGE, STREAM])
def test_bad_input_is_explained_field_by_field(
    api_client: APIClient, path: str, data: dict[str, Any], field: str
):
    response = api_client.post(path, data, format="json")

    assert response.status_code == 400
    assert response.json()["code"] == "invalid"
    assert field in response.json()["errors"]
    assert not Message.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        '{"message": "hola", "user_context": {"a": NaN}}',
        '{"message": "hola", "user_context": {"a": "\\ud800"}}',
        '{"message": "\\ud800"}',
        '{"message": ',
        "[1, 2]",
        '"hola"',
        "",
        "[" * 20_000,
    ],
)
def test_json_that_cannot_be_stored_or_read_is_refused(api_client: APIClient, body: str):
    response = api_client.post(MESSAGE, body, content_type="application/json")

    assert response.status_code == 400
    assert {"detail", "code"} <= response.json().keys()


def test_an_empty_context_is_no_context(api_client: APIClient):
    assert ask(api_client, user_context=None).status_code == 200
    assert ask(api_client, user_context={}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", MESSAGE),
        ("post", STREAM),
        ("post", SESSION + "new"),
        ("get", SESSION + "s"),
        ("delete", SESSION + "s"),
    ],
)
def test_every_endpoint_needs_a_key(db: None, method: str, path: str):
    response = getattr(APIClient(), method)(path, {"message": "hola"}, format="json")

    assert response.status_code == 401
    assert "WWW-Authenticate" in response.headers


async def events_of(
    secret: str, accept: str = "text/event-stream", **data: Any
) -> tuple[Any, list[dict[str, Any]]]:
    response: Any = await AsyncClient().post(
        STREAM,
        {"message": QUESTION, **data},
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}", "Accept": accept},
    )
    assert response.status_code == 200, response.content
    raw = b"".join([chunk async for chunk in response.streaming_content]).decode()
    lines = [line for line in raw.split("\n") if line]
    assert all(line.startswith(("data: ", "id: ")) for line in lines)
    return response, [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


# The event loop of an async test has a database thread of its own, which sees what is committed.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("accept", ["text/event-stream", "*/*", "application/json", ""])
async def test_a_stream_tells_the_answer_and_ends_in_done(api_key: tuple[ApiKey, str], accept: str):
    response, events = await events_of(api_key[1], accept, session_id="s")

    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert {event["type"] for event in events[:-1]} == {"text"}
    assert events[-1]["type"] == "done"
    metadata = events[-1]["metadata"]
    assert metadata.keys() >= ANSWER_FIELDS - {"message"}
    assert metadata["tokens_used"].keys() == TOKEN_FIELDS
    assert metadata["session_id"] == "s"


@pytest.mark.django_db(transaction=True)
async def test_the_pieces_of_a_stream_are_the_stored_answer(api_key: tuple[ApiKey, str]):
    _, events = await events_of(api_key[1])

    stored = await database_sync_to_async(Message.objects.get)(role="assistant")
    assert "".join(event["content"] for event in events[:-1]) == stored.content


def test_operators_find_conversations_and_cannot_change_them(
    admin_client: Client, api_client: APIClient, knowledge: None
):
    ask(api_client, session_id="buscada")
    conversation = Conversation.objects.get()
    answer = Message.objects.get(role="assistant")

    listing = admin_client.get("/admin/chat/conversation/", {"q": "folios"})
    detail = admin_client.get(f"/admin/chat/conversation/{conversation.pk}/change/")
    message = admin_client.get(f"/admin/chat/message/{answer.pk}/change/")
    added = admin_client.get("/admin/chat/message/add/")

    assert "buscada" in listing.content.decode()
    assert QUESTION in detail.content.decode()
    assert str(answer.usage_id) in message.content.decode()
    assert b'name="_save"' not in detail.content + message.content
    assert added.status_code == 403


def test_what_users_wrote_is_escaped_in_the_admin(admin_client: Client):
    message = baker.make(Message, role="user", content="<script>alert(1)</script>")

    page = admin_client.get(f"/admin/chat/conversation/{message.conversation_id}/change/")

    assert b"<script>alert(1)" not in page.content


def test_listing_conversations_costs_the_same_however_many_there_are(
    admin_client: Client, django_assert_max_num_queries: Any
):
    baker.make(Conversation, _quantity=30, session_id=baker.seq("s"))

    with django_assert_max_num_queries(12):
        page = admin_client.get("/admin/chat/conversation/")

    assert page.status_code == 200
    assert len(page.context["cl"].result_list) == 30


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/chat/widget/token", {"end_user": 0}, "end_user"),
        (
            "/api/chat/message",
            {"message": "¿Folio?", "attachments": [{"filename": "a.xml", "content": 0}]},
            "attachments",
        ),
    ],
)
def test_a_number_is_no_text(api_client, path, body, field):
    answer = api_client.post(path, body, format="json")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
