"""PostgreSQL really away: killed, frozen, restarted, exhausted, under calls of every kind."""

import os
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import httpx2
import psycopg
import pytest

from tests import servers
from tests.integration.conftest import RunningService, StartService, services
from tests.postgres import Postgres

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SOON = 1.0  # every absence is said within this many seconds
SEARCH = "/api/chat/knowledge/search?query=CAF"


class Installation:
    """A service of its own PostgreSQL, which tests may break."""

    def __init__(self, postgres: Postgres, start: StartService) -> None:
        self.postgres = postgres
        self.start = start
        env = os.environ | {"DATABASE_URL": postgres.url}
        told = servers.manage(env, "migrate --verbosity 0", "create_api_key prueba")
        self.secret = told.splitlines()[-1]
        self.headers = {"Authorization": f"Bearer {self.secret}"}

    def serve(self, **variables: str) -> RunningService:
        return self.start(DATABASE_URL=self.postgres.url, RATE_LIMIT_PER_MINUTE="0", **variables)


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with ExitStack() as cleanups:
        home = servers.make_home(cleanups.callback)
        postgres = Postgres(home / "postgres")
        cleanups.callback(postgres.stop)
        with services(home) as start:
            yield Installation(postgres, start)


@pytest.fixture
def postgres(installation: Installation) -> Postgres:
    return installation.postgres


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx2.Client]:
    service = installation.serve()
    with httpx2.Client(base_url=service.url, headers=installation.headers, timeout=30) as client:
        burst(client, 12)  # the pool is full
        yield client
    assert service.stop() == 0


def call(client: httpx2.Client, path: str = SEARCH) -> tuple[int, float, httpx2.Response]:
    started = time.monotonic()
    response = client.get(path)
    return response.status_code, time.monotonic() - started, response


def burst(client: httpx2.Client, count: int) -> list[int]:
    with ThreadPoolExecutor(count) as pool:
        return [status for status, _, _ in pool.map(lambda _: call(client), range(count))]


@contextmanager
def killed(postgres: Postgres) -> Iterator[None]:
    postgres.stop()
    yield
    postgres.start()


@contextmanager
def frozen(postgres: Postgres) -> Iterator[None]:
    postgres.freeze()
    yield
    postgres.thaw()


@pytest.mark.parametrize("away", [killed, frozen])
def test_absence_is_said_within_a_second_and_over_at_once(client, postgres, away):
    with away(postgres):
        for _ in range(3):
            with ThreadPoolExecutor(20) as pool:
                answers = list(pool.map(lambda _: call(client), range(20)))
            for status, seconds, response in answers:
                assert status == 503
                assert seconds < SOON
                assert response.json()["code"] == "database_unavailable"
                assert int(response.headers["Retry-After"]) >= 1
        for probe, expected in (
            ("/live", 200),
            ("/ready", 503),
            ("/health", 503),
            ("/metrics", 200),
        ):
            status, seconds, _ = call(client, probe)
            assert (probe, status) == (probe, expected)
            assert seconds < SOON, probe
    deadline = time.monotonic() + SOON
    while call(client, "/ready")[0] != 200:
        assert time.monotonic() < deadline
    assert burst(client, 40) == [200] * 40


def test_restart_while_nobody_asks_costs_no_call(client, postgres):
    with killed(postgres):
        pass
    assert burst(client, 12) == [200] * 12


def test_sigterm_while_frozen_ends_in_time(installation, postgres):
    service = installation.serve()
    with httpx2.Client(base_url=service.url, headers=installation.headers, timeout=30) as client:
        burst(client, 12)
        with frozen(postgres):
            call(client)
            started = time.monotonic()
            assert service.stop() == 0
            assert time.monotonic() - started < 5


def test_exhausted_pool_is_said_within_a_second(installation, postgres):
    service = installation.serve(DATABASE_POOL_MIN="1", DATABASE_POOL_MAX="2")
    dsn = f"host={postgres.data} user=postgres dbname=postgres"
    with (
        httpx2.Client(base_url=service.url, headers=installation.headers, timeout=30) as client,
        psycopg.connect(dsn) as lock,
        ThreadPoolExecutor(10) as pool,
    ):
        assert call(client)[0] == 200
        lock.execute("LOCK TABLE usage_apikey IN ACCESS EXCLUSIVE MODE")
        holders = [pool.submit(call, client) for _ in range(2)]
        time.sleep(0.2)
        for answer in [pool.submit(call, client) for _ in range(5)]:
            status, seconds, response = answer.result()
            assert (status, response.json()["code"]) == (503, "database_unavailable")
            assert seconds < SOON + 0.2
        for probe in ("/ready", "/health", "/metrics"):
            assert call(client, probe)[1] < 2 * SOON  # a busy machine adds to the second they take
        lock.rollback()
        assert [holder.result()[0] for holder in holders] == [200, 200]
        assert call(client)[0] == 200


def test_a_thousand_requests_at_once_are_served_or_refused(client):
    limits = httpx2.Limits(max_connections=1000)
    with (
        httpx2.Client(
            base_url=client.base_url, headers=client.headers, timeout=60, limits=limits
        ) as many,
        ThreadPoolExecutor(200) as pool,
    ):
        statuses = [answer[0] for answer in pool.map(lambda _: call(many), range(1000))]
    assert set(statuses) <= {200, 503}
    assert statuses.count(200) > 500


def test_slow_statement_of_a_database_that_is_well_is_not_cut(client, postgres):
    dsn = f"host={postgres.data} user=postgres dbname=postgres"
    with psycopg.connect(dsn) as lock, ThreadPoolExecutor(1) as pool:
        lock.execute("LOCK TABLE usage_apikey IN ACCESS EXCLUSIVE MODE")
        waiting = pool.submit(call, client)
        time.sleep(2)
        lock.rollback()
        assert waiting.result()[0] == 200


def test_sqlite_is_ready_and_locked_beyond_its_timeout_is_said_too(installation, tmp_path):
    path = tmp_path / "aiservice.sqlite3"
    url = f"sqlite:///{path}?timeout=1"
    env = os.environ | {"DATABASE_URL": url}
    told = servers.manage(env, "migrate --verbosity 0", "create_api_key prueba")
    secret = told.splitlines()[-1]
    service = installation.start(DATABASE_URL=url)
    for probe in ("/ready", "/health"):
        assert httpx2.get(f"{service.url}{probe}").status_code == 200
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    response = httpx2.get(
        f"{service.url}{SEARCH}", headers={"Authorization": f"Bearer {secret}"}, timeout=60
    )
    other.close()
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert int(response.headers["Retry-After"]) >= 1
