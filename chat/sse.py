"""Events as Server-Sent Events, kept alive and always ended."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from django.http import StreamingHttpResponse

from chat.events import Event, guarded

# Proxies and load balancers drop a connection that is silent for a minute, some for less.
HEARTBEAT_SECONDS: Final = 15.0
_HEARTBEAT: Final = b": \n\n"
_HEADERS: Final = {
    "Cache-Control": "no-cache, no-transform",  # compression would hold tokens back
    "X-Accel-Buffering": "no",  # nginx must not collect the stream either
}


def event_stream(events: AsyncGenerator[Event, None]) -> StreamingHttpResponse:
    """Return the response that sends events as they come."""
    return StreamingHttpResponse(
        frames(events), content_type="text/event-stream; charset=utf-8", headers=_HEADERS
    )


async def frames(
    events: AsyncGenerator[Event, None], *, heartbeat: float = HEARTBEAT_SECONDS
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of every event, and a comment whenever nothing came for a while.

    The events are read in one task of their own, so that a heartbeat does not disturb them; closing
    this generator cancels that task and waits until it has cleaned up.
    """
    queue: asyncio.Queue[Event | None] = asyncio.Queue(maxsize=1)
    reader = asyncio.create_task(_read(events, queue))
    try:
        while True:
            try:
                async with asyncio.timeout(heartbeat):
                    event = await queue.get()
            except TimeoutError:
                yield _HEARTBEAT
                continue
            if event is None:
                break
            yield frame(event)
    finally:
        reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reader


async def _read(events: AsyncGenerator[Event, None], queue: "asyncio.Queue[Event | None]") -> None:
    async with aclosing(guarded(events)) as guarded_events:
        async for event in guarded_events:
            await queue.put(event)
    await queue.put(None)


def frame(event: Event) -> bytes:
    """Return one event on the wire."""
    return f"data: {json.dumps(event.as_dict(), ensure_ascii=False)}\n\n".encode()
