"""Redis Sentinel as deployed: the service's cache and rate limit through a failover."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx2
import pytest
import redis
from django.core.cache import cache
from django_redis import get_redis_connection
from prometheus_client import REGISTRY
from redis.exceptions import NoPermissionError

from aiservice import settings as service_settings
from tests import prometheus, servers
from tests.sentinel import DEPLOY, HOST, NAME, ONCE, PASSWORDS, Topology
from usage.access import limits
from usage.access.limits import limiter
from usage.errors import RequestRateExceeded
from usage.models import ApiKey

pytestmark = [pytest.mark.integration, pytest.mark.slow]

SOON = 1.0
OUTAGE_SECONDS = 30  # how long a test waits; measured: about three


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    topology = Topology(tmp_path_factory.mktemp("sentinel"))
    try:
        topology.start()
        yield topology
    finally:
        topology.stop()


@pytest.fixture
def topology(running, monkeypatch, settings):
    """The topology, with the cache that the settings module builds for it."""
    hosts = [(HOST, port) for port in running.sentinel_ports]
    monkeypatch.setattr(service_settings, "REDIS_SENTINEL_HOSTS", hosts)
    monkeypatch.setattr(service_settings, "REDIS_MASTER_NAME", NAME)
    monkeypatch.setattr(service_settings, "REDIS_USERNAME", "aiservice")
    monkeypatch.setattr(service_settings, "REDIS_PASSWORD", PASSWORDS["redis_password"])
    sentinel_password = PASSWORDS["redis_sentinel_password"]
    monkeypatch.setattr(service_settings, "REDIS_SENTINEL_PASSWORD", sentinel_password)
    settings.CACHES = {"default": service_settings.cache()}
    return running


def retry_until_redis_answers() -> int:
    """Write until a write succeeds; return how many failed before it."""
    failures = 0
    deadline = time.monotonic() + OUTAGE_SECONDS
    while time.monotonic() < deadline:
        try:
            cache.set("probe", failures)
        except redis.RedisError:
            failures += 1
        else:
            return failures
    raise AssertionError(f"no primary after {OUTAGE_SECONDS} s, {failures} writes failed")


def test_service_password_opens_no_administration(topology):
    client = get_redis_connection("default")
    with pytest.raises(NoPermissionError):
        client.config_get("requirepass")


@pytest.mark.parametrize("kind", ["redis_ports", "sentinel_ports"])
def test_nothing_answers_without_a_password(topology, kind):
    for port in getattr(topology, kind):
        with (
            redis.Redis(HOST, port, retry=ONCE) as client,
            pytest.raises((redis.AuthenticationError, NoPermissionError)),
        ):
            client.ping()


def admitted(key: ApiKey, attempts: int) -> int:
    """Count how many of so many requests the rate limit lets through."""
    count = 0
    for _ in range(attempts):
        with suppress(RequestRateExceeded):
            limits.check(key, "192.0.2.1")
            count += 1
    return count


def fallbacks() -> float:
    return REGISTRY.get_sample_value("aiservice_rate_limit_fallback_total") or 0


def test_failover_and_return_of_the_lost_node(topology, settings):
    """The cache recovers, the rate limit holds throughout, the lost node comes back as a replica."""
    settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_BURST = 1, 10
    caller, other, third = (ApiKey(pk=n, digest=str(n) * 64) for n in (1, 2, 3))
    assert admitted(caller, 12) == 10
    limiter.buckets.processes = 5
    cache.set("before", "written to the old primary")
    lost = topology.primary_port()
    topology.kill(lost)
    before = fallbacks()
    assert admitted(other, 12) == 2  # this process's share, from its own memory
    assert fallbacks() == before + 12
    assert retry_until_redis_answers() > 0
    before = fallbacks()
    assert admitted(other, 12) == 0  # Redis again, which is told what was admitted meanwhile
    assert admitted(third, 12) == 10
    assert fallbacks() == before
    cache.set("after", "written to the new primary")
    assert cache.get("after") == "written to the new primary"

    topology.start_one(lost)
    servers.wait_until(lambda: topology.follows_another(lost), topology.processes[lost])
    assert topology.primary_port() != lost


def test_all_of_it_gone_costs_no_call_and_is_said(
    topology, start_service, api_key, transactional_db
):
    """And back: six processes are started again, and nobody has to start the service."""
    service = start_service(
        REDIS_SENTINEL_HOSTS=",".join(f"{HOST}:{port}" for port in topology.sentinel_ports),
        REDIS_MASTER_NAME=NAME,
        REDIS_USERNAME="aiservice",
        REDIS_PASSWORD=PASSWORDS["redis_password"],
        REDIS_SENTINEL_PASSWORD=PASSWORDS["redis_sentinel_password"],
        RATE_LIMIT_PER_MINUTE="0",
    )
    headers = {"Authorization": f"Bearer {api_key[1]}"}

    def is_up() -> bool:
        metrics = httpx2.get(f"{service.url}/metrics").text
        return 'aiservice_dependency_up{dependency="redis"} 1.0' in metrics

    def burst() -> float:
        """Return how long the slowest of thirty calls took, none of which may fail."""
        with httpx2.Client(base_url=service.url, headers=headers, timeout=20) as client:

            def call(_: int) -> float:
                began = time.monotonic()
                assert client.get("/api/chat/knowledge/search?query=CAF").status_code == 200
                return time.monotonic() - began

            with ThreadPoolExecutor(10) as pool:
                return max(pool.map(call, range(30)))

    servers.wait_until(is_up, service.process)
    burst()
    for port in [*topology.redis_ports, *topology.sentinel_ports]:
        topology.kill(port)
    burst()  # the first ones find out
    assert burst() < SOON
    for probe in ("/health", "/metrics"):
        began = time.monotonic()
        response = httpx2.get(f"{service.url}{probe}", timeout=20)
        assert (response.status_code, time.monotonic() - began < SOON) == (200, True), probe
    # What the alert RedisDown waits a minute for.
    assert 'aiservice_dependency_up{dependency="redis"} 0.0' in response.text
    for port in [*topology.redis_ports, *topology.sentinel_ports]:
        topology.start_one(port)
    servers.wait_until(is_up, service.process)
    burst()


def test_backup_of_redis_is_taken_from_the_primary_and_restored_on_one(topology, tmp_path):
    cache.set("kept", "before the loss", timeout=600)
    backups, data = tmp_path / "backups", tmp_path / "data"
    backups.mkdir()
    data.mkdir()
    env = {
        "PATH": os.environ["PATH"],
        "BACKUPS": str(backups),
        "SECRETS": str(topology.root / "secrets"),
        # The first one is nobody.
        "SENTINELS": " ".join(f"{HOST}:{port}" for port in [1, *topology.sentinel_ports]),
        "DATA": str(data),
    }
    scripts = DEPLOY / "backup"
    subprocess.run(["bash", scripts / "backup.sh", "redis", "today"], env=env, check=True)
    assert [path.name for path in backups.iterdir()] == ["redis-today.rdb"]
    subprocess.run(
        ["bash", scripts / "restore.sh", backups / "redis-today.rdb"], env=env, check=True
    )
    port = servers.free_port()
    process = servers.start(
        ["sh", str(DEPLOY / "redis-start.sh"), "primary"],
        log=tmp_path / "redis.log",
        env=env | {"BIND": HOST, "ADDRESS": HOST, "PORT": str(port)},
    )
    try:
        servers.wait_until(lambda: servers.listens(port), process)
        password = PASSWORDS["redis_password"]
        with redis.Redis(HOST, port, username="aiservice", password=password) as client:
            assert client.exists(cache.make_key("kept"))
        assert not (data / "restore.rdb").exists()
    finally:
        servers.stop(process, signal.SIGKILL)


def exporter(topology: Topology, user: str, password: str) -> tuple[int, subprocess.Popen[bytes]]:
    port = servers.free_port()
    process = servers.start(
        ["prometheus-redis-exporter", "-web.listen-address", f"{HOST}:{port}"],
        log=topology.root / f"exporter-{user}.log",
        env={"REDIS_ADDR": "", "REDIS_USER": user, "REDIS_PASSWORD": PASSWORDS[password]},
    )
    servers.wait_until(lambda: servers.listens(port), process)
    return port, process


@pytest.mark.skipif(not shutil.which("prometheus-redis-exporter"), reason="not installed")
def test_exporters_tell_what_alerts_and_the_dashboard_ask_of_redis(topology):
    told = ""
    for user, password, target in (
        ("exporter", "redis_exporter_password", topology.redis_ports[0]),
        ("", "redis_sentinel_password", topology.sentinel_ports[0]),
    ):
        port, process = exporter(topology, user, password)
        url = f"http://{HOST}:{port}/scrape?target={HOST}:{target}"
        try:
            answer = httpx2.get(url).text
        finally:
            servers.stop(process, signal.SIGKILL)
        assert "\nredis_up 1\n" in answer
        assert 'redis_exporter_last_scrape_error{err=""} 0' in answer
        told += answer
    assert "redis_sentinel_master_ok_sentinels{" in told
    names = set(re.findall(r"^(redis_\w+)[ {]", told, re.MULTILINE))
    assert {name for name in prometheus.asked_for() if name.startswith("redis_")} <= names


@pytest.mark.skipif(not shutil.which("redis-cli"), reason="redis-cli is not installed")
def test_the_script_for_people_loses_the_primary_and_tells_what_happens(topology, tmp_path):
    names = ["redis-primary", "redis-replica-1", "redis-replica-2"]
    names += [f"redis-sentinel-{number}" for number in (1, 2, 3)]
    ports = dict(zip(names, topology.redis_ports + topology.sentinel_ports, strict=True))
    facts = {
        "ports": ports,
        "pids": {port: process.pid for port, process in topology.processes.items()},
        "secrets": str(topology.root / "secrets"),
    }
    (tmp_path / "topology").write_text(json.dumps(facts))
    (tmp_path / "docker").write_text(
        f'#!/bin/sh\nexec {sys.executable} {DEPLOY.parent}/tests/fake_compose.py "$@"\n'
    )
    (tmp_path / "docker").chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TOPOLOGY": str(tmp_path / "topology")}
    running = subprocess.Popen(
        ["sh", DEPLOY / "test_redis_failover.sh"], env=env, stdout=subprocess.PIPE, text=True
    )
    lost = topology.primary_port()
    while running.poll() is None:
        if (request := tmp_path / "start").exists():
            topology.kill(lost)
            topology.start_one(int(request.read_text()))
            request.unlink()
        time.sleep(0.05)
    assert running.stdout
    told = running.stdout.read()
    running.stdout.close()
    assert running.returncode == 0, told
    assert "agree on another primary" in told
    assert told.splitlines()[-1].split("  ")[-1].startswith("passed:")
    print(told)
