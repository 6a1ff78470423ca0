"""The service as a process of its own, for tests that need a real server."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from django.db import connection

from tests import servers, zygote


@dataclass(frozen=True)
class RunningService:
    """A running ``python -m aiservice.serve``."""

    url: str
    process: servers.Process
    log: Path

    def stop(self) -> int:
        """End it as an orchestrator does, and return its exit code."""
        return servers.stop(self.process, signal.SIGTERM, GRACE_SECONDS)


StartService = Callable[..., RunningService]
# What deploy/docker-compose.yml gives a service to end by itself, whatever it is busy with.
GRACE_SECONDS = 50


@pytest.fixture(scope="session", autouse=True)
def zygote_ends() -> Iterator[None]:
    """End what services were forked from, if there were any."""
    yield
    zygote.stop()


@contextmanager
def services(directory: Path) -> Iterator[StartService]:
    """Start services that log into a directory, and end them all."""
    started: list[RunningService] = []

    def start(module: str = "aiservice.serve", port: int = 0, **variables: str) -> RunningService:
        port = port or servers.free_port()
        log = directory / f"service-{len(started)}.log"
        settings = {"DATABASE_URL": database_url(), "HOST": "127.0.0.1", "PORT": str(port)}
        settings["PYTHONFAULTHANDLER"] = "1"  # a hang is rare, and says where it is only once
        process = zygote.start(module, log=log, env=os.environ | settings | variables)
        service = RunningService(f"http://127.0.0.1:{port}", process, log)
        started.append(service)
        try:
            servers.wait_until(lambda: is_live(service.url), process)
        except RuntimeError as exc:
            raise RuntimeError(f"{exc}\n{log.read_text()}") from None
        return service

    yield start
    for service in started:
        service.process.send_signal(signal.SIGTERM)  # to all, for each may take its time
    codes = [servers.wait_for_end(service.process, GRACE_SECONDS) for service in started]
    assert not any(codes), "\n".join(service.log.read_text() for service in started)


@pytest.fixture
def start_service(transactional_db: None, tmp_path: Path) -> Iterator[StartService]:
    """Start the service on the suite's database and Redis; keywords are environment variables.

    ``start_service(ANTHROPIC_BASE_URL=…, ANTHROPIC_API_KEY="test")`` points it at a fake Claude. The
    test and the service share the database: what a test wants the service to see must be committed,
    which is why this fixture needs ``transactional_db``.
    """
    with services(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def module_services(
    django_db_setup: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartService]:
    """Like ``start_service``, for services that all tests of a module use: a start takes seconds.

    Its tests must be transactional themselves, and the service must keep nothing between them.
    """
    with services(tmp_path_factory.mktemp("services")) as start:
        yield start


@pytest.fixture
def service(start_service: StartService) -> RunningService:
    """The service, running without a Claude key: it answers offline."""
    return start_service()


def database_url() -> str:
    """Describe the test database of this run (or of this xdist worker)."""
    settings = connection.settings_dict
    return os.environ["DATABASE_URL"].rpartition("/")[0] + "/" + str(settings["NAME"])


def is_live(url: str) -> bool:
    """Whether a service answers; to knock first costs little, and a client for each question much."""
    if not servers.listens(urlsplit(url).port or 80):
        return False
    try:
        return httpx2.get(f"{url}/live", timeout=1).status_code == 200
    except httpx2.TransportError:
        return False
