"""The service behind its proxy, as deployed: streams, limits, whose address is believed, restarts."""

import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import httpx2
import pytest

from tests import servers
from tests.documents import document
from tests.fake_claude import FakeClaude
from tests.integration.conftest import GRACE_SECONDS, RunningService, StartService
from tests.proxy import CADDYFILE, INSTALLED, Proxy, proxying

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not INSTALLED, reason="caddy is not installed"),
]


SHIPPED_DELAY = re.findall(
    r"STOP_DELAY_SECONDS:-(\d+)", (CADDYFILE.parents[1] / "docker-compose.yml").read_text()
)[0]


class Stack:
    """Two replicas behind the proxy."""

    def __init__(
        self, start: StartService, proxy: Proxy, ports: list[int], variables: dict[str, str]
    ) -> None:
        self._start, self._variables, self.proxy = start, variables, proxy
        self.ports = ports
        self.replicas: list[RunningService] = [self.start(port) for port in ports]

    def start(self, port: int) -> RunningService:
        return self._start(port=port, **self._variables)

    def recreate(self, number: int) -> None:
        """Do what Compose does: end a replica, start another in its place, wait until it is ready."""
        assert servers.stop(self.replicas[number].process, signal.SIGTERM, GRACE_SECONDS) == 0
        self.replicas[number] = self.start(self.ports[number])
        until(lambda: httpx2.get(f"{self.replicas[number].url}/ready").status_code == 200)


@pytest.fixture(scope="module")
def claude() -> Iterator[FakeClaude]:
    server = FakeClaude()
    yield server
    server.stop()


@pytest.fixture
def fake_claude(claude: FakeClaude) -> Iterator[FakeClaude]:
    """The local Claude, in no hurry after a test that was."""
    yield claude
    claude.pause = 0.0


