"""The figures of docs/performance.md, in one run: the service, the bare stand-in, and LiteLLM if given.

    python -m tests.load.bench [--litellm /path/to/venv] [--requests 200] [--rounds 3] [--quick]

The server under measure has the first core for itself; databases, stand-in and load have the others. Every
figure is the median of the rounds. Prints the table, and writes it to docs/performance.md.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2

from tests.load import bench_report, capacity, dte_http, peer
from tests.load.bench_report import Table
from tests.load.processes import Server
from tests.load.stack import Stack, percentile, running
from tests.load.statements import counted
from tests.load.upstream import Pace

QUESTION = "¿Cuánto duran los folios de un CAF?"
WARM_UP = 30
IDLE_SECONDS = 2
TOGETHER = 16
CRUSH = 200
# Upkeep runs now and then: of few calls its statements would be a tenth.
COUNTED = 200


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    litellm: Path | None
    requests: int
    rounds: int
    streams: int


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--litellm", type=Path, default=os.environ.get("LITELLM") or None)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--quick", action="store_true", help="one short round; writes nothing")
    given = parser.parse_args()
    litellm = Path(given.litellm) if given.litellm else None
    options = Options(litellm, given.requests, given.rounds, given.streams)
    if given.quick:
        options = Options(litellm, 20, 1, 20)
    cores = os.sched_getaffinity(0)
    own = {min(cores)}
    os.sched_setaffinity(0, cores - own or cores)
    started, table = time.monotonic(), Table()
    documents = dte_http.make(dte_http.WARM_UP + options.rounds * options.requests)
    for part in (
        lambda: measure_calls(table, options, own),
        lambda: measure_requests(table, options, own, documents),
        lambda: measure_crowd(table, options, own, cores),
        lambda: measure_capacity(table, options, own, cores),
        lambda: measure_meaning(table, options, own),
        lambda: measure_small(table),
    ):
        part()
        print(f"… {time.monotonic() - started:.0f} s", flush=True)
    print(table.as_markdown())
    if not given.quick:
        bench_report.write(table, options.litellm is not None)


def service_of(stack: Stack) -> Server:
    """Return the service of a stack."""
    path = "/api/chat/message"
    return Server(stack.url, path, stack.process.pid, stack.headers, f"{path}/stream")


def measure_calls(table: Table, options: Options, own: set[int]) -> None:
    """Measure one call after another; the provider answers at once."""
    with ExitStack() as parts:
        stack = parts.enter_context(running(Pace(delay=0)))
        measure_memory(table, "memory_key_postgres", stack)
        home = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        service = service_of(stack)
        service.pin(own)
        upstream = Server(stack.upstream, "/v1/messages", 0)
        targets = {"service": service, "upstream": upstream}
        if options.litellm:
            targets["litellm"] = parts.enter_context(
                peer.running(options.litellm, stack.upstream, home)
            )
            targets["litellm"].pin(own)
        figures: dict[tuple[str, str], list[float]] = {}
        for number in range(options.rounds + 1):  # in turns: all meet the same machine
            for whose, target in targets.items():
                count = options.requests if number else WARM_UP
                for name, value in one_round(target, count).items():
                    if number:
                        figures.setdefault((name, whose), []).append(value)
        median = {key: statistics.median(values) for key, values in figures.items()}
        for (name, whose), value in median.items():
            added = name == "first_text"
            table.put(name, whose, value - median["first_text", "upstream"] if added else value)
        client = client_of(service)
        statements, commits = counted(
            stack.database, lambda: ask(client, service, "cuenta"), COUNTED
        )
        table.put("statements", "service", statements)
        table.put("commits", "service", commits)


def measure_requests(
    table: Table, options: Options, own: set[int], documents: dict[str, list[bytes]]
) -> None:
    """Measure one request after another that no model answers; nothing else is on the core."""
    with running(Pace()) as stack:
        service = service_of(stack)
        service.pin(own)
        with client_of(service) as client:
            table.put("usage_cpu", "service", cpu_of_reads(service, client, options))
        measure_validations(table, options, stack, documents)


def measure_validations(
    table: Table, options: Options, stack: Stack, documents: dict[str, list[bytes]]
) -> None:
    """Measure one validation after another, in rounds of either kind by turns."""
    figures: dict[str, list[float]] = {}
    left = {media: iter(bodies) for media, bodies in documents.items()}
    for number in range(options.rounds + 1):
        for media, bodies in left.items():
            count = options.requests if number else dte_http.WARM_UP
            before = stack.cpu_seconds()
            times = dte_http.measure(stack, media, list(islice(bodies, count)))
            cpu = (stack.cpu_seconds() - before) / len(times) * 1000
            if number:
                kind = media.partition("/")[2]
                figures.setdefault(f"{kind}_p50", []).append(percentile(times, 0.5))
                figures.setdefault(f"{kind}_cpu", []).append(cpu)
    for name, values in figures.items():
        table.put(name, "service", statistics.median(values))


def client_of(server: Server) -> httpx2.Client:
    """Return a client with one connection that is kept."""
    return httpx2.Client(base_url=server.url, headers=server.headers, timeout=60)


def body_of(server: Server, session: str, *, streaming: bool) -> dict[str, Any]:
    """Return a question as the server wants it."""
    if server.stream_path:
        return {"message": QUESTION, "session_id": session}
    return {
        "model": "claude",
        "max_tokens": 400,
        "messages": [{"role": "user", "content": QUESTION}],
        **({"stream": True} if streaming else {}),
    }


def one_round(server: Server, count: int) -> dict[str, float]:
    """Return milliseconds of processor time for a plain call and a stream, and until the first text."""
    found: dict[str, float] = {}
    with client_of(server) as client:
        cpu = server.cpu_seconds() if server.pid else 0.0
        for number in range(count):
            ask(client, server, f"{time.monotonic_ns()}-{number}")
        if server.pid:
            found["plain_cpu"] = (server.cpu_seconds() - cpu) / count * 1000
            cpu = server.cpu_seconds()
        first = [first_text(client, server, f"s{time.monotonic_ns()}") for _ in range(count)]
        if server.pid:
            found["stream_cpu"] = (server.cpu_seconds() - cpu) / count * 1000
        found["first_text"] = statistics.median(first) * 1000
    return found


def ask(client: httpx2.Client, server: Server, session: str) -> None:
    """Ask for a whole answer."""
    answer = client.post(server.path, json=body_of(server, session, streaming=False))
    answer.raise_for_status()
    if answer.json().get("llm_used") == "offline":
        raise RuntimeError("the service answered without the model")


def first_text(client: httpx2.Client, server: Server, session: str) -> float:
    """Stream an answer to its end; return the seconds until its first text."""
    started, first = time.perf_counter(), 0.0
    path = server.stream_path or server.path
    with client.stream("POST", path, json=body_of(server, session, streaming=True)) as answer:
        answer.raise_for_status()
        for part in answer.iter_raw():
            if not first and b"palabra" in part:
                first = time.perf_counter() - started
    if not first:
        raise RuntimeError("a stream without text")
    return first


def cpu_of_reads(server: Server, client: httpx2.Client, options: Options) -> float:
    """Return milliseconds of processor time for ``GET /api/usage``."""

    def read() -> None:
        client.get("/api/usage").raise_for_status()

    return cpu_per_call(server, read, options)


def cpu_per_call(server: Server, call: Callable[[], None], options: Options) -> float:
    """Return the median of the rounds, in milliseconds."""
    for _ in range(WARM_UP):
        call()
    rounds = []
    for _ in range(options.rounds):
        before = server.cpu_seconds()
        for _ in range(options.requests):
            call()
        rounds.append((server.cpu_seconds() - before) / options.requests * 1000)
    return statistics.median(rounds)


def measure_crowd(table: Table, options: Options, own: set[int], cores: set[int]) -> None:
    """Measure many slow streams that begin together: from one process, and from two."""
    pace = Pace(chunks=50, interval=0.1)
    for suffix, processes in (("", 1), ("_two", 2)):
        with ExitStack() as parts:
            stack = parts.enter_context(
                running(pace, PROCESSES=str(processes), DATABASE_POOL_TIMEOUT="60")
            )
            targets = {"service": service_of(stack)}
            if options.litellm and not suffix:
                home = Path(parts.enter_context(tempfile.TemporaryDirectory()))
                targets["litellm"] = parts.enter_context(
                    peer.running(options.litellm, stack.upstream, home)
                )
            for whose, server in targets.items():
                server.pin(own if processes == 1 else cores)
                asyncio.run(crowd(server, 1))
                first, last = asyncio.run(crowd(server, options.streams))
                table.put(f"crowd_p50{suffix}", whose, percentile(first, 0.5))
                table.put(f"crowd_p99{suffix}", whose, percentile(first, 0.99))
                table.put(f"crowd_last{suffix}", whose, last)


def measure_capacity(table: Table, options: Options, own: set[int], cores: set[int]) -> None:
    """Measure what a second process is worth, and what messages that come together wait for.

    One process or two have the same core: on the others the load would be in their way, and it is what a
    message costs beside a second process that is asked.
    """
    found: dict[int, list[float]] = {1: [], 2: []}
    with ExitStack() as parts:
        stacks = {
            processes: parts.enter_context(running(Pace(delay=0), PROCESSES=str(processes)))
            for processes in found
        }
        for number in range(options.rounds + 1):  # in turns: both meet the same machine
            for processes, stack in stacks.items():
                server = service_of(stack)
                server.pin(own)
                burst = capacity.burst(server, stack.database, options.requests, TOGETHER)
                if number:
                    found[processes].append(burst.per_second(processes))
        two = service_of(stacks[2])
        two.pin(cores)
        crush = capacity.burst(two, stacks[2].database, options.requests, CRUSH)
        table.put("lock_wait", "service", crush.waited / crush.messages * 1000)
    one, both = (statistics.median(values) for values in found.values())
    table.put("capacity_one", "service", one)
    table.put("capacity_two", "service", both)
    table.put("capacity_gain", "service", both / one)


async def crowd(server: Server, count: int) -> tuple[list[float], float]:
    """Return how long each of so many streams waited for its first text, and all for the last one's end."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    path = server.stream_path or server.path
    firsts: list[float] = []

    async def follow(client: httpx2.AsyncClient, number: int) -> None:
        body, first = body_of(server, f"crowd-{count}-{number}", streaming=True), 0.0
        async with client.stream("POST", path, json=body) as answer:
            answer.raise_for_status()
            async for part in answer.aiter_raw():
                if not first and b"palabra" in part:
                    first = time.perf_counter() - started
        if not first:
            raise RuntimeError("a stream without text")
        firsts.append(first)

    async with httpx2.AsyncClient(
        base_url=server.url, headers=server.headers, limits=limits, timeout=300
    ) as client:
        started = time.perf_counter()
        await asyncio.gather(*(follow(client, number) for number in range(count)))
        return firsts, time.perf_counter() - started


