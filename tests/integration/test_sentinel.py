"""Redis Sentinel as deployed: the service's cache and rate limit through a failover."""

import time
from collections.abc import Iterator

import pytest
import redis
from django.core.cache import cache
from django_redis import get_redis_connection
from redis.exceptions import NoPermissionError

from aiservice import settings as service_settings
from tests import servers
from tests.sentinel import HOST, NAME, ONCE, PASSWORDS, Topology

pytestmark = [pytest.mark.integration, pytest.mark.slow]

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


def test_cache_recovers_when_the_primary_dies_and_the_lost_node_returns_as_a_replica(topology):
    cache.set("before", "written to the old primary")
    lost = topology.primary_port()
    topology.kill(lost)
    assert retry_until_redis_answers() > 0
    cache.set("after", "written to the new primary")
    assert cache.get("after") == "written to the new primary"

    topology.start_one(lost)
    servers.wait_until(lambda: topology.follows_another(lost), topology.processes[lost])
    assert topology.primary_port() != lost
