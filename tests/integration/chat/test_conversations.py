"""Conversations as their owner keeps them: listed, searched, renamed, exported, erased; and nobody else's."""

import os
import shlex
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from model_bakery import baker
from rest_framework.test import APIClient

from chat.models import Conversation, Message
from tests import servers
from tests.fake_claude import FakeClaude
from usage.models import ApiKey, IdempotentAnswer

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

LIST = "/api/chat/conversations"
QUESTION = "¿Cuánto duran los folios de un CAF de facturas electrónicas que pedí en el sitio del SII en enero?"


def ask(client: APIClient, message: str = QUESTION, **data: Any) -> dict[str, Any]:
    response = client.post("/api/chat/message", {"message": message, **data}, format="json")
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    return body


def listed(client: APIClient, **filters: Any) -> list[str]:
    return [row["session_id"] for row in client.get(LIST, filters).json()["results"]]


@pytest.fixture
def stranger(db: None) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {ApiKey.objects.issue(name='otra')[1]}")
    return client


def test_the_list_shows_titles_the_newest_first(api_client: APIClient):
    ask(api_client, session_id="a")
    ask(api_client, "Hola", session_id="b")

    rows = api_client.get(LIST).json()["results"]

    assert [row["session_id"] for row in rows] == ["b", "a"]
    assert rows[0]["title"] == "Hola"
    assert rows[1]["title"].endswith("…")
    assert QUESTION.startswith(rows[1]["title"][:-1])
    assert len(rows[1]["title"]) <= 80
    assert rows[0]["message_count"] == 2
    assert rows[0]["plugin_title"]


def test_pages_follow_one_another_while_conversations_go_on(
    api_client: APIClient, api_key: tuple[ApiKey, str]
):
    now = timezone.now()
    for number in range(7):
        baker.make(
            Conversation,
            api_key=api_key[0],
            session_id=f"s{number}",
            updated_at=now - timedelta(minutes=number),
        )
    first = api_client.get(LIST, {"limit": 3}).json()
    ask(api_client, session_id="nueva")
    second = api_client.get(first["next"]).json()
    third = api_client.get(second["next"]).json()

    seen = [row["session_id"] for page in (first, second, third) for row in page["results"]]
    assert seen == [f"s{number}" for number in range(7)]
    assert third["next"] is None
    assert api_client.get(LIST, {"cursor": "cD1ub3QtYS1kYXRl"}).status_code == 404


def test_a_title_can_be_given_and_taken_back(api_client: APIClient):
    ask(api_client, "Hola", session_id="a")

    named = api_client.patch("/api/chat/session/a", {"title": "Folios de enero"}, format="json")
    read = api_client.get("/api/chat/session/a").json()
    unnamed = api_client.patch("/api/chat/session/a", {"title": ""}, format="json")
    refused = api_client.patch("/api/chat/session/a", {"title": "x" * 121}, format="json")

    assert named.json() == {"session_id": "a", "title": "Folios de enero"}
    assert read["title"] == "Folios de enero"
    assert unnamed.json()["title"] == "Hola"
    assert refused.status_code == 400


def test_search_finds_titles_and_what_was_said(api_client: APIClient):
    ask(api_client, "Hola", session_id="a")
    ask(api_client, "¿Qué es un timbre?", session_id="b")
    api_client.patch("/api/chat/session/a", {"title": "Saludo"}, format="json")

    assert listed(api_client, q="saludo") == ["a"]
    assert listed(api_client, q="TIMBRE") == ["b"]
    assert listed(api_client, q="100 %") == []
    assert len(listed(api_client, q="")) == 2


def test_search_reads_words_in_any_form_and_while_they_are_typed(api_client: APIClient):
    ask(api_client, "¿Cuántos folios pido para la facturación?", session_id="a")

    for words in ("folio", "foli", "FACTURACIÓN", "pide folios", "folios fact"):
        assert listed(api_client, q=words) == ["a"], words
    for words in ("olios", "folios boleta", "el", "'", '"', "a:*|b", "\\", "%"):
        assert listed(api_client, q=words) == [], words


def test_search_minds_no_accents(api_client: APIClient):
    ask(api_client, "¿Cuánto pesa un murciélago de Ñuñoa?", session_id="con")
    ask(api_client, "cuanto pesa un pinguino antartico", session_id="sin")
    ask(api_client, "Hola", session_id="titulo")
    api_client.patch("/api/chat/session/titulo", {"title": "Zoológico al 100 %"}, format="json")

    for words in ("murcielago", "MURCIÉLAGOS", "nunoa", "Ñuñoa", '"murcielago de ñunoa"', "murcié"):
        assert listed(api_client, q=words) == ["con"], words
    for words in ("pingüino", "PINGUINO antártico", "antárt"):
        assert listed(api_client, q=words) == ["sin"], words
    for words in ("zoologico", "ZOOLÓGICO AL", "lógico al 100 %"):
        assert listed(api_client, q=words) == ["titulo"], words


SAY_ON_SQLITE = """
from chat.conversations import matching
from chat.models import Conversation, Message
from usage.models import ApiKey
key, _ = ApiKey.objects.issue(name="acme")
titled = Conversation.objects.create(api_key=key, session_id="a", title="Zoológico al 100 %")
told = Conversation.objects.create(api_key=key, session_id="b")
Message.objects.create(conversation=told, role="user", content="¿Cuánto pesa un Murciélago?")
for words in ("zoologico", "100 %", "100 ", "murcielago", "PESÁ cuanto", "loro"):
    print(*(one.session_id for one in matching(Conversation.objects.all(), words, [titled.pk, told.pk])), "<")
"""


