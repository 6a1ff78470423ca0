"""Answers that outlive their readers, without a model and without a database."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from rest_framework.exceptions import APIException

from chat.events import Begun, Event, Last, Ping, Sent, Text
from chat.live import running as module
from chat.live.running import RUNNING, Running
from chat.live.turns import Turn, parse
from usage.errors import BudgetExceeded

pytestmark = pytest.mark.unit

TURN = Turn(1, "s", "turno-0001")


class Unstored:
    """A record of nothing."""

    answer = None
    attachments = ()
    is_stored = False

    def give_up(self) -> None:
        """Do nothing."""


@pytest.fixture(autouse=True)
def nothing_running() -> Iterator[None]:
    yield
    RUNNING.__init__()  # type: ignore[misc]


async def piecewise(*pieces: str) -> AsyncGenerator[Event, None]:
    for piece in pieces:
        yield Text(piece)
        await asyncio.sleep(0)
    raise APIException("fin", "fin")


def start(events: AsyncGenerator[Event, None]) -> Running:
    record: Any = Unstored()
    return RUNNING.start(TURN, record, events)


async def read(running: Running, position: int = 0) -> list[Sent]:
    async with aclosing(running.read(position)) as events:
        return [event async for event in events]


def said(events: list[Sent]) -> str:
    return "".join(event.content for event in events if isinstance(event, Text))


async def test_a_reader_gets_all_in_order_and_the_end_numbered():
    events = await read(start(piecewise("uno ", "dós ", "tres")))

    numbers = [event.seq for event in events if isinstance(event, Text | Last)]
    assert isinstance(events[0], Begun)
    assert said(events) == "uno dós tres"
    assert numbers == sorted(set(numbers))
    assert isinstance(events[-1], Last)


async def test_from_any_event_the_rest_follows_and_nothing_again():
    running = start(piecewise("uno ", "dós ", "tres"))
    events = [event for event in await read(running) if isinstance(event, Text)]
    for seen in range(len(events)):
        place = parse(events[seen].id)
        assert place is not None
        assert said(await read(running, place[1])) == said(list(events[seen + 1 :]))
    assert await read(running, 10_000) == []


async def test_an_answer_goes_on_without_readers_and_the_next_finds_it(settings: Any):
    settings.CHAT_GRACE_SECONDS = 20
    release = asyncio.Event()

    async def slow() -> AsyncGenerator[Event, None]:
        yield Text("uno ")
        await release.wait()
        yield Text("dos")

    running = start(slow())
    async with aclosing(running.read()) as events:
        await anext(events)
        assert await anext(events) == Text("uno ", f"{TURN.turn_id}:4", 4)
    release.set()

    assert said(await read(running, 4)) == "dos"


async def test_nobody_reads_for_the_grace_period_and_it_is_stopped(settings: Any):
    settings.CHAT_GRACE_SECONDS = 0.05
    cleaned = asyncio.Event()

    async def endless() -> AsyncGenerator[Event, None]:
        try:
            while True:
                yield Text("x")
                await asyncio.sleep(0)
        finally:
            cleaned.set()

    running = start(endless())
    async with aclosing(running.read()) as events:
        await anext(events)
    await asyncio.wait_for(cleaned.wait(), 5)
    assert [
        event.kind for event in await read(running, len(running.text)) if isinstance(event, Last)
    ] == ["stopped"]


async def test_without_grace_leaving_waits_until_the_answer_is_cleaned_up(settings: Any):
    settings.CHAT_GRACE_SECONDS = 0
    cleaned = []

    async def endless() -> AsyncGenerator[Event, None]:
        try:
            while True:
                yield Text("x")
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    events = start(endless()).read()
    await anext(events)
    await anext(events)
    await events.aclose()

    assert cleaned == [True]


async def test_stop_ends_it_for_every_reader():
    async def endless() -> AsyncGenerator[Event, None]:
        while True:
            yield Text("x")
            await asyncio.sleep(0)

    running = start(endless())
    readers = [asyncio.create_task(read(running)) for _ in range(3)]
    await asyncio.sleep(0.01)
    await running.stop()

    for events in await asyncio.gather(*readers):
        last = events[-1]
        assert isinstance(last, Last)
        assert last.kind == "stopped"
        assert last.body["metadata"]["session_id"] == "s"


async def test_stopped_before_it_began_it_still_ends():
    running = start(piecewise("x"))
    await running.stop()

    assert [event.kind for event in await read(running) if isinstance(event, Last)] == ["stopped"]


async def test_silence_is_filled_with_pings(monkeypatch: Any):
    monkeypatch.setattr(module, "PING_SECONDS", 0.01)
    release = asyncio.Event()

    async def slow() -> AsyncGenerator[Event, None]:
        yield Text("a")
        await release.wait()
        yield Text("b")

    events: list[Sent] = []
    async with aclosing(start(slow()).read()) as reading:
        async for event in reading:
            events.append(event)
            if isinstance(event, Ping):
                release.set()

    assert said(events) == "ab"
    assert any(isinstance(event, Ping) for event in events)


async def test_a_refusal_is_the_last_event_with_its_facts():
    async def refused() -> AsyncGenerator[Event, None]:
        yield Text("a")
        raise BudgetExceeded(limit="1.00")

    last = (await read(start(refused())))[-1]

    assert isinstance(last, Last)
    assert last.body["type"] == "error"
    assert last.body["code"] == "budget_exceeded"
    assert last.body["status"] == 402
    assert last.body["limit"] == "1.00"
    assert last.body["content"] == last.body["detail"]


async def test_an_unexpected_failure_ends_the_turn_without_its_text():
    async def broken() -> AsyncGenerator[Event, None]:
        yield Text("a")
        raise RuntimeError("secreto")

    events = await read(start(broken()))

    last = events[-1]
    assert isinstance(last, Last)
    assert last.body["code"] == "internal_error"
    assert "secreto" not in str(events)


@pytest.mark.parametrize(
    "text", ["", "x", "turno-0001", "turno-0001:", "turno-0001:-1", "a b:1", "x:1"]
)
def test_what_is_no_event_id_is_none(text: str):
    assert parse(text) is None


def test_the_same_id_of_another_caller_or_session_is_another_turn():
    names = {
        Turn(1, "s", "turno-0001").name,
        Turn(2, "s", "turno-0001").name,
        Turn(1, "t", "turno-0001").name,
    }
    assert len(names) == 3
