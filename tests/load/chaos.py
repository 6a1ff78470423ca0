"""The bad day: what breaks around the service, and what its callers notice. `make chaos` prints the table.

    python -m tests.load.chaos [postgres] [redis] [provider] [crash] [leaving]

It starts the real topology (PostgreSQL, Redis with deploy/sentinel.conf, a provider over HTTP, the server)
and takes some nine minutes in all, a quarter of an hour at most. Every line says what was measured and, at
its end, whether that is what docs/operations.md promises; the exit status is 1 when it is not.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests import servers
from tests.fake_claude import Script
from tests.load.installation import BURST, LIMIT, Installation, installation
from tests.load.service import QUESTIONS, listening
from tests.load.traffic import Answer, percentile
from tests.sentinel import NAME, Topology

OUTAGE_SECONDS = 10.0
LONGEST_SECONDS = 900  # of the whole run

broken: list[str] = []


# --- The table ------------------------------------------------------------------------------------


def line(what: str, figures: dict[str, Any], *, kept: bool) -> None:
    """Print one line of the table."""
    shown = ", ".join(f"{name} {value}" for name, value in figures.items())
    print(f"| {what} | {shown} | {'kept' if kept else '**BROKEN**'} |", flush=True)
    if not kept:
        broken.append(what)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


# --- PostgreSQL -----------------------------------------------------------------------------------


def postgres(found: Installation) -> None:
    def kill() -> None:
        found.postgres.stop()
        time.sleep(OUTAGE_SECONDS)
        found.postgres.start()

    def freeze() -> None:
        found.postgres.freeze()
        time.sleep(OUTAGE_SECONDS)
        found.postgres.thaw()

    def restart() -> None:
        found.postgres.stop()
        found.postgres.start()

    for what, break_it in (("killed 10 s", kill), ("frozen 10 s", freeze), ("restarted", restart)):
        with found.traffic() as traffic:
            time.sleep(5)
            began = time.monotonic()
            break_it()
            ended = time.monotonic()
            time.sleep(8)
        during = traffic.between(began, ended)
        after = traffic.between(ended + 1, ended + 60)
        time.sleep(1)
        wait_for(lambda: found.open_rows() == 0, 120)
        failures = [a for a in during if a.status not in {200, 503}]
        slow = max((a.seconds for a in during if a.status == 503), default=0.0)
        lost_after = [a for a in after if a.status != 200]
        line(
            f"PostgreSQL {what}",
            {
                "calls": len(during),
                "503": sum(a.status == 503 for a in during),
                "other failures": kinds(failures),
                "slowest 503": milliseconds(slow),
                "failed after the first second": kinds(lost_after),
                "of": len(after),
                "open rows": found.open_rows(),
            },
            kept=not failures and slow <= 1.0 and not lost_after and found.open_rows() == 0,
        )


# --- Redis ----------------------------------------------------------------------------------------


def redis(found: Installation) -> None:
    topology = found.topology

    def primary_killed() -> None:
        topology.kill(topology.primary_port())
        time.sleep(12)

    def primary_frozen() -> None:
        port = topology.primary_port()
        os.kill(topology.processes[port].pid, signal.SIGSTOP)
        time.sleep(12)
        os.kill(topology.processes[port].pid, signal.SIGCONT)

    def two_sentinels_and_primary() -> None:
        for port in topology.sentinel_ports[:2]:
            topology.kill(port)
        topology.kill(port_of_primary(topology))
        time.sleep(12)

    def all_gone() -> None:
        for port in [*topology.redis_ports, *topology.sentinel_ports]:
            topology.kill(port)
        time.sleep(30)

    cases = (
        ("primary killed", primary_killed),
        ("primary frozen", primary_frozen),
        ("two sentinels and the primary killed", two_sentinels_and_primary),
        ("all gone 30 s", all_gone),
    )
    for what, break_it in cases:
        redis_case(found, what, break_it)
        for port in [*topology.redis_ports, *topology.sentinel_ports]:
            if topology.processes[port].poll() is not None:
                topology.start_one(port)
        wait_for(lambda: redis_is_up(found), 60)
        time.sleep(3)
    single(found)


def port_of_primary(topology: Topology) -> int:
    with topology.sentinel(topology.sentinel_ports[2]) as client:
        return int(client.sentinel_get_master_addr_by_name(NAME)[1])


def redis_is_up(found: Installation) -> bool:
    report = httpx2.get(f"{found.url}/health", timeout=5).json()
    return bool(report["dependencies"]["redis"]["status"] == "ok")


def single(found: Installation) -> None:
    """One plain Redis without Sentinel, killed for twelve seconds."""
    found.stop()
    with ExitStack() as cleanups:
        url = servers.start_redis(found.home / f"redis-{time.monotonic_ns()}", cleanups.callback)
        found.start(REDIS_SENTINEL_HOSTS="", REDIS_URL=url)
        found.warm_up()

        def kill() -> None:
            cleanups.close()
            time.sleep(12)

        redis_case(found, "one plain Redis killed", kill)
    found.stop()
    found.start()


def redis_case(found: Installation, what: str, break_it: Callable[[], None]) -> None:
    with found.traffic() as traffic:
        time.sleep(6)
        began = time.monotonic()
        break_it()
        ended = time.monotonic()
        time.sleep(6)
    calm = traffic.between(0, began)
    during = traffic.between(began, ended)
    later = [a for a in during if a.at > began + 1]
    failed = [a for a in [*during, *traffic.between(ended, ended + 60)] if a.status != 200]
    added = p99(later) - p99(calm)
    probes = max((a.seconds for a in traffic.probes if a.at > began), default=0.0)
    admitted, allowed = traffic.insisting(LIMIT, BURST)
    line(
        f"Redis: {what}",
        {
            "calls": len(during),
            "failed": kinds(failed),
            "p99 before": milliseconds(p99(calm)),
            "added at p99 after the first second": milliseconds(added),
            "slowest /health, /metrics": milliseconds(probes),
            "admitted of the limit": f"{admitted / allowed:.2f}",
        },
        kept=not failed and added <= 0.05 and probes <= 1.0 and admitted <= 1.5 * allowed,
    )


# --- The provider ---------------------------------------------------------------------------------


def provider(found: Installation) -> None:
    found.stop()
    found.start(BREAKER_SECONDS="30", ANTHROPIC_RETRIES="0")
    found.warm_up()
    time.sleep(3)  # until the breaker has forgotten what came at once (QUIET_SECONDS)
    cases: tuple[tuple[str, Script | None], ...] = (
        ("529", Script(status=529, error_type="overloaded_error")),
        ("connections refused", None),
        ("connections reset", Script(reset=True)),
        ("silent", Script(hang=True)),
        ("slow to begin", Script(delay=20)),
    )
    for what, script in cases:
        found.claude._scripts.clear()
        before = len(found.claude.requests)
        if script is None:
            found.claude.refuse()
        else:
            found.claude.then(*[script] * 1000)
        first = found.traffic(per_second=0).at_once(20, found)
        with found.client() as client:
            again = [chat(client) for _ in range(100)]
        leaving = len(found.claude.requests) - before
        found.claude._scripts.clear()
        if script is None:
            found.claude.accept()
        well = time.monotonic()
        with found.client() as client:
            wait_for(lambda: chat(client).llm_used != "offline", 90, every=1.0)
        back = time.monotonic() - well
        offline = percentile([a.seconds for a in again], 0.95)
        line(
            f"provider: {what}, 20 callers at once, then well again",
            {
                "left for the provider": leaving,
                "first offline answers within": milliseconds(max(a.seconds for a in first)),
                "p95 once open": milliseconds(offline),
                "back after": f"{back:.0f} s",
                "failed": kinds([a for a in [*first, *again] if a.status != 200]),
            },
            kept=leaving <= 5
            and all(a.status == 200 for a in [*first, *again])
            and max(a.seconds for a in first) <= 10
            and offline <= 0.05
            and back <= 35,
        )
    found.stop()
    found.start()


def chat(client: httpx2.Client) -> Answer:
    started = time.monotonic()
    body = {"session_id": f"chaos-{time.monotonic_ns()}", "message": QUESTIONS[1]}
    response = client.post("/api/chat/message", json=body)
    used = response.json().get("llm_used", "") if response.status_code == 200 else ""
    return Answer(started, response.status_code, time.monotonic() - started, used)


# --- The ledger -----------------------------------------------------------------------------------


def crash(found: Installation) -> None:
    """kill -9 with 40 streams under way, three times in a row."""
    found.claude.say("palabra " * 100)
    found.claude.pause = 0.05
    for attempt in (1, 2, 3):
        billed = found.claude.billed_usd
        spent = found.spent_usd()
        with found.client(key=attempt, timeout=60) as client, listening(found.claude, client, 40):
            os.kill(found.process.pid, signal.SIGKILL)
            found.process.wait()
        wait_for(lambda: found.claude.open_streams == 0, 30)
        found.start()
        wait_for(lambda: found.open_rows() == 0, 60)
        bill = found.claude.billed_usd - billed
        spent = found.spent_usd() - spent
        found.claude.pause, pause = 0.0, found.claude.pause
        with found.client(key=attempt) as client:
            answer = client.post("/api/chat/message", json={"message": QUESTIONS[0]})
        found.claude.pause = pause
        works = answer.status_code == 200 and answer.json()["llm_used"] != "offline"
        line(
            f"kill -9 with 40 streams, {attempt} of 3",
            {
                "open rows": found.open_rows(),
                "swept ÷ bill": f"{spent / bill:.2f}",
                "the key": "works" if works else "is blocked",
            },
            kept=works and 1 <= spent / bill <= 1.5,
        )
    found.claude.pause = 0.0


def leaving(found: Installation) -> None:
    """600 mixed calls with clients leaving, in a process of its own: the ledger beside the bill."""
    output = subprocess.run(
        [sys.executable, "-m", "tests.load.mixed_calls"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=LONGEST_SECONDS,
    ).stdout
    figures = {}
    for text in output.splitlines()[1:]:
        name, _, value = text.strip().partition("  ")
        figures[name] = value.strip()
    kinds_of_rows = ("left", "left early", "cut", "silent")
    *_, over, below = figures["all that left"].split(", ")
    line(
        "600 mixed calls with clients leaving",
        {name: figures[name] for name in (*kinds_of_rows, "all that left", "unsettled")},
        kept=below == "0 below"
        and float(over.rstrip("%")) <= 5
        and figures["cut"].endswith(" 0 below")
        and figures["unsettled"] == "0",
    )


def kinds(answers: list[Answer]) -> str:
    """Return how many answers there are of each status."""
    counts: dict[int, int] = {}
    for answer in answers:
        counts[answer.status] = counts.get(answer.status, 0) + 1
    return " ".join(f"{count}×{status}" for status, count in sorted(counts.items())) or "0"


def p99(answers: list[Answer]) -> float:
    return percentile([answer.seconds for answer in answers], 0.99) if answers else 0.0


def wait_for(happened: Callable[[], bool], seconds: float, every: float = 0.1) -> None:
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(every)


PARTS = {f.__name__: f for f in (postgres, redis, provider, crash, leaving)}


def main() -> None:
    asked = sys.argv[1:] or list(PARTS)
    home = Path(tempfile.mkdtemp(prefix="aiservice-chaos-", dir=servers.TEMPORARY))
    home.chmod(0o755)
    try:
        with limited(), installation(home) as found:
            found.warm_up()
            print("| what | figures | promise |\n|---|---|---|", flush=True)
            for name in asked:
                PARTS[name](found)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    if broken:
        sys.exit(f"Not kept: {', '.join(broken)}")


@contextmanager
def limited() -> Iterator[None]:
    """End the block when the time of a whole run is over."""

    def over(signum: int, frame: object) -> None:
        raise TimeoutError(f"more than {LONGEST_SECONDS} s")

    signal.signal(signal.SIGALRM, over)
    signal.alarm(LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    main()
