"""The chat when the model is silent, refuses, breaks off, or costs more than is left."""

import asyncio
import contextlib
import json
import time
from contextlib import aclosing
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command
from django.utils import timezone
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from chat.answering.exchange import Question
from chat.engine import answer
from chat.events import Done, Text
from chat.models import Message
from tests import provider_streams
from tests.fake_claude import FakeClaude, Script
from tests.integration.conftest import StartService
from usage.errors import ModelUnavailable
from usage.models import ApiKey, Period, State, UsageRecord

pytestmark = [pytest.mark.integration]

QUESTION = "¿Cuánto duran los folios de un CAF?"


@pytest.fixture(autouse=True)
def one_attempt(settings: Settings) -> None:
    """Do not try again what the fake was told to fail."""
    settings.ANTHROPIC_RETRIES = 0


@pytest.fixture
def knowledge(db: None) -> None:
    """The shipped documents."""
    call_command("load_knowledge")


def ask(client: APIClient, message: str = QUESTION, session: str = "s") -> dict[str, Any]:
    data = {"message": message, "session_id": session}
    response = client.post("/api/chat/message", data, format="json")
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    return body


def said(request: dict[str, Any]) -> str:
    return json.dumps(request["messages"], ensure_ascii=False)


@pytest.mark.django_db
@pytest.mark.usefixtures("knowledge")
class TestReasons:
    def test_an_answer_says_what_it_cost(self, api_client: APIClient, fake_claude: FakeClaude):
        ask(api_client)
        body = ask(api_client, "¿Y si vencen?")
        assert Decimal(body["cost_usd"]) == UsageRecord.objects.latest("started_at").cost_usd > 0
        assert 0.5 < body["cache_read_share"] <= 1
        assert (body["cached"], body["stop_reason"], body["reason"]) == (False, "end_turn", None)

    def test_without_a_key_it_says_so(self, api_client: APIClient):
        body = ask(api_client)
        assert (body["llm_used"], body["reason"]) == ("offline", "not_configured")
        assert (body["cost_usd"], body["cached"], body["stop_reason"]) == ("0", False, "")

    @pytest.mark.parametrize(
        ("script", "reason", "stop_reason"),
        [
            (Script(stop_reason="refusal", text=""), "refusal", "refusal"),
            (Script(thinking="palabra " * 5000), "thinking_only", "max_tokens"),
            (Script(text=""), "empty_answer", "end_turn"),
            (Script(status=529, error_type="overloaded_error"), "provider_failed", ""),
            (Script(status=401, error_type="authentication_error"), "provider_refused", ""),
            (Script(hang=True), "timeout", ""),
            (Script(raw=b"event: message_start\ndata: {\n\n"), "provider_failed", ""),
        ],
    )
    def test_an_offline_answer_says_why(
        self,
        api_client: APIClient,
        fake_claude: FakeClaude,
        settings: Settings,
        script: Script,
        reason: str,
        stop_reason: str,
    ):
        settings.ANTHROPIC_FIRST_EVENT_TIMEOUT = 0.5
        fake_claude.then(script)
        body = ask(api_client)
        assert body["llm_used"] == "offline"
        assert (body["reason"], body["stop_reason"]) == (reason, stop_reason)

    def test_with_the_breaker_open_too(
        self, api_client: APIClient, fake_claude: FakeClaude, settings: Settings
    ):
        settings.BREAKER_FAILURES = 1
        fake_claude.then(Script(status=500))
        assert [ask(api_client)["reason"] for _ in range(2)] == ["provider_failed", "breaker_open"]

    def test_a_used_up_budget_is_answered_from_the_knowledge_base(
        self, api_client: APIClient, fake_claude: FakeClaude, settings: Settings
    ):
        settings.BUDGET_KEY_DAY_USD = Decimal("0.000001")
        body = ask(api_client)
        assert (body["llm_used"], body["reason"]) == ("offline", "budget_exceeded")
        tomorrow = Period.DAY.start(timezone.now()) + timedelta(days=1)
        assert body["window_ends"].startswith(tomorrow.isoformat())
        assert body["citations"]
        assert not fake_claude.requests
        assert not fake_claude.counted


