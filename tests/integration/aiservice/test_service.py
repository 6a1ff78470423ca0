"""The service as it is run: `python -m aiservice.serve`, with its real application."""

import os
import resource
import signal
import socket
import subprocess
import sys

import httpx2
import pytest

from usage.models import UsageRecord

pytestmark = pytest.mark.integration

QUESTION = {"message": "¿Qué es un CAF?"}


@pytest.fixture
def authorization(transactional_db, api_key) -> dict[str, str]:
    return {"Authorization": f"Bearer {api_key[1]}"}


@pytest.fixture
def with_claude(start_service, fake_claude):
    return start_service(ANTHROPIC_BASE_URL=fake_claude.url, ANTHROPIC_API_KEY="sk-ant-test")


def test_sigterm_finishes_an_open_answer_and_settles_it(with_claude, fake_claude, authorization):
    fake_claude.hold()
    with httpx2.stream(
        "POST",
        f"{with_claude.url}/api/chat/message/stream",
        json=QUESTION,
        headers=authorization,
        timeout=20,
    ) as response:
        lines = response.iter_lines()
        with_claude.process.send_signal(signal.SIGTERM)
        fake_claude.release()
        events = [line for line in lines if line]
    assert '"type": "done"' in events[-1].replace('"type":"done"', '"type": "done"')
    assert with_claude.process.wait(20) == 0
    assert [row.outcome for row in UsageRecord.objects.all()] == ["answered"]


def test_log_holds_no_query_string(service, authorization):
    secret = "algo-privado"
    url = f"{service.url}/api/chat/knowledge/search"
    assert httpx2.get(url, params={"query": secret}, headers=authorization).status_code == 200
    assert service.stop() == 0
    assert secret not in service.log.read_text()


def test_as_many_files_may_be_open_as_the_system_allows(start_service):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
    try:
        service = start_service()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(service.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)


def test_busy_port_is_said_in_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "aiservice.serve"],
            env=os.environ | {"PORT": port},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"Cannot listen on 127.0.0.1:{port}: Address already in use. "
        "Set HOST and PORT to a free address, for example PORT=8001."
    ]


def test_production_refuses_to_start_without_configuration():
    bare = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-m", "aiservice.serve"],
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "SECRET_KEY is missing or weak" in done.stderr.splitlines()[-1]
