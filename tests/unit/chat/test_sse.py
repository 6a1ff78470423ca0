"""Events as Server-Sent Events."""

import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from chat.events import Event, Text
from chat.sse import event_stream, frame, frames
from usage.errors import BudgetExceeded

pytestmark = pytest.mark.unit


def parsed(chunks: list[bytes]) -> list[dict[str, object]]:
    return [json.loads(chunk[6:]) for chunk in chunks if chunk.startswith(b"data: ")]


async def test_an_event_is_one_data_line_in_utf8():
    assert (
        frame(Text("¿Año?\nsí")) == 'data: {"type": "text", "content": "¿Año?\\nsí"}\n\n'.encode()
    )


async def test_silence_is_filled_with_comments():
    async def slow() -> AsyncGenerator[Event, None]:
        yield Text("a")
        await release.wait()
        yield Text("b")

    release = asyncio.Event()
    chunks = []
    async for chunk in frames(slow(), heartbeat=0.01):
        chunks.append(chunk)
        if chunk.startswith(b":"):
            release.set()

    assert chunks[0] == frame(Text("a"))
    assert b": \n\n" in chunks[1:-1]
    assert chunks[-1] == frame(Text("b"))


async def test_a_refusal_is_the_last_event_with_its_facts():
    async def refused() -> AsyncGenerator[Event, None]:
        yield Text("a")
        raise BudgetExceeded(limit="1.00")

    events = parsed([chunk async for chunk in frames(refused())])

    assert events[-1]["type"] == "error"
    assert events[-1]["code"] == "budget_exceeded"
    assert events[-1]["status"] == 402
    assert events[-1]["limit"] == "1.00"
    assert events[-1]["content"] == events[-1]["detail"]


async def test_an_unexpected_failure_ends_the_stream_without_its_text():
    async def broken() -> AsyncGenerator[Event, None]:
        yield Text("a")
        raise RuntimeError("secreto")

    chunks = [chunk async for chunk in frames(broken())]

    assert parsed(chunks)[-1]["code"] == "internal_error"
    assert b"secreto" not in b"".join(chunks)


async def test_closing_the_stream_cancels_the_answer_and_waits_for_its_end():
    cleaned = []

    async def endless() -> AsyncGenerator[Event, None]:
        try:
            while True:
                yield Text("x")
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    stream = frames(endless())
    await anext(stream)
    await stream.aclose()

    assert cleaned == [True]


async def test_proxies_are_told_to_leave_the_stream_alone():
    async def nothing() -> AsyncGenerator[Event, None]:
        return
        yield

    response = event_stream(nothing())

    assert response.headers["X-Accel-Buffering"] == "no"
    assert "no-transform" in response.headers["Cache-Control"]
    assert response.headers["Content-Type"].startswith("text/event-stream")
