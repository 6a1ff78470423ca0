"""Events as Server-Sent Events, numbered for clients that resume (``Last-Event-ID``)."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final
from urllib.parse import quote

from django.http import StreamingHttpResponse

from chat.ending import Ending
from chat.events import Begun, Last, Ping, Sent, Text

_encode: Final = json.JSONEncoder(ensure_ascii=False).encode
_PING: Final = b": \n\n"
_HEADERS: Final = {
    "Cache-Control": "no-cache, no-transform",  # compression would hold tokens back
    "X-Accel-Buffering": "no",  # nginx must not collect the stream either
}


def event_stream(
    events: AsyncGenerator[Sent, None], session_id: str, ending: Ending | None = None
) -> StreamingHttpResponse:
    """Return the response that sends events as they come; how they ended is noted."""
    return StreamingHttpResponse(
        frames(events, ending or Ending()),
        content_type="text/event-stream; charset=utf-8",
        headers={**_HEADERS, "X-Session-Id": quote(session_id)},
    )


async def frames(events: AsyncGenerator[Sent, None], ending: Ending) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of every event, and note the one that ends them."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Last):
                ending.last = event
            yield frame(event)


def frame(event: Sent) -> bytes:
    """Return one event on the wire."""
    match event:
        case Text():  # what there are many of: a string is encoded faster than an object
            return (
                f'id: {event.id}\ndata: {{"type": "text", "content": {_encode(event.content)}, '
                f'"id": "{event.id}", "seq": {event.seq}}}\n\n'
            ).encode()
        case Ping():
            return _PING
        case Begun():  # no data: clients show nothing, and remember the id
            return f"id: {event.id}\n\n".encode()
        case Last():
            return f"id: {event.id}\ndata: {_encode(event.as_dict())}\n\n".encode()
