"""How many messages processes can answer, and how long messages that come together wait for one row.

One machine serves, asks and stands in for the provider here, so that a second process cannot show its worth
in answers a second: what it costs in processor time can. Whatever the processes have to do one after the
other shows in what they wait for, the locks on the windows of the budgets.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2
import psycopg

from tests.load.processes import Server

QUESTION = "¿Cuánto duran los folios de un CAF?"
SAMPLE_SECONDS = 0.005
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


@dataclass
class Burst:
    """What so many messages took.

    Attributes:
        seconds: From the first question to the last answer.
        cpu_seconds: Of the service, all of its processes together.
        waited: Seconds that database sessions stood before a locked row, added up.
    """

    messages: int
    seconds: float
    cpu_seconds: float
    waited: float

    def per_second(self, processes: int) -> float:
        """Return how many messages the processes answer in a second if each has a core."""
        return processes * self.messages / self.cpu_seconds


def burst(server: Server, database: str, messages: int, together: int) -> Burst:
    """Ask so many questions, so many of them together at any time."""
    cpu, started = server.cpu_seconds(), time.perf_counter()
    with waiting(database) as queue:
        asyncio.run(_ask(server, messages, together))
    seconds = time.perf_counter() - started
    return Burst(messages, seconds, server.cpu_seconds() - cpu, queue.seconds)


async def _ask(server: Server, messages: int, together: int) -> None:
    numbers = iter(range(messages))
    limits = httpx2.Limits(max_connections=together, max_keepalive_connections=together)

    async def worker(client: httpx2.AsyncClient) -> None:
        for number in numbers:
            session = f"burst-{time.monotonic_ns()}-{number}"
            body = {"message": QUESTION, "session_id": session}
            answer = await client.post(server.path, json=body)
            answer.raise_for_status()
            if answer.json()["llm_used"] == "offline":
                raise RuntimeError("the service answered without the model")

    async with httpx2.AsyncClient(
        base_url=server.url, headers=server.headers, limits=limits, timeout=120
    ) as client:
        await asyncio.gather(*(worker(client) for _ in range(together)))


@dataclass
class Queue:
    """How long sessions have been waiting, all of them together."""

    seconds: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self, connection: psycopg.Connection) -> None:
        """Look again and again until it is over."""
        last = time.perf_counter()
        while not self.over.wait(SAMPLE_SECONDS):
            row = connection.execute(_WAITING).fetchone()
            now = time.perf_counter()
            self.seconds += (row[0] if row else 0) * (now - last)
            last = now


@contextmanager
def waiting(database: str) -> Iterator[Queue]:
    """Watch what waits for a lock meanwhile."""
    queue = Queue()
    with psycopg.connect(database, autocommit=True) as connection:
        thread = threading.Thread(target=queue.watch, args=[connection])
        thread.start()
        try:
            yield queue
        finally:
            queue.over.set()
            thread.join()
