"""Several processes on one port: who serves, who dies, what the numbers say, and how all end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests import servers
from tests.integration.conftest import RunningService, StartService, database_url, is_live
from usage.models import UsageRecord

pytestmark = [pytest.mark.integration, pytest.mark.slow]

USAGE = "/api/usage"


@pytest.fixture
def authorization(transactional_db, api_key) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key[1]}"}


@pytest.fixture(scope="module")
def pair(module_services: StartService) -> RunningService:
    """Two processes, for tests that end none of them."""
    return module_services(PROCESSES="2", RATE_LIMIT_READS="1/50")


def served(url: str, count: int, headers: dict[str, str]) -> list[int]:
    """Make so many calls, each over a connection of its own."""

    def call(_: int) -> int:
        return httpx2.get(f"{url}{USAGE}", headers=headers, timeout=20).status_code

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(call, range(count)))


def counted(url: str) -> float:
    """Return how many calls the metrics know of."""
    found = re.findall(
        r'^django_http_responses_total_by_status_view_method_total\{.*view="usage"\} (\S+)$',
        httpx2.get(f"{url}/metrics").text,
        re.MULTILINE,
    )
    return sum(map(float, found))


def test_metrics_and_limits_are_those_of_all_processes(pair, authorization):
    statuses = served(pair.url, 80, authorization)
    assert statuses.count(200) == 50
    assert statuses.count(429) == 30
    assert {counted(pair.url) for _ in range(6)} == {80}
    metrics = httpx2.get(f"{pair.url}/metrics").text
    assert 'aiservice_dependency_up{dependency="database"} 1.0' in metrics
    assert "pid=" not in metrics


def test_a_socket_of_any_process_is_told_why_it_is_closed(pair, authorization):
    address = pair.url.replace("http", "ws", 1) + "/ws/chat/"
    with connect(address, additional_headers=authorization) as chat:
        chat.send(json.dumps({"message": "a" * 300_000}))
        with pytest.raises(ConnectionClosed):
            chat.recv(timeout=10)

    assert chat.protocol.close_code == 1009
    assert "demasiado grande" in (chat.protocol.close_reason or "")


def has_closed_everything(pid: int) -> bool:
    try:
        return not any(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:  # it is gone
        return True


def test_a_process_that_dies_is_replaced_and_the_others_serve_on(start_service, authorization):
    service = start_service(PROCESSES="2", RATE_LIMIT_PER_MINUTE="0")
    first, second = servers.children(service.process.pid)
    os.kill(first, signal.SIGKILL)
    # Until the kernel has closed its socket, it is handed connections that nobody answers.
    servers.wait_until(lambda: has_closed_everything(first), service.process)
    assert served(service.url, 20, authorization) == [200] * 20
    deadline = time.monotonic() + 30
    while len(servers.children(service.process.pid)) < 2 or first in servers.children(
        service.process.pid
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert second in servers.children(service.process.pid)
    assert "process_died" in service.log.read_text()


def test_a_process_that_dies_while_it_starts_ends_no_other(start_service, authorization):
    service = start_service(PROCESSES="2", RATE_LIMIT_PER_MINUTE="0")
    first, second = servers.children(service.process.pid)
    os.kill(first, signal.SIGKILL)

    def newcomers() -> set[int]:
        return set(servers.children(service.process.pid)) - {first, second}

    servers.wait_until(lambda: bool(newcomers()), service.process)
    (third,) = newcomers()
    os.kill(third, signal.SIGKILL)  # it takes seconds to import what it serves with
    servers.wait_until(lambda: bool(newcomers() - {third}), service.process)
    assert second in servers.children(service.process.pid)
    assert served(service.url, 5, authorization) == [200] * 5


def test_sigterm_drains_all_processes(start_service, fake_claude, authorization):
    service = start_service(
        PROCESSES="2", ANTHROPIC_BASE_URL=fake_claude.url, ANTHROPIC_API_KEY="sk-ant-test"
    )
    fake_claude.hold()

    def ask(number: int) -> str:
        body = {"message": f"¿Qué es un CAF? {number}"}
        return httpx2.post(
            f"{service.url}/api/chat/message/stream", json=body, headers=authorization, timeout=30
        ).text

    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(ask, number) for number in range(6)]
        deadline = time.monotonic() + 20
        while fake_claude.open_streams < 6 and time.monotonic() < deadline:
            time.sleep(0.05)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        fake_claude.release()
        texts = [answer.result().replace(": ", ":") for answer in answers]
    assert all('"type":"done"' in text for text in texts)
    assert service.process.wait(20) == 0
    assert {row.outcome for row in UsageRecord.objects.all()} == {"answered"}


def test_children_end_with_a_parent_that_is_killed(transactional_db, tmp_path):
    port = servers.free_port()
    address = {"DATABASE_URL": database_url(), "PORT": str(port), "PROCESSES": "2"}
    parent = servers.start(
        [sys.executable, "-m", "aiservice.serve"],
        log=tmp_path / "log",
        env=os.environ | address,
    )
    servers.wait_until(lambda: is_live(f"http://127.0.0.1:{port}"), parent)
    children = servers.children(parent.pid)
    assert len(children) == 2
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while servers.listens(port):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_stops_one_at_its_start_stops_all():
    done = subprocess.run(
        [sys.executable, "-m", "aiservice.serve"],
        env=os.environ
        | {"PORT": str(servers.free_port()), "PROCESSES": "2", "ANTHROPIC_MODEL": "claude-nowhere"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert "claude-nowhere" in done.stderr
