"""A real Prometheus with the shipped rules, hurried, beside a service that loses what it depends on."""

import os
import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from tests import prometheus, servers
from tests.fake_claude import FakeClaude
from tests.integration.conftest import services
from tests.postgres import Postgres

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(not prometheus.INSTALLED, reason="prometheus is not installed"),
]

FACTOR = 30  # a minute of the shipped rules passes in two seconds
PATIENCE_SECONDS = 120


@dataclass
class Watched:
    """A service with a PostgreSQL, a Redis and a provider of its own, and a Prometheus that watches it."""

    home: Path
    postgres: Postgres
    redis: str
    redis_port: int
    claude: FakeClaude
    client: httpx2.Client
    eyes: prometheus.Prometheus

    def wait(self, alert: str, *, fires: bool = True) -> float:
        """Wait until an alert fires, or no longer does; return how long that took."""
        started = time.monotonic()
        while (alert in self.eyes.firing()) is not fires:
            assert time.monotonic() < started + PATIENCE_SECONDS, self.eyes.firing()
            time.sleep(0.2)
        return time.monotonic() - started

    def ask(self, session: str = "vigilada") -> httpx2.Response:
        body = {"session_id": session, "message": "¿Cuánto duran los folios de un CAF?"}
        return self.client.post("/api/chat/message", json=body)

    def budgets(self, **limits: str) -> None:
        """Set the day's limits, as an operator does in the admin; they count within two seconds."""
        code = "\n".join(
            ["from usage.models import Budget, ApiKey"]
            + [
                f"Budget.objects.update_or_create(api_key={key}, period='day', "
                f"defaults={{'limit_usd': __import__('decimal').Decimal('{usd}')}})"
                for name, usd in limits.items()
                for key in ["ApiKey.objects.get()" if name == "key" else "None"]
            ]
        )
        env = os.environ | {"DATABASE_URL": self.postgres.url}
        servers.manage(env, shlex.join(["shell", "--command", code]))
        time.sleep(2.1)


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    home = Path(tempfile.mkdtemp(dir=servers.TEMPORARY))
    home.chmod(0o755)  # PostgreSQL runs as another user
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        postgres = Postgres(home / "postgres")
        stack.callback(postgres.stop)
        cleanups: list[Callable[[], object]] = []
        stack.callback(lambda: [cleanup() for cleanup in cleanups])
        redis = servers.start_redis(home / "redis", cleanups.append)
        env = os.environ | {"DATABASE_URL": postgres.url}
        told = servers.manage(env, "migrate --verbosity 0", "create_api_key vigilada")
        secret = told.splitlines()[-1]
        claude = FakeClaude()
        stack.callback(claude.stop)
        start = stack.enter_context(services(home))
        service = start(
            DATABASE_URL=postgres.url,
            REDIS_URL=redis,
            RATE_LIMIT_PER_MINUTE="0",
            ANTHROPIC_BASE_URL=claude.url,
            ANTHROPIC_API_KEY="sk-ant-test",
        )
        headers = {"Authorization": f"Bearer {secret}"}
        client = stack.enter_context(
            httpx2.Client(base_url=service.url, headers=headers, timeout=30)
        )
        target = service.url.removeprefix("http://")
        eyes = stack.enter_context(prometheus.watching(home, target, factor=FACTOR))
        port = int(redis.rpartition(":")[2].partition("/")[0])
        yield Watched(home, postgres, redis, port, claude, client, eyes)


def test_redis_goes_away_and_comes_back(watched):
    assert watched.eyes.firing() <= {"Watchdog", "KnowledgeEmpty"}
    with ExitStack() as stack:
        pid = _listener(watched.redis_port)
        os.kill(pid, signal.SIGSTOP)
        stack.callback(os.kill, pid, signal.SIGCONT)
        watched.wait("RedisDown")
        assert watched.ask().status_code == 200
    watched.wait("RedisDown", fires=False)


def test_total_failure_with_the_database(watched):
    """PostgreSQL is killed: both alerts come, the one of errors within three minutes of the shipped rules."""
    watched.ask()
    watched.postgres.stop()
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        going = True

        def fail() -> None:
            while going:
                watched.client.get("/api/usage")
                time.sleep(0.05)

        failing = pool.submit(fail)
        try:
            watched.wait("HighErrorRate")
            assert (
                time.monotonic() - started < 180 / FACTOR + 4
            )  # and what a start of the clock costs
            watched.wait("DatabaseDown")
        finally:
            going = False
            failing.result()
            watched.postgres.start()
    watched.wait("DatabaseDown", fires=False)
    watched.wait("HighErrorRate", fires=False)


def test_budget_is_nearly_spent_before_the_first_refusal(watched):
    """Calls that hold a third of a budget: the alert is there while every call is still answered."""
    assert watched.ask().json()["llm_used"] == "anthropic"
    # Both calls of a pair fit, and what they cost is a small part of what they hold.
    watched.budgets(key="0.12")
    asked = 0
    while "BudgetNearlySpent" not in watched.eyes.firing():
        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(watched.ask, [f"s{asked}-{n}" for n in range(2)]))
        asked += 1
        assert {answer.json()["llm_used"] for answer in answers} == {"anthropic"}, asked
        assert asked < 100
    refusals = watched.eyes.value("sum(aiservice_budget_refusals_total)")
    assert refusals == 0
    watched.budgets(key="100")
    watched.wait("BudgetNearlySpent", fires=False)


@pytest.mark.load
def test_daily_cost_is_exceeded(watched):
    """Nine tenths of a limit are spent. Half a minute for the upkeep to look at the books, three times."""
    watched.budgets(key="1000", **{"global": "1000"})
    assert watched.ask("gasto").json()["llm_used"] == "anthropic"
    spent = 'aiservice_budget_spent_usd{period="day"}'
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := watched.eyes.value(spent)):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    watched.wait("DailyCostExceeded", fires=False)
    watched.budgets(**{"global": f"{found / 0.95:.8f}"})
    watched.wait("DailyCostExceeded")
    watched.budgets(**{"global": "1000"})
    watched.wait("DailyCostExceeded", fires=False)


def _listener(port: int) -> int:
    """Return the process that listens on a port of 127.0.0.1 (proc(5), net/tcp)."""
    inode = next(
        fields[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        for fields in [line.split()]
        if fields[1] == f"0100007F:{port:04X}" and fields[3] == "0A"
    )
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(descriptor) == f"socket:[{inode}]":
                return int(descriptor.parts[2])
        except OSError:
            continue
    raise LookupError(port)