@pytest.fixture(scope="module")
def stack(
    claude: FakeClaude, module_services: StartService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    ports = [servers.free_port() for _ in range(2)]
    variables = {
        "ANTHROPIC_BASE_URL": claude.url,
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "RATE_LIMIT_PER_MINUTE": "0",
        "TRUSTED_PROXIES": "1",
        "BUDGET_KEY_DAY_USD": "",
        "BUDGET_GLOBAL_DAY_USD": "",
        "STOP_DELAY_SECONDS": SHIPPED_DELAY,
    }
    upstreams = [f"127.0.0.1:{port}" for port in ports]
    with proxying(tmp_path_factory.mktemp("proxy"), upstreams) as proxy:
        yield Stack(module_services, proxy, ports, variables)


@pytest.fixture
def client(stack: Stack, api_key) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {api_key[1]}"}
    with httpx2.Client(
        base_url=stack.proxy.url, headers=headers, verify=stack.proxy.trust, timeout=60
    ) as client:
        wait_until_served(client)
        yield client


def wait_until_served(client: httpx2.Client) -> None:
    until(lambda: client.get("/ready").status_code == 200)


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def ask(client: httpx2.Client, session: str) -> list[float]:
    """Have one answer streamed; return when each piece came. It must come to its end."""
    body = {"session_id": session, "message": "¿Cuánto duran los folios de un CAF?"}
    times, last = [], ""
    with client.stream("POST", "/api/chat/message/stream", json=body) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            if line.startswith("data:"):
                times.append(time.monotonic())
                last = line
    assert '"done"' in last, last
    return times


def test_pieces_come_as_they_are_sent(client, fake_claude):
    fake_claude.say("palabra " * 40)
    fake_claude.pause = 0.05
    times = ask(client, "piezas")
    gaps = sorted(after - before for before, after in itertools.pairwise(times))
    assert len(gaps) > 10
    assert gaps[len(gaps) // 2] > 0.02  # not gathered up and sent at once


def test_what_the_proxy_keeps_out(client):
    assert client.get("/metrics").status_code == 404
    large = client.post("/api/dte/validate", content=b"x" * 42_000_001)
    assert large.status_code == 413
    assert large.json()["code"] == "request_too_large"
    assert client.get("/live", headers={"X-Long": "a" * 40_000}).status_code == 431
    answer = client.get("/live")
    assert answer.status_code == 200
    assert "Caddy" not in answer.headers.get("server", "")


def test_the_address_that_a_client_claims_is_not_believed(stack, client):
    client.get("/api/usage", headers={"X-Forwarded-For": "198.51.100.7"})
    log = "".join(replica.log.read_text() for replica in stack.replicas)
    assert "198.51.100.7" not in log


class Traffic:
    """Twenty readers of streams and fifty calls a second, until told to stop; each one must succeed.

    Attributes:
        failed: What went wrong.
        done: How many of each kind went well.
    """

    STREAMS = 20
    CALLERS = 25
    PERIOD_SECONDS = 0.5

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client
        self._stop = threading.Event()
        self.failed: list[str] = []
        self.done: Counter[str] = Counter()
        body = document(33)
        call = {"messages": [{"role": "user", "content": "¿Qué es un CAF?"}], "max_tokens": 300}
        search = {"query": "folios de un CAF"}
        self._calls = {
            "GET usage": lambda: client.get("/api/usage"),
            "POST validate": lambda: client.post("/api/dte/validate?ai=never", json=body),
            "GET search": lambda: client.get("/api/chat/knowledge/search", params=search),
            "POST estimate": lambda: client.post("/api/usage/estimate", json=call),
        }
        jobs = [self._stream] * self.STREAMS + [self._call] * self.CALLERS
        self._threads = [
            threading.Thread(target=self._repeat, args=(job, number))
            for number, job in enumerate(jobs)
        ]

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _repeat(self, job: Callable[[str], str], number: int) -> None:
        for turn in itertools.count():
            if self._stop.is_set():
                return
            try:
                self.done[job(f"{number}-{turn}")] += 1
            except (AssertionError, httpx2.HTTPError) as exc:
                self.failed.append(f"{type(exc).__name__}: {exc}")

    def _stream(self, name: str) -> str:
        ask(self._client, name)
        return "streams"

    def _call(self, name: str) -> str:
        due = time.monotonic() + self.PERIOD_SECONDS
        kinds = list(self._calls)
        kind = kinds[sum(map(int, name.split("-"))) % len(kinds)]
        answer = self._calls[kind]()
        assert answer.status_code == 200, f"{kind}: {answer.status_code} {answer.text}"
        self._stop.wait(due - time.monotonic())
        return kind


def test_replicas_restart_one_after_the_other_and_no_call_fails(
    stack, client, fake_claude, tmp_path
):
    """deploy/rolling_restart.sh, with processes for containers."""
    fake_claude.say("palabra " * 12)
    fake_claude.pause = 0.25
    (tmp_path / "topology").write_text('{"ports": {}}')
    (tmp_path / "docker").write_text(
        f'#!/bin/sh\nexec {sys.executable} {servers.__file__.replace("servers", "fake_compose")} "$@"\n'
    )
    (tmp_path / "docker").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TOPOLOGY": str(tmp_path / "topology")}
    before = [replica.process.pid for replica in stack.replicas]
    with Traffic(client) as traffic:
        until(lambda: traffic.done["streams"] >= Traffic.STREAMS)
        with subprocess.Popen(
            ["sh", CADDYFILE.parents[1] / "rolling_restart.sh"], env=env
        ) as running:
            while running.poll() is None:
                if (request := tmp_path / "recreate").exists():
                    stack.recreate(["service-a", "service-b"].index(request.read_text()))
                    request.unlink()
                time.sleep(0.05)
        enough = traffic.done["streams"] + Traffic.STREAMS
        until(lambda: traffic.done["streams"] >= enough or bool(traffic.failed))
    print(dict(traffic.done))
    assert running.returncode == 0
    assert not set(before) & {replica.process.pid for replica in stack.replicas}
    assert not traffic.failed, Counter(traffic.failed)
    assert len(traffic.done) == 5
