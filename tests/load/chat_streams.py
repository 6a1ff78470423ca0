"""Many slow streams at once, over few database connections.

    python -m tests.load.chat_streams --streams 500 --chunks 50 --interval 0.1 --pool 10

Prints how many ended in ``done``, when their first text came, how late every piece was, and the most
database connections that the service held while tokens flowed.
"""

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2

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


async def follow(client: httpx2.AsyncClient, number: int, outcome: Outcome) -> None:
    """Ask one question and read its answer to the end."""
    question = {"message": "¿Cuánto duran los folios de un CAF?", "session_id": f"carga-{number}"}
    started = last = time.perf_counter()
    try:
        async with client.stream("POST", "/api/chat/message/stream", json=question) as response:
            if response.status_code != 200:
                outcome.fail(str(response.status_code))
                return
            async for line in response.aiter_lines():
                if not line.startswith("data: "):
                    continue
                event: dict[str, Any] = json.loads(line[6:])
                now = time.perf_counter()
                if event["type"] == "text":
                    (outcome.gaps if last > started else outcome.first).append(now - last)
                    outcome.pieces += 1
                    last = now
                elif event["type"] == "done":
                    offline = event["metadata"]["llm_used"] == "offline"
                    outcome.fail("offline") if offline else None
                    outcome.done += not offline
                else:
                    outcome.fail(event["code"])
    except httpx2.TransportError as exc:
        outcome.fail(f"{type(exc).__name__} {exc}"[:80])


async def watch(stack: Stack, seen: list[dict[str, int]], ended: asyncio.Event) -> None:
    """Note the service's database connections until the streams end."""
    while not ended.is_set():
        seen.append(await asyncio.to_thread(stack.connections))
        await asyncio.sleep(0.25)


async def measure(stack: Stack, streams: int) -> tuple[Outcome, float, list[dict[str, int]]]:
    """Run all streams at once."""
    outcome, ended = Outcome(), asyncio.Event()
    seen: list[dict[str, int]] = []
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx2.AsyncClient(
        base_url=stack.url, headers=stack.headers, limits=limits, timeout=300
    ) as client:
        await follow(client, -1, Outcome())  # the first question loads the search index
        watcher = asyncio.create_task(watch(stack, seen, ended))
        started = time.perf_counter()
        await asyncio.gather(*(follow(client, n, outcome) for n in range(streams)))
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
        cpu, memory = stack.cpu_seconds() - before, stack.memory_mb()
    report(options.streams, pace, outcome, wall, seen)
    print(f"server: {cpu:.1f} s CPU, {memory:.0f} MB resident")


def report(
    streams: int, pace: Pace, outcome: Outcome, wall: float, seen: list[dict[str, int]]
) -> None:
    """Print the figures."""
    late = [gap - pace.interval for gap in outcome.gaps]
    ideal = pace.delay + pace.chunks * pace.interval
    in_use = [sum(n for state, n in s.items() if state != "idle") for s in seen]
    lines = [
        f"streams: {streams}, ended in done: {outcome.done}, failures: {outcome.failures or 'none'}",
        f"wall: {wall:.1f} s (ideal {ideal:.1f}), pieces of text: {outcome.pieces}",
        f"first text: p50 {percentile(outcome.first, 0.5):.2f} s, "
        f"p95 {percentile(outcome.first, 0.95):.2f} s",
        f"lateness of a piece: p50 {percentile(late, 0.5) * 1000:.1f} ms, "
        f"p99 {percentile(late, 0.99) * 1000:.1f} ms",
        f"database connections: most open {max(sum(s.values()) for s in seen)}, "
        f"most in use {max(in_use)}, in use at the median sample {percentile(in_use, 0.5)}",
    ]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
