"""The service behind its proxy, as deployed: streams, limits, and whose address is believed."""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests import servers
from tests.integration.conftest import RunningService, StartService
from tests.proxy import INSTALLED, Proxy, proxying

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(not INSTALLED, reason="caddy is not installed"),
]


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


@pytest.fixture
def stack(start_service, fake_claude, api_key, tmp_path: Path) -> Iterator[Stack]:
    ports = [servers.free_port() for _ in range(2)]
    variables = {
        "ANTHROPIC_BASE_URL": fake_claude.url,
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "RATE_LIMIT_PER_MINUTE": "0",
        "TRUSTED_PROXIES": "1",
        "BUDGET_KEY_DAY_USD": "",
        "BUDGET_GLOBAL_DAY_USD": "",
    }
    upstreams = [f"127.0.0.1:{port}" for port in ports]
    with proxying(tmp_path, upstreams) as proxy:
        yield Stack(start_service, proxy, ports, variables)


@pytest.fixture
def client(stack: Stack, api_key) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {api_key[1]}"}
    with httpx2.Client(
        base_url=stack.proxy.url, headers=headers, verify=stack.proxy.trust, timeout=60
    ) as client:
        wait_until_served(client)
        yield client


def wait_until_served(client: httpx2.Client) -> None:
    deadline = time.monotonic() + 30
    while client.get("/ready").status_code != 200:
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
