"""A Redis as shipped that has used up its memory: it evicts nothing, and answers go on without it."""

import contextlib
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from tests import servers
from tests.sentinel import DEPLOY, HOST, ONCE, PASSWORDS

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PIECE = 3_000_000


class Full:
    """One Redis, started as deployed but with little memory, and somebody who fills it."""

    def __init__(self, home: Path) -> None:
        self.port = servers.free_port()
        self.home = home
        for directory in ("secrets", "data", "bin"):
            (home / directory).mkdir()
        for name, password in PASSWORDS.items():
            (home / "secrets" / name).write_text(password)
        (home / "bin" / "redis-server").symlink_to(servers.redis_binary())
        self.process = servers.start(
            ["sh", str(DEPLOY / "redis-start.sh"), "primary"],
            log=home / "redis.log",
            env={
                "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
                "DATA": str(home / "data"),
                "SECRETS": str(home / "secrets"),
                "MAXMEMORY": "8mb",
                "BIND": HOST,
                "ADDRESS": HOST,
                "PORT": str(self.port),
            },
        )
        servers.wait_until(lambda: servers.listens(self.port), self.process)
        password = PASSWORDS["redis_password"]
        self.url = f"redis://aiservice:{password}@{HOST}:{self.port}/0"
        self.client = redis.Redis.from_url(self.url, retry=ONCE)

    def fill(self) -> int:
        """Write until nothing is taken any more; the last piece reaches far beyond the limit."""
        count = 0
        with contextlib.suppress(redis.OutOfMemoryError):
            while True:
                self.client.setrange(f"filler-{count}", PIECE, "x")  # zeros before it
                count += 1
        return count

    def evicted(self) -> int:
        password = PASSWORDS["redis_exporter_password"]
        with redis.Redis(HOST, self.port, username="exporter", password=password) as client:
            return int(client.info("stats")["evicted_keys"])

    def clear(self, count: int) -> None:
        self.client.delete(*(f"filler-{number}" for number in range(count)))


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Full]:
    found = Full(tmp_path)
    yield found
    found.client.close()
    servers.stop(found.process, signal.SIGKILL)


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def figure(told: str, name: str, **labels: str) -> float:
    return sum(
        sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


@contextlib.contextmanager
def exporter(full: Full) -> Iterator[Callable[[], str]]:
    """Yield what asks Redis' exporter, which logs in as deployed."""
    port = servers.free_port()
    process = servers.start(
        ["prometheus-redis-exporter", "-web.listen-address", f"{HOST}:{port}"],
        log=full.home / "exporter.log",
        env={
            "REDIS_ADDR": "",
            "REDIS_USER": "exporter",
            "REDIS_PASSWORD": PASSWORDS["redis_exporter_password"],
        },
    )
    url = f"http://{HOST}:{port}/scrape?target={HOST}:{full.port}"
    try:
        servers.wait_until(lambda: servers.listens(port), process)
        yield lambda: httpx2.get(url).text
    finally:
        servers.stop(process, signal.SIGKILL)


def test_answers_and_limits_go_on_and_nothing_is_evicted(
    full, start_service, fake_claude, api_key, transactional_db
):
    service = start_service(
        REDIS_URL=full.url,
        ANTHROPIC_BASE_URL=fake_claude.url,
        ANTHROPIC_API_KEY="sk-ant-test",
        RATE_LIMIT_READS="1/10",
        RATE_LIMIT_CHAT="6000/100",
    )
    headers = {"Authorization": f"Bearer {api_key[1]}"}
    question = "¿Cuánto duran los folios de un CAF?"

    def metrics() -> str:
        return httpx2.get(f"{service.url}/metrics").text

    with httpx2.Client(base_url=service.url, headers=headers, timeout=30) as client:

        def reads(count: int) -> Counter[int]:
            return Counter(client.get("/api/usage").status_code for _ in range(count))

        def answered(session: str) -> str:
            body = {"session_id": session, "message": question}
            with client.stream("POST", "/api/chat/message/stream", json=body) as answer:
                assert answer.status_code == 200
                lines = [line for line in answer.iter_lines() if line.startswith("data:")]
            assert '"done"' in lines[-1]
            body["session_id"] += "-whole"
            whole = client.post("/api/chat/message", json=body)
            assert whole.status_code == 200
            return str(whole.json()["llm_used"])

        assert reads(12) == {200: 10, 429: 2}
        assert answered("before") == "anthropic"
        assert list(full.client.scan_iter("rl:reads:*"))

        count = full.fill()
        for number in range(3):
            assert answered(f"full-{number}") == "anthropic"
        assert reads(10)[200] <= 2  # who had used up his reads gets those of the minutes since
        assert figure(metrics(), "aiservice_rate_limit_fallback_total") > 0
        until(lambda: figure(metrics(), "aiservice_dependency_up", dependency="redis") == 0)
        health = client.get("/health").json()
        assert health["status"] == "degraded"
        assert health["dependencies"]["redis"]["error"] == "OutOfMemoryError"
        assert list(full.client.scan_iter("rl:reads:*"))
        assert full.evicted() == 0
        assert client.get("/ready").status_code == 200
        if shutil.which("prometheus-redis-exporter"):
            with exporter(full) as scrape:  # what RedisMemoryFull waits five minutes for
                told = scrape()
            used = figure(told, "redis_memory_used_bytes")
            assert used / figure(told, "redis_memory_max_bytes") > 0.9

        full.clear(count)
        until(lambda: figure(metrics(), "aiservice_dependency_up", dependency="redis") == 1)
        before = figure(metrics(), "aiservice_rate_limit_fallback_total")
        assert answered("after") == "anthropic"
        assert figure(metrics(), "aiservice_rate_limit_fallback_total") == before
