"""Many slow streams at once, half of them over WebSocket, over few database connections.

    python -m tests.load.chat_streams --streams 500 --chunks 50 --interval 0.1 --pool 10

Prints how many ended in ``done``, when their first text came, how late every piece was, how much memory
each took, and the most database connections that the service held while tokens flowed.
"""

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from tests.load.stack import Stack, percentile, running
from tests.load.upstream import Pace


@dataclass
class Outcome:
    """What became of the streams."""

    done: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    first: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    pieces: int = 0

    def fail(self, reason: str) -> None:
        """Count a stream that did not end well."""
        self.failures[reason] = self.failures.get(reason, 0) + 1

    def take(self, event: dict[str, Any], started: float, last: float) -> float:
        """Count an event; return when the last piece came."""
        now = time.perf_counter()
        if event["type"] == "text":
            (self.gaps if last > started else self.first).append(now - last)
            self.pieces += 1
            return now
        if event["type"] == "done":
            offline = event["metadata"]["llm_used"] == "offline"
            self.fail("offline") if offline else None
            self.done += not offline
        elif event["type"] != "ping":
            self.fail(event["code"])
        return last


def question(number: int) -> dict[str, str]:
    """Return one question; each has a conversation of its own."""
    return {"message": "¿Cuánto duran los folios de un CAF?", "session_id": f"carga-{number}"}


async def follow(client: httpx2.AsyncClient, number: int, outcome: Outcome) -> None:
    """Ask one question and read its answer to the end."""
    started = last = time.perf_counter()
    path = "/api/chat/message/stream"
    try:
        async with client.stream("POST", path, json=question(number)) as response:
            if response.status_code != 200:
                outcome.fail(str(response.status_code))
                return
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    last = outcome.take(json.loads(line[6:]), started, last)
    except httpx2.TransportError as exc:
        outcome.fail(f"{type(exc).__name__} {exc}"[:80])


async def follow_socket(stack: Stack, number: int, outcome: Outcome) -> None:
    """Do the same over a WebSocket."""
    started = last = time.perf_counter()
    url = f"{stack.url.replace('http', 'ws', 1)}/ws/chat/"
    try:
        async with connect(url, additional_headers=stack.headers, open_timeout=120) as socket:
            await socket.send(json.dumps(question(number)))
            async for message in socket:
                event = json.loads(message)
                last = outcome.take(event, started, last)
                if event["type"] not in ("text", "ping"):
                    return
        outcome.fail("closed")
    except (OSError, WebSocketException) as exc:
        outcome.fail(f"{type(exc).__name__} {exc}"[:80])


@dataclass
class Seen:
    """What the service took meanwhile."""

    connections: list[dict[str, int]] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)


async def watch(stack: Stack, seen: Seen, ended: asyncio.Event) -> None:
    """Note the service's memory and database connections until the streams end."""
    while not ended.is_set():
        seen.memory_mb.append(stack.memory_mb())
        seen.connections.append(await asyncio.to_thread(stack.connections))
        await asyncio.sleep(0.25)


async def measure(stack: Stack, streams: int) -> tuple[Outcome, float, Seen]:
    """Run all streams at once."""
    outcome, ended, seen = Outcome(), asyncio.Event(), Seen()
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx2.AsyncClient(
        base_url=stack.url, headers=stack.headers, limits=limits, timeout=300
    ) as client:
        # The first question loads the search index; of a few that come together, each thread its own.
        await asyncio.gather(*(follow(client, -n, Outcome()) for n in range(1, 9)))
        watcher = asyncio.create_task(watch(stack, seen, ended))
        started = time.perf_counter()
        await asyncio.gather(
            *(
                follow_socket(stack, n, outcome) if n % 2 else follow(client, n, outcome)
                for n in range(streams)
            )
        )
        wall = time.perf_counter() - started
        ended.set()
        await watcher
    return outcome, wall, seen


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--chunks", type=int, default=50)
    parser.add_argument("--interval", type=float, default=0.1)
    parser.add_argument("--pool", type=int, default=10)
    options = parser.parse_args()
    pace = Pace(chunks=options.chunks, interval=options.interval)
    with running(pace, DATABASE_POOL_MAX=str(options.pool), DATABASE_POOL_TIMEOUT="60") as stack:
        before = stack.cpu_seconds()
        outcome, wall, seen = asyncio.run(measure(stack, options.streams))
        cpu = stack.cpu_seconds() - before
    report(options.streams, pace, outcome, wall, seen)
    least, most = seen.memory_mb[0], max(seen.memory_mb)
    print(
        f"server: {cpu:.1f} s CPU, {least:.0f} MB resident before and {most:.0f} MB at most, "
        f"{(most - least) * 1024 / options.streams:.0f} KB for each stream"
    )


def report(streams: int, pace: Pace, outcome: Outcome, wall: float, seen: Seen) -> None:
    """Print the figures."""
    late = [gap - pace.interval for gap in outcome.gaps]
    ideal = pace.delay + pace.chunks * pace.interval
    in_use = [sum(n for state, n in s.items() if state != "idle") for s in seen.connections]
    lines = [
        f"streams: {streams}, ended in done: {outcome.done}, failures: {outcome.failures or 'none'}",
        f"wall: {wall:.1f} s (ideal {ideal:.1f}), pieces of text: {outcome.pieces}",
        f"first text: p50 {percentile(outcome.first, 0.5):.2f} s, "
        f"p95 {percentile(outcome.first, 0.95):.2f} s",
        f"lateness of a piece: p50 {percentile(late, 0.5) * 1000:.1f} ms, "
        f"p99 {percentile(late, 0.99) * 1000:.1f} ms",
        f"database connections: most open {max(sum(s.values()) for s in seen.connections)}, "
        f"most in use {max(in_use)}, in use at the median sample {percentile(in_use, 0.5)}",
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