def test_search_minds_no_accents_on_sqlite_either(tmp_path: Path) -> None:
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}
    then = shlex.join(["shell", "--verbosity", "0", "--command", SAY_ON_SQLITE])
    output = servers.manage(environment, "migrate --verbosity 0", then)
    assert output.splitlines()[-6:] == ["a <", "a <", "a <", "b <", "b <", "<"]


@pytest.mark.parametrize("every", [1, 13, 250], ids=["often", "seldom", "rarely"])
def test_a_search_is_read_page_by_page_to_its_end(
    api_client: APIClient, api_key: tuple[ApiKey, str], every: int
):
    now = timezone.now()
    conversations = Conversation.objects.bulk_create(
        Conversation(api_key=api_key[0], session_id=f"s{n}", updated_at=now - timedelta(minutes=n))
        for n in range(600)
    )
    Message.objects.bulk_create(
        Message(conversation=one, role="user", content=f"timbre {'roto' if n % every else 'sano'}")
        for n, one in enumerate(conversations)
    )
    pages = [api_client.get(LIST, {"q": "sano", "limit": 60}).json()]
    while pages[-1]["next"]:
        pages.append(api_client.get(pages[-1]["next"]).json())
    seen = [[row["session_id"] for row in page["results"]] for page in pages]
    back = api_client.get(pages[-1]["previous"]).json() if len(pages) > 1 else pages[0]

    assert sorted(chain.from_iterable(seen)) == sorted(f"s{n}" for n in range(0, 600, every))
    assert [row["session_id"] for row in back["results"]] == seen[max(0, len(seen) - 2)]


def test_a_conversation_is_exported_as_data_and_as_text(api_client: APIClient):
    answer = ask(api_client, session_id="a")["message"]

    data = api_client.get("/api/chat/session/a/export")
    text = api_client.get("/api/chat/session/a/export", {"format": "markdown"})

    assert [one["content"] for one in data.json()["messages"]] == [QUESTION, answer]
    assert "attachment" in data["Content-Disposition"]
    assert text["Content-Type"].startswith("text/markdown")
    assert QUESTION in text.content.decode()
    assert answer in text.content.decode()
    assert api_client.get("/api/chat/session/a/export", {"format": "pdf"}).status_code == 400


def test_only_newer_messages_are_read_where_asked(api_client: APIClient):
    first = ask(api_client, session_id="a")["message_id"]
    ask(api_client, "¿Y si vencen?", session_id="a")

    body = api_client.get("/api/chat/session/a", {"after": first}).json()

    assert next(one["content"] for one in body["messages"]) == "¿Y si vencen?"
    assert len(body["messages"]) == 2
    assert body["running"] is None
    assert api_client.get("/api/chat/session/a", {"after": "x"}).status_code == 400


def test_a_stranger_sees_finds_and_changes_nothing(api_client: APIClient, stranger: APIClient):
    answer = ask(api_client, session_id="a")
    path = "/api/chat/session/a"

    refused = [
        stranger.get(path),
        stranger.patch(path, {"title": "mía"}, format="json"),
        stranger.delete(path),
        stranger.get(f"{path}/export"),
        stranger.get(f"{path}/events"),
        stranger.get(f"{path}/events", HTTP_LAST_EVENT_ID=f"{answer['turn_id']}:0"),
        stranger.post(f"{path}/stop"),
        stranger.post(
            f"/api/chat/message/{answer['message_id']}/feedback", {"rating": "up"}, format="json"
        ),
        *(
            stranger.post(
                "/api/chat/message",
                {"action": action, "message": "x", "session_id": "a"},
                format="json",
            )
            for action in ("regenerate", "edit", "continue")
        ),
    ]

    assert [response.status_code for response in refused] == [404] * len(refused)
    assert listed(stranger) == listed(stranger, q="folios") == []
    assert Message.objects.count() == 2


def test_erased_is_erased_with_what_was_kept_for_repetitions(
    api_client: APIClient, fake_claude: FakeClaude
):
    asked = {"message": QUESTION, "session_id": "a"}
    key = {"HTTP_IDEMPOTENCY_KEY": "pedido-1"}
    api_client.post("/api/chat/message", asked, format="json", **key)
    assert IdempotentAnswer.objects.exists()

    api_client.delete("/api/chat/session/a")

    assert not Message.objects.exists()
    assert not IdempotentAnswer.objects.exists()
    assert api_client.get("/api/chat/session/a/events").status_code == 404


def test_what_is_past_its_retention_is_purged(
    api_client: APIClient, settings: Any, capsys: pytest.CaptureFixture[str]
):
    settings.CHAT_RETENTION_DAYS = 30
    ask(api_client, session_id="vieja")
    ask(api_client, session_id="nueva")
    old = timezone.now() - timedelta(days=31)
    Conversation.objects.filter(session_id="vieja").update(updated_at=old)

    call_command("purge_conversations")

    assert capsys.readouterr().out.startswith("1 ")
    assert listed(api_client) == ["nueva"]
    assert Message.objects.count() == 2