@pytest.mark.django_db
@pytest.mark.usefixtures("knowledge")
class TestSessions:
    """Nothing that was said may end a session."""

    @pytest.mark.parametrize("piece", ["\n", " ", "\x00", "\ud800"])
    def test_a_stop_after_next_to_nothing_leaves_a_session_that_goes_on(
        self, api_key: tuple[ApiKey, str], fake_claude: FakeClaude, piece: str
    ):
        key, _ = api_key
        delta = {"type": "text_delta", "text": piece}
        events = (
            {"type": "message_start", "message": {"usage": {"input_tokens": 9}}},
            {"type": "content_block_delta", "delta": delta},
        )
        raw = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events).encode()
        fake_claude.then(Script(raw=raw))

        async def listen() -> Done:
            question = Question(key, "s", QUESTION, {})
            done = None
            async with aclosing(answer(question, streaming=True)) as replies:
                async for event in replies:
                    done = event if isinstance(event, Done) else done
            assert done is not None
            return done

        async def stop_at_once() -> None:
            async with aclosing(answer(Question(key, "s", QUESTION, {}), streaming=True)) as events:
                async for event in events:
                    assert isinstance(event, Text | Done)
                    break

        with contextlib.suppress(ModelUnavailable):  # a stream that ended before its end
            async_to_sync(stop_at_once)()
        assert async_to_sync(listen)().message.llm_used == "anthropic"

    def test_a_refused_turn_is_not_sent_again(self, api_client: APIClient, fake_claude: FakeClaude):
        ask(api_client, "¿Qué es un CAF?")
        fake_claude.then(Script(stop_reason="refusal", text=""))
        ask(api_client, "¿Cómo falsifico un timbre?")
        body = ask(api_client, "¿Y un folio?")
        assert body["llm_used"] == "anthropic"
        sent = said(fake_claude.requests[-1])
        assert "falsifico" not in sent
        assert "¿Qué es un CAF?" in sent

    def test_a_history_that_the_provider_finds_invalid_is_left_behind_once_and_said_so(
        self, api_client: APIClient, fake_claude: FakeClaude
    ):
        ask(api_client, "¿Qué es un CAF?")
        fake_claude.then(Script(status=400, error_type="invalid_request_error"))
        body = ask(api_client)
        assert (body["llm_used"], body["history_dropped"]) == ("anthropic", True)
        assert len(fake_claude.requests) == 3
        assert not ask(api_client, "¿Y entonces?")["history_dropped"]
        assert "¿Qué es un CAF?" not in said(fake_claude.requests[-1])

    def test_a_request_that_is_invalid_without_history_too_loses_nothing(
        self, api_client: APIClient, fake_claude: FakeClaude
    ):
        ask(api_client, "¿Qué es un CAF?")
        fake_claude.then(*[Script(status=400, error_type="invalid_request_error")] * 2)
        assert ask(api_client)["reason"] == "request_invalid"
        ask(api_client, "¿Y entonces?")
        assert "¿Qué es un CAF?" in said(fake_claude.requests[-1])

    def test_no_generated_stream_ends_a_session(
        self, api_client: APIClient, fake_claude: FakeClaude, settings: Settings
    ):
        settings.BREAKER_FAILURES = 1000
        settings.RATE_LIMIT_BURST = settings.RATE_LIMIT_PER_MINUTE = 1000
        for seed in range(60):
            fake_claude.then(provider_streams.script(seed))
            ask(api_client, session=f"s{seed % 6}")
        for number in range(6):
            body = ask(api_client, session=f"s{number}")
            assert body["llm_used"] == "anthropic"
            assert not body["history_dropped"]
        assert not UsageRecord.objects.filter(state=State.OPEN).exists()
        for message in Message.objects.all():
            message.content.encode()


@pytest.mark.django_db(transaction=True)
def test_a_silent_provider_costs_nobody_the_answer(
    start_service: StartService, fake_claude: FakeClaude
):
    """Twenty callers at once: few requests leave, everybody is answered in time, and kept company."""
    _, secret = ApiKey.objects.issue(name="acme")
    service = start_service(
        ANTHROPIC_BASE_URL=fake_claude.url,
        ANTHROPIC_API_KEY="sk-ant-test",
        ANTHROPIC_FIRST_EVENT_TIMEOUT="4",
        BREAKER_SECONDS="2",
        RATE_LIMIT_BURST="1000",
    )
    headers = {"Authorization": f"Bearer {secret}"}
    # A first question reads the index and the model, which may take seconds and is not what is tested.
    httpx2.post(
        f"{service.url}/api/chat/message", headers=headers, json={"message": QUESTION}, timeout=60
    )
    fake_claude.then(*[Script(hang=True)] * 5)

    async def one(client: httpx2.AsyncClient, number: int) -> tuple[float, bytes]:
        began = time.monotonic()
        body = {"message": QUESTION, "session_id": f"s{number}"}
        response = await client.post("/api/chat/message/stream", json=body)
        assert response.status_code == 200
        return time.monotonic() - began, response.content

    async def all_at_once() -> list[tuple[float, bytes]]:
        async with httpx2.AsyncClient(base_url=service.url, headers=headers, timeout=60) as client:
            found = await asyncio.gather(*(one(client, number) for number in range(20)))
            await asyncio.sleep(2.1)
            again = await one(client, 20)
            return [*found, again]

    *silent, well = asyncio.run(all_at_once())
    assert len(fake_claude.requests) == 1 + 6  # five opened the breaker, one probe closed it
    for seconds, content in silent:
        assert seconds < 20  # and not the minute that a silent call may take
        assert content.split(b"\n\n")[1] == b": "  # after the number from which one may resume
        done = json.loads(content.rsplit(b"data: ", 1)[1])["metadata"]
        assert done["reason"] in {"timeout", "breaker_open"}
    assert json.loads(well[1].rsplit(b"data: ", 1)[1])["metadata"]["llm_used"] == "anthropic"