def measure_meaning(table: Table, options: Options, own: set[int]) -> None:
    """Measure what search by meaning adds to a search, over the shipped evaluation questions."""
    questions = bench_report.evaluation_questions()[: 10 * options.requests]
    cpu = {}
    for semantic in ("off", "on"):
        with running(Pace(), KNOWLEDGE_SEMANTIC=semantic, ANTHROPIC_API_KEY="") as stack:
            if semantic == "off":
                measure_memory(table, "memory_postgres", stack)
            service = service_of(stack)
            service.pin(own)
            with client_of(service) as client:
                path = "/api/chat/knowledge/search"
                for question in questions[:WARM_UP]:
                    client.get(path, params={"query": question}).raise_for_status()
                time.sleep(IDLE_SECONDS)
                before = service.cpu_seconds()
                for question in questions:
                    client.get(path, params={"query": f"{question} "}).raise_for_status()
                cpu[semantic] = (service.cpu_seconds() - before) / len(questions) * 1000
    table.put("meaning_cpu", "service", cpu["on"] - cpu["off"])


def measure_small(table: Table) -> None:
    """Measure the memory of the service as ``make run`` starts it."""
    for key, name in (("", "memory_sqlite"), ("sk-local", "memory_key_sqlite")):
        with running(Pace(), database="sqlite", ANTHROPIC_API_KEY=key) as stack:
            measure_memory(table, name, stack)


def measure_memory(table: Table, name: str, stack: Stack) -> None:
    """Measure the memory of a process that has served nothing yet."""
    time.sleep(IDLE_SECONDS)
    table.put(name, "service", stack.memory_mb())


if __name__ == "__main__":
    main()
