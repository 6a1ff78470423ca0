"""Clients that read an answer to its end, over SSE or WebSocket, whatever happens to the connection."""

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

QUESTION: Final = "¿Cuánto duran los folios de un CAF?"
LOST: Final = (httpx2.TransportError, WebSocketException, OSError)


class CutError(Exception):
    """The reader hung up, as it was told to."""


@dataclass
class Reader:
    """Somebody who wants one answer.

    Attributes:
        url: Of the service.
        cuts: After how many events to hang up, one number for each connection; then no more.
        seen: The events, pings left out.
        lost_at: When a connection was lost that the reader had not cut.
        over_at: When the last event came.
        asked: How often the question was sent.
    """

    url: str
    headers: dict[str, str]
    session: str
    turn: str
    over_socket: bool = False
    question: str = QUESTION
    cuts: list[int] = field(default_factory=list)
    seen: list[dict[str, Any]] = field(default_factory=list)
    last_id: str = ""
    lost_at: float | None = None
    over_at: float = 0.0
    asked: int = 0
    resumed: int = 0

    @property
    def text(self) -> str:
        """What was said."""
        return "".join(event["content"] for event in self.seen if event["type"] == "text")

    @property
    def last(self) -> dict[str, Any]:
        """The event that ended it."""
        return self.seen[-1]

    async def read(self, patience: float = 60) -> None:
        """Ask, and come back until the turn is over."""
        async with asyncio.timeout(patience):
            while not self._is_over():
                cut = self.cuts.pop(0) if self.cuts else None
                try:
                    await (self._socket(cut) if self.over_socket else self._stream(cut))
                except CutError:
                    await asyncio.sleep(random.uniform(0, 0.3))
                except LOST:
                    self.lost_at = self.lost_at or time.monotonic()
                    await asyncio.sleep(0.2)
        self.over_at = time.monotonic()

    def _is_over(self) -> bool:
        return bool(self.seen) and self.last["type"] != "text"

    def _body(self) -> dict[str, Any]:
        self.asked += 1
        return {"message": self.question, "session_id": self.session, "turn_id": self.turn}

    def _take(self, event: dict[str, Any], cut: int | None) -> None:
        self.seen.append(event)
        self.last_id = event.get("id", self.last_id)
        if cut is not None and cut <= len(self.seen) and event["type"] == "text":
            raise CutError

    async def _stream(self, cut: int | None) -> None:
        async with httpx2.AsyncClient(
            base_url=self.url,
            headers=self.headers,
            timeout=30,
            verify=False,  # plain http: to read the authorities takes longer than to ask
        ) as client:
            if self.last_id:
                self.resumed += 1
                path = f"/api/chat/session/{self.session}/events"
                request: Any = client.stream("GET", path, headers={"Last-Event-ID": self.last_id})
            else:
                request = client.stream("POST", "/api/chat/message/stream", json=self._body())
            async with request as response:
                if response.status_code != 200:
                    body = await response.aread()
                    self.seen.append(
                        {"type": "refused", "status": response.status_code} | _json(body)
                    )
                    return
                async for line in response.aiter_lines():
                    if line.startswith("id: "):
                        self.last_id = line[4:]
                    elif line.startswith("data: "):
                        self._take(json.loads(line[6:]), cut)

    async def _socket(self, cut: int | None) -> None:
        address = self.url.replace("http", "ws", 1) + "/ws/chat/"
        async with connect(address, additional_headers=self.headers, max_queue=None) as socket:
            if self.last_id:
                self.resumed += 1
                asked = {
                    "type": "resume",
                    "session_id": self.session,
                    "last_event_id": self.last_id,
                }
            else:
                asked = self._body()
            await socket.send(json.dumps(asked))
            while not self._is_over():
                event = json.loads(await socket.recv())
                if event["type"] != "ping":
                    self._take(event, cut)


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def some_cuts(pieces: int, most: int = 3) -> list[int]:
    """Return where a reader hangs up, at random."""
    return sorted(random.randint(1, pieces) for _ in range(random.randint(1, most)))
