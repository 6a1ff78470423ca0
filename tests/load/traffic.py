"""Steady traffic of every kind, and what came of each call."""

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2

QUESTION = "¿Cuánto duran los folios de un CAF?"
SAMPLE = Path("chat/static/chat/samples/factura.xml").read_bytes()
TIMEOUT = 40.0


@dataclass(frozen=True)
class Answer:
    """One call: when it began (monotonic), its status (0: no answer), and how long it took."""

    at: float
    status: int
    seconds: float
    llm_used: str = ""


class Traffic:
    """So many calls a second from a thread of its own, while the block lasts.

    Beside them, the probes are asked once a second, and one caller insists beyond its limit.

    Args:
        url: Of the service.
        secrets: Keys; the last one is the insisting caller's.
        per_second: How many calls.
    """

    def __init__(self, url: str, secrets: Sequence[str], per_second: float) -> None:
        self.url = url
        self.secrets = secrets
        self.per_second = per_second
        self.answers: list[Answer] = []
        self.probes: list[Answer] = []
        self.insisted: list[Answer] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def between(self, first: float, last: float) -> list[Answer]:
        """Return the answers to calls that began in that time."""
        return [answer for answer in self.answers if first <= answer.at < last]

    def insisting(self, per_minute: int, burst: int) -> tuple[int, float]:
        """Return how often the insisting caller was admitted, and how often it might have been."""
        admitted = [a for a in self.insisted if a.status not in {0, 429, 503}]
        seconds = self.insisted[-1].at - self.insisted[0].at
        return len(admitted), burst + per_minute * seconds / 60

    def at_once(self, count: int, found: Any) -> list[Answer]:
        """Return the answers to so many questions asked at the same time."""

        async def ask() -> list[Answer]:
            async with self._client(0) as client:
                return await asyncio.gather(
                    *(self._ask(client, f"burst-{time.monotonic_ns()}-{n}") for n in range(count))
                )

        return asyncio.run(ask())

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for part in (self._steady(), self._probe(), self._insist()):
                _ = tasks.create_task(part)

    def _client(self, key: int) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {self.secrets[key]}"},
            timeout=TIMEOUT,
            limits=httpx2.Limits(max_connections=1000, max_keepalive_connections=50),
        )

    async def _steady(self) -> None:
        async with self._client(0) as client, asyncio.TaskGroup() as tasks:
            number, began = 0, time.monotonic()
            while not self._over.is_set():
                _ = tasks.create_task(self._call(client, number))
                number += 1
                await asyncio.sleep(max(0, began + number / self.per_second - time.monotonic()))

    async def _call(self, client: httpx2.AsyncClient, number: int) -> None:
        match number % 5:
            case 0:
                answer = await self._ask(client, f"s{number % 50}-{int(time.monotonic())}")
            case 1 | 2:
                answer = await self._send(
                    client,
                    "POST",
                    "/api/dte/validate",
                    content=SAMPLE,
                    params={"ai": "never"},
                    headers={"Content-Type": "application/xml"},
                )
            case 3:
                answer = await self._send(
                    client, "GET", "/api/chat/knowledge/search", params={"query": QUESTION}
                )
            case _:
                answer = await self._send(client, "GET", "/api/usage")
        self.answers.append(answer)

    async def _ask(self, client: httpx2.AsyncClient, session: str) -> Answer:
        body = {"session_id": session, "message": QUESTION}
        return await self._send(client, "POST", "/api/chat/message", json=body)

    async def _send(
        self, client: httpx2.AsyncClient, method: str, path: str, **options: Any
    ) -> Answer:
        started = time.monotonic()
        try:
            response = await client.request(method, path, **options)
        except httpx2.TransportError:
            return Answer(started, 0, time.monotonic() - started)
        return Answer(started, response.status_code, time.monotonic() - started)

    async def _probe(self) -> None:
        async with self._client(0) as client:
            while not self._over.is_set():
                for path in ("/health", "/metrics"):
                    self.probes.append(await self._send(client, "GET", path))
                await asyncio.sleep(1)

    async def _insist(self) -> None:
        """Ask for what is limited strictly; an empty batch is refused only after the limit."""
        async with self._client(-1) as client:
            while not self._over.is_set():
                self.insisted.append(await self._send(client, "POST", "/api/dte/validate/batch"))
                await asyncio.sleep(0.15)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
