"""Streams of the running server: clients that leave, models that break, questions at once."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from channels.db import database_sync_to_async
from websockets.asyncio.client import ClientConnection, connect

from chat.models import Message
from tests.fake_claude import FakeClaude, Script
from tests.integration.conftest import RunningService, StartService
from usage.models import ApiKey, State, UsageRecord

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

ANSWER = "uno dos tres cuatro cinco seis siete ocho nueve diez"
STREAM = "/api/chat/message/stream"


@pytest.fixture(scope="module")
def claude() -> Iterator[FakeClaude]:
    """The local Claude of all these tests."""
    server = FakeClaude()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def live(claude: FakeClaude, module_services: StartService) -> RunningService:
    """The service with the local Claude behind it."""
    return module_services(
        ANTHROPIC_BASE_URL=claude.url,
        ANTHROPIC_API_KEY="sk-ant-test",
        ANTHROPIC_RETRIES="0",
        DATABASE_POOL_MIN="1",
        DATABASE_POOL_MAX="2",
        RATE_LIMIT_PER_MINUTE="0",
        CHAT_GRACE_SECONDS="0",
    )


@pytest.fixture
async def fake_claude(claude: FakeClaude) -> AsyncIterator[FakeClaude]:
    """The local Claude, as if new."""
    claude.requests.clear()
    claude.say(ANSWER)
    yield claude
    claude.release()
    # What a test left behind must not settle its row in the next one's database.
    await until(lambda: claude.open_streams == 0)
    await until(lambda: not UsageRecord.objects.filter(state=State.OPEN).exists())


@pytest.fixture
async def client(
    live: RunningService, api_key: tuple[ApiKey, str]
) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {api_key[1]}"}
    async with httpx2.AsyncClient(base_url=live.url, headers=headers, timeout=30) as opened:
        yield opened


@asynccontextmanager
async def stream(client: httpx2.AsyncClient, **question: Any) -> AsyncIterator[Any]:
    """Ask, and yield an iterator over the events."""
    body = {"message": "¿Qué es un CAF?", **question}
    async with client.stream("POST", STREAM, json=body) as response:
        assert response.status_code == 200
        lines = response.aiter_lines()
        yield (json.loads(line[6:]) async for line in lines if line.startswith("data: "))


async def whole(client: httpx2.AsyncClient, **question: Any) -> list[dict[str, Any]]:
    async with stream(client, **question) as events:
        return [event async for event in events]


async def until(condition: Callable[[], Any]) -> Any:
    """Wait for what another process does; return what the condition gave."""
    async with asyncio.timeout(20):
        while not (value := await database_sync_to_async(condition)()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return value


def settled() -> list[UsageRecord]:
    return list(UsageRecord.objects.filter(state=State.SETTLED))


def answers() -> list[Message]:
    return list(Message.objects.filter(role="assistant").select_related("usage").order_by("pk"))


async def test_text_arrives_while_it_is_being_written(
    client: httpx2.AsyncClient, fake_claude: FakeClaude
):
    fake_claude.then(Script(text=ANSWER, ending="stall", after=3))

    async with stream(client) as events:
        first = await anext(events)

    assert first["type"] == "text"
    assert ANSWER.startswith(first["content"])


async def test_a_stream_ends_in_done_with_its_account(
    client: httpx2.AsyncClient, fake_claude: FakeClaude
):
    events = await whole(client, session_id="s")

    assert "".join(event["content"] for event in events[:-1]) == ANSWER
    metadata = events[-1]["metadata"]
    assert metadata["llm_used"] == "anthropic"
    assert metadata["tokens_used"]["output_tokens"] > 0
    assert metadata["session_id"] == "s"


async def test_a_client_that_leaves_stops_the_call_and_its_row_is_settled(
    client: httpx2.AsyncClient, fake_claude: FakeClaude
):
    fake_claude.then(Script(text=ANSWER, ending="stall", after=3))
    async with stream(client, session_id="s") as events:
        await anext(events)

    (record,) = await until(settled)
    (answer,) = await until(answers)
    assert record.outcome == "cancelled"
    assert answer.cut
    assert answer.content
    assert ANSWER.startswith(answer.content)
    assert answer.usage == record
    await until(lambda: fake_claude.open_streams == 0)


async def test_a_client_that_leaves_before_the_first_word_keeps_its_question(
    client: httpx2.AsyncClient, fake_claude: FakeClaude
):
    fake_claude.then(Script(hang=True))
    body = {"message": "¿Qué es un CAF?", "session_id": "s"}
    asking = asyncio.create_task(client.post("/api/chat/message", json=body))
    await until(lambda: fake_claude.requests)
    asking.cancel()

    await until(settled)
    conversation = (await client.get("/api/chat/session/s")).json()
    assert [m["content"] for m in conversation["messages"]] == ["¿Qué es un CAF?"]


async def test_a_model_that_breaks_in_mid_answer_ends_the_stream_in_an_error(
    client: httpx2.AsyncClient, fake_claude: FakeClaude
):
    fake_claude.then(Script(text=ANSWER, ending="error", after=4))

    events = await whole(client)

    (answer,) = await until(answers)
    assert events[-1]["type"] == "error"
    assert events[-1]["code"] == "answer_cut"
    assert events[-1]["detail"]
    assert answer.cut
    assert answer.content == "".join(event["content"] for event in events[:-1]).rstrip()


async def test_a_cut_answer_is_part_of_the_conversation(
    client: httpx2.AsyncClient, fake_claude: FakeClaude
):
    fake_claude.then(Script(text=ANSWER, ending="error", after=4))
    await whole(client, session_id="s")
    await whole(client, session_id="s")

    roles = [message["role"] for message in fake_claude.requests[-1]["messages"]]
    assert roles == ["user", "assistant", "user"]


async def test_two_questions_at_once_in_one_session_keep_their_own_answers(
    client: httpx2.AsyncClient, fake_claude: FakeClaude
):
    fake_claude.say(
        lambda body: f"Respuesta a {'A' if '¿A?' in str(body['messages'][-1]) else 'B'}"
    )
    fake_claude.hold()
    asked = [asyncio.create_task(whole(client, message=m, session_id="s")) for m in ("¿A?", "¿B?")]
    await until(lambda: len(fake_claude.requests) == 2)
    fake_claude.release()
    await asyncio.gather(*asked)

    pairs = await until(
        lambda: {(m.reply_to.content, m.content) for m in answers() if m.reply_to is not None}
    )
    await whole(client, message="¿C?", session_id="s")
    roles = [message["role"] for message in fake_claude.requests[-1]["messages"]]
    assert pairs == {("¿A?", "Respuesta a A"), ("¿B?", "Respuesta a B")}
    assert roles == ["user", "assistant", "user", "assistant", "user"]


async def test_no_database_connection_is_held_while_tokens_flow(
    client: httpx2.AsyncClient, fake_claude: FakeClaude
):
    """Twelve answers wait on a service that may open two connections; it still serves others."""
    fake_claude.hold()
    asked = [asyncio.create_task(whole(client, session_id=f"s{n}")) for n in range(12)]
    await until(lambda: len(fake_claude.requests) == 12)

    waiting = await client.get("/api/chat/session/s0")
    fake_claude.release()
    streams = await asyncio.gather(*asked)

    assert waiting.status_code == 200
    assert all(events[-1]["type"] == "done" for events in streams)


async def test_a_conversation_deleted_while_it_is_answered_stays_deleted(
    client: httpx2.AsyncClient, fake_claude: FakeClaude
):
    fake_claude.hold()
    asking = asyncio.create_task(whole(client, session_id="s"))
    await until(lambda: fake_claude.requests)

    deleted = await client.delete("/api/chat/session/s")
    fake_claude.release()
    events = await asking

    assert deleted.status_code == 200
    assert events[-1]["type"] == "done"
    assert events[-1]["metadata"]["message_id"] is None
    assert (await client.get("/api/chat/session/s")).status_code == 404
    assert await until(settled)


@asynccontextmanager
async def socket(live: RunningService, secret: str) -> AsyncIterator[ClientConnection]:
    address = live.url.replace("http", "ws", 1) + "/ws/chat/"
    headers = {"Authorization": f"Bearer {secret}"}
    async with connect(address, additional_headers=headers) as connection:
        await connection.send(json.dumps({"message": "¿Qué es un CAF?"}))
        assert json.loads(await connection.recv())["type"] == "text"
        yield connection


async def test_a_socket_that_closes_stops_the_call_and_its_row_is_settled(
    live: RunningService, api_key: tuple[ApiKey, str], fake_claude: FakeClaude
):
    fake_claude.then(Script(text=ANSWER, ending="stall", after=3))
    async with socket(live, api_key[1]):
        pass

    (record,) = await until(settled)
    (answer,) = await until(answers)
    assert record.outcome == "cancelled"
    assert answer.cut
    assert answer.usage == record
    await until(lambda: fake_claude.open_streams == 0)


async def test_a_socket_hears_stop_while_it_answers_and_takes_the_next_question(
    live: RunningService, api_key: tuple[ApiKey, str], fake_claude: FakeClaude
):
    fake_claude.then(Script(text=ANSWER, ending="stall", after=3))
    async with socket(live, api_key[1]) as connection:
        await connection.send(json.dumps({"message": "otra"}))
        kinds = []
        while "error" not in kinds:
            event = json.loads(await connection.recv())
            kinds.append(event["type"])
        assert event["code"] == "busy"
        await connection.send(json.dumps({"type": "stop"}))
        while event["type"] != "stopped":
            event = json.loads(await connection.recv())
        await connection.send(json.dumps({"message": "otra"}))
        while event["type"] != "done":
            event = json.loads(await connection.recv())

    stopped, finished = await until(answers)
    assert stopped.cut
    assert not finished.cut
