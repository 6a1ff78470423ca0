"""Readers who lose their connection, come back, ask again; processes that die; one and two of them."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest
from channels.db import database_sync_to_async

from chat.models import Message
from tests import servers
from tests.fake_claude import FakeClaude, Script
from tests.integration.conftest import RunningService, StartService
from tests.readers import QUESTION, Reader, some_cuts
from usage.models import ApiKey, State, UsageRecord

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

ANSWER = " ".join(f"paso{n:02d}, ñandú;" for n in range(30))


@pytest.fixture(scope="module")
def claude() -> Iterator[FakeClaude]:
    """The local Claude of all these tests."""
    server = FakeClaude()
    yield server
    server.stop()


def variables(claude: FakeClaude, **more: str) -> dict[str, str]:
    return {
        "ANTHROPIC_BASE_URL": claude.url,
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "ANTHROPIC_RETRIES": "0",
        "RATE_LIMIT_PER_MINUTE": "0",
        **more,
    }


@pytest.fixture(scope="module")
def alone(claude: FakeClaude, module_services: StartService) -> RunningService:
    """One process, without Redis."""
    return module_services(**variables(claude, REDIS_URL=""))


@pytest.fixture(scope="module")
def two(claude: FakeClaude, module_services: StartService) -> RunningService:
    """Two processes, with Redis."""
    return module_services(**variables(claude, PROCESSES="2"))


@pytest.fixture(params=["alone", "two"])
def service(request: pytest.FixtureRequest) -> RunningService:
    found: RunningService = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def fake_claude(claude: FakeClaude) -> AsyncIterator[FakeClaude]:
    """The local Claude, as if new, and slow enough to be interrupted."""
    claude.requests.clear()
    claude.say(ANSWER)
    claude.pause = 0.02
    yield claude
    claude.release()
    claude.pause = 0.0
    await until(lambda: claude.open_streams == 0)
    await until(lambda: not UsageRecord.objects.filter(state=State.OPEN).exists())


@pytest.fixture
def headers(api_key: tuple[ApiKey, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key[1]}"}


async def until(condition: Callable[[], Any]) -> Any:
    """Wait for what another process does; return what the condition gave."""
    async with asyncio.timeout(20):
        while not (value := await database_sync_to_async(condition)()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return value


def reader(
    service: RunningService, headers: dict[str, str], number: int = 0, **fields: Any
) -> Reader:
    return Reader(service.url, headers, f"s{number}", f"turno-{number:04d}", **fields)


async def messages() -> list[tuple[str, str]]:
    rows = Message.objects.order_by("pk").values_list("role", "content")
    found: list[tuple[str, str]] = await database_sync_to_async(list)(rows)
    return found


async def test_readers_who_come_and_go_get_every_answer_whole_and_once(
    service: RunningService, headers: dict[str, str], fake_claude: FakeClaude
):
    readers = [
        reader(service, headers, n, over_socket=n % 2 == 1, cuts=some_cuts(30)) for n in range(12)
    ]
    await asyncio.gather(*(one.read() for one in readers))

    assert [one.text for one in readers] == [ANSWER] * 12
    assert {one.last["type"] for one in readers} == {"done"}
    for one in readers:
        numbers = [event["seq"] for event in one.seen]
        assert numbers == sorted(set(numbers))
        assert one.last["metadata"]["turn_id"] == one.turn
    assert len(fake_claude.requests) == 12
    assert any(one.resumed for one in readers)


async def test_asking_again_with_the_turn_joins_it_and_then_repeats_it_at_no_cost(
    service: RunningService, headers: dict[str, str], fake_claude: FakeClaude
):
    first, second = reader(service, headers), reader(service, headers, over_socket=True)
    asking = asyncio.create_task(first.read())
    await until(lambda: fake_claude.requests)
    await second.read()
    await asking
    third = reader(service, headers)
    await third.read()

    assert first.text == second.text == third.text == ANSWER
    assert third.last["metadata"]["message_id"] == first.last["metadata"]["message_id"]
    assert third.last["metadata"]["cost_usd"] == first.last["metadata"]["cost_usd"]
    assert len(fake_claude.requests) == 1
    assert await messages() == [("user", QUESTION), ("assistant", ANSWER)]


async def test_a_turn_with_another_question_is_refused(
    alone: RunningService, headers: dict[str, str], fake_claude: FakeClaude
):
    await reader(alone, headers).read()
    other = reader(alone, headers, question="¿Y otra cosa?")
    await other.read()

    assert other.last["status"] == 422
    assert other.last["code"] == "turn_mismatch"


async def test_an_idempotency_key_names_the_turn(
    alone: RunningService, headers: dict[str, str], fake_claude: FakeClaude
):
    body = {"message": QUESTION, "session_id": "s"}
    keyed = {**headers, "Idempotency-Key": "pedido-1"}
    async with httpx2.AsyncClient(base_url=alone.url, headers=keyed, timeout=30) as client:
        async with client.stream("POST", "/api/chat/message/stream", json=body) as response:
            await anext(response.aiter_lines())
        await until(lambda: fake_claude.requests)
        again = await client.post("/api/chat/message/stream", json=body)
        while again.status_code == 409:  # until the service has seen that the first one left
            await asyncio.sleep(0.05)
            again = await client.post("/api/chat/message/stream", json=body)

    assert '"done"' in again.text
    assert len(fake_claude.requests) == 1


async def test_a_reload_without_an_id_finds_the_answer_that_is_running(
    service: RunningService, headers: dict[str, str], fake_claude: FakeClaude
):
    asking = asyncio.create_task(reader(service, headers).read())
    await until(lambda: Message.objects.filter(process__gt="").exists())
    path = "/api/chat/session/s0/events"
    async with httpx2.AsyncClient(base_url=service.url, headers=headers, timeout=30) as client:
        stream = (await client.get(path)).text
        await asking
        nothing = await client.get(path)
        unknown = await client.get(path, headers={"Last-Event-ID": "turno-9999:3"})
        elsewhere = await client.get("/api/chat/session/otra/events")

    said = re.findall(r"^data: (\{.*\})$", stream, re.MULTILINE)
    text = "".join(json.loads(line).get("content", "") for line in said)
    assert text == ANSWER
    assert nothing.status_code == 204
    assert unknown.status_code == elsewhere.status_code == 404


async def test_another_key_cannot_resume_or_stop_the_turn(
    alone: RunningService, headers: dict[str, str], fake_claude: FakeClaude
):
    _, secret = await database_sync_to_async(ApiKey.objects.issue)(name="otro")
    asking = asyncio.create_task(reader(alone, headers).read())
    await until(lambda: Message.objects.filter(process__gt="").exists())
    strange = {"Authorization": f"Bearer {secret}", "Last-Event-ID": "turno-0000:0"}
    async with httpx2.AsyncClient(base_url=alone.url, headers=strange, timeout=30) as client:
        resumed = await client.get("/api/chat/session/s0/events")
        stopped = await client.post("/api/chat/session/s0/stop")
        own = Reader(alone.url, {"Authorization": strange["Authorization"]}, "s0", "turno-0000")
        await own.read()
    await asking

    assert resumed.status_code == stopped.status_code == 404
    assert own.text == ANSWER
    assert len(fake_claude.requests) == 2


async def test_stop_from_anywhere_ends_it_for_its_reader_and_keeps_what_was_said(
    service: RunningService, headers: dict[str, str], fake_claude: FakeClaude
):
    fake_claude.then(Script(text=ANSWER, ending="stall", after=5))
    one = reader(service, headers)
    asking = asyncio.create_task(one.read())
    await until(lambda: len(one.seen) >= 2)
    async with httpx2.AsyncClient(base_url=service.url, headers=headers, timeout=30) as client:
        stopped = (await client.post("/api/chat/session/s0/stop")).json()
        await asking
        idle = (await client.post("/api/chat/session/s0/stop")).json()

    answer = await database_sync_to_async(Message.objects.get)(role="assistant")
    assert (stopped, idle) == ({"status": "stopped"}, {"status": "idle"})
    assert one.last["type"] == "stopped"
    assert one.last["metadata"]["message_id"] == answer.pk
    assert answer.cut
    assert answer.content == one.text


async def test_an_answer_that_nobody_comes_back_for_is_stopped_and_settled(
    claude: FakeClaude,
    fake_claude: FakeClaude,
    start_service: StartService,
    headers: dict[str, str],
):
    service = start_service(**variables(claude, CHAT_GRACE_SECONDS="1"))
    fake_claude.then(Script(text=ANSWER, ending="stall", after=5))
    async with (
        httpx2.AsyncClient(base_url=service.url, headers=headers, timeout=30) as client,
        client.stream("POST", "/api/chat/message/stream", json={"message": QUESTION}) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                break

    record = await until(lambda: UsageRecord.objects.filter(state=State.SETTLED).first())
    assert record.outcome == "cancelled"
    assert (await database_sync_to_async(Message.objects.get)(role="assistant")).cut


async def test_a_process_that_dies_is_told_in_time_and_asking_again_repeats_no_question(
    two: RunningService, headers: dict[str, str], fake_claude: FakeClaude
):
    fake_claude.hold()
    readers = [reader(two, headers, n, over_socket=n % 2 == 1) for n in range(12)]
    asking = asyncio.gather(*(one.read() for one in readers))
    await until(lambda: fake_claude.open_streams == 12)
    # Which one accepted how many is the kernel's choice: it may have been one of them alone.
    victim = max(servers.children(two.process.pid), key=open_files)
    os.kill(victim, signal.SIGKILL)
    await asyncio.sleep(0.5)
    fake_claude.release()
    await asking

    ends = {one.last["type"]: one.last.get("code") for one in readers}
    lost = [one for one in readers if one.last["type"] == "error"]
    assert lost
    assert ends.items() <= {"done": None, "error": "answer_lost"}.items()
    assert all(one.over_at - (one.lost_at or 0) < 5 for one in lost)
    again = [Reader(one.url, headers, one.session, one.turn, one.over_socket) for one in lost]
    await asyncio.gather(*(one.read() for one in again))

    assert {one.last["type"] for one in again} == {"done"}, [one.last for one in again]
    asked = await messages()
    assert len([content for role, content in asked if role == "user"]) == 12
    assert len([content for role, content in asked if role == "assistant"]) == 12
    answered = UsageRecord.objects.filter(outcome="answered")
    assert await database_sync_to_async(answered.count)() == 12
    # The process in its place settles what the dead one left.
    await until(lambda: not UsageRecord.objects.filter(state=State.OPEN).exists())


def open_files(process_id: int) -> int:
    return len(os.listdir(f"/proc/{process_id}/fd"))


async def test_a_restart_hands_its_readers_over(
    claude: FakeClaude,
    fake_claude: FakeClaude,
    start_service: StartService,
    two: RunningService,
    headers: dict[str, str],
):
    """What SIGTERM cuts off is settled, and read to its end on another service."""
    leaving = start_service(**variables(claude, DRAIN_SECONDS="1"))
    fake_claude.then(Script(text=ANSWER, ending="stall", after=5))
    one = reader(leaving, headers)
    asking = asyncio.create_task(one.read())
    await until(lambda: len(one.seen) >= 2)
    leaving.process.send_signal(signal.SIGTERM)
    one.url = two.url
    await asking

    assert one.last["type"] == "stopped"
    assert ANSWER.startswith(one.text)
    assert leaving.process.wait(20) == 0
    record = await database_sync_to_async(UsageRecord.objects.get)()
    assert (record.state, record.outcome) == (State.SETTLED, "cancelled")


async def test_with_redis_away_answers_are_given_all_the_same(
    claude: FakeClaude,
    fake_claude: FakeClaude,
    start_service: StartService,
    headers: dict[str, str],
):
    nowhere = f"redis://127.0.0.1:{servers.free_port()}/0"
    service = start_service(**variables(claude, PROCESSES="2", REDIS_URL=nowhere))
    readers = [reader(service, headers, n, cuts=[3]) for n in range(6)]
    await asyncio.gather(*(one.read() for one in readers))

    assert [one.text for one in readers] == [ANSWER] * 6
