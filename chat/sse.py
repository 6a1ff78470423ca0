"""Events as Server-Sent Events, kept alive and always ended."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from django.http import StreamingHttpResponse

from chat.events import PING_SECONDS, Event, Ping, Text, kept_alive

_encode: Final = json.JSONEncoder(ensure_ascii=False).encode
_PING: Final = b": \n\n"
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
    events: AsyncGenerator[Event, None], *, heartbeat: float = PING_SECONDS
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of every event, and a comment whenever nothing came for a while."""
    async with aclosing(kept_alive(events, seconds=heartbeat)) as living:
        async for event in living:
            yield frame(event)


def frame(event: Event) -> bytes:
    """Return one event on the wire."""
    if isinstance(event, Ping):
        return _PING
    if isinstance(event, Text):  # what there are many of: a string is encoded faster than an object
        return f'data: {{"type": "text", "content": {_encode(event.content)}}}\n\n'.encode()
    return f"data: {_encode(event.as_dict())}\n\n".encode()
