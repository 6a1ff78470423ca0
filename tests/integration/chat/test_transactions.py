"""What a message costs the database, and what becomes of an answer when the database is lost meanwhile."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg.sql import SQL, Identifier
from rest_framework.test import APIClient

from chat.models import Conversation, Message
from tests.fake_claude import FakeClaude
from tests.integration.conftest import StartService
from usage.models import ApiKey, State, UsageRecord

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

ANSWER = "Los folios de un CAF duran seis meses [1]."


@pytest.fixture
def knowledge() -> None:
    """The shipped documents."""
    call_command("load_knowledge")


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """Count the statements and commits of everything that reaches the database meanwhile."""
    numbers: dict[str, int] = {}
    with CaptureQueriesContext(connection) as queries:
        yield numbers
    kinds = [query["sql"].split()[0] for query in queries]
    numbers["commits"] = kinds.count("COMMIT")
    numbers["statements"] = len([kind for kind in kinds if kind not in {"BEGIN", "COMMIT"}])


def test_a_message_takes_ten_statements_and_two_commits(
    api_client: APIClient, fake_claude: FakeClaude, knowledge: None, monkeypatch: pytest.MonkeyPatch
):
    # On the one connection whose statements are counted.
    monkeypatch.setattr("usage.hops.executor", None)
    fake_claude.say(ANSWER)
    body: dict[str, Any] = {"message": "¿Cuánto duran los folios de un CAF?"}
    api_client.post("/api/chat/message", body, format="json")  # reads prices, limits and the index

    for session in ("nueva", "nueva", "nueva"):  # a new one, and one that goes on
        with counted() as numbers:
            answer = api_client.post(
                "/api/chat/message", {**body, "session_id": session}, format="json"
            )
        assert answer.json()["llm_used"] == "anthropic"
        assert numbers == {"statements": 10, "commits": 2}
    assert Message.objects.filter(conversation__session_id="nueva").count() == 6


def test_the_account_of_a_key_takes_three_statements(api_client: APIClient):
    api_client.get("/api/usage")
    with counted() as numbers:
        assert api_client.get("/api/usage").status_code == 200
    assert numbers == {"statements": 3, "commits": 0}


def test_a_conversation_is_read_in_four_statements(api_client: APIClient):
    api_client.post("/api/chat/message", {"message": "Hola", "session_id": "s"}, format="json")
    with counted() as numbers:
        assert api_client.get("/api/chat/session/s").json()["message_count"] == 2
    assert numbers == {"statements": 4, "commits": 0}


@contextmanager
def database_lost(spared: set[int]) -> Iterator[None]:
    """End every connection to the database but some, and refuse new ones, until the end of the block."""
    settings = connection.settings_dict
    allow = SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format
    name = Identifier(settings["NAME"])
    elsewhere = psycopg.connect(
        host=settings["HOST"], user=settings["USER"], dbname="template1", autocommit=True
    )
    with elsewhere:
        elsewhere.execute(allow(name, SQL("false")))
        elsewhere.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = %s AND pid <> ALL(%s)",
            [settings["NAME"], list(spared)],
        )
        try:
            yield
        finally:
            elsewhere.execute(allow(name, SQL("true")))


def connected() -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity")
        return {pid for (pid,) in cursor.fetchall()}


def test_a_stream_whose_database_dies_half_way_ends_well_and_is_stored_later(
    api_key: tuple[ApiKey, str], start_service: StartService, fake_claude: FakeClaude
):
    fake_claude.say("uno dos tres cuatro")
    ours = connected()
    service = start_service(
        ANTHROPIC_BASE_URL=fake_claude.url,
        ANTHROPIC_API_KEY="sk-ant-test",
        DATABASE_POOL_TIMEOUT="0.5",
    )
    body = {"message": "¿Qué es un CAF?", "session_id": "s"}
    headers = {"Authorization": f"Bearer {api_key[1]}"}
    events: list[dict[str, Any]] = []
    fake_claude.pause = 0.2
    with (
        httpx2.Client(base_url=service.url, headers=headers, timeout=30) as client,
        client.stream("POST", "/api/chat/message/stream", json=body) as response,
    ):
        lines = (line for line in response.iter_lines() if line.startswith("data: "))
        events.append(json.loads(next(lines)[6:]))
        fake_claude.hold()
        with database_lost(ours):
            fake_claude.release()
            events += [json.loads(line[6:]) for line in lines]

    assert events[-1]["type"] == "done", events[-1]
    assert "".join(event.get("content", "") for event in events) == "uno dos tres cuatro"
    assert events[-1]["metadata"]["message_id"] is None
    assert UsageRecord.objects.get().state == State.OPEN

    call_command("sweep_calls")

    record = UsageRecord.objects.get()
    assert (record.state, record.outcome, record.usage_complete) == ("settled", "answered", True)
    assert record.cost_usd == fake_claude.billed_usd
    stored = Message.objects.get(role=Message.Role.ASSISTANT)
    assert (stored.content, stored.usage, stored.cut) == ("uno dos tres cuatro", record, False)
    assert stored.reply_to.content == "¿Qué es un CAF?"


def test_an_answer_that_waited_on_the_disk_does_not_outlive_its_conversation(
    api_client: APIClient, fake_claude: FakeClaude, monkeypatch: pytest.MonkeyPatch
):
    from django.db import OperationalError

    from usage.accounting import ledger

    def away(*args: Any) -> None:
        raise OperationalError

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "settle", away)
        api_client.post("/api/chat/message", {"message": "¿Qué es un CAF?"}, format="json")
    Conversation.objects.all().delete()
    call_command("sweep_calls")
    assert UsageRecord.objects.get().state == State.SETTLED
    assert not Message.objects.exists()
