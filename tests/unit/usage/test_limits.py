import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from django.test import RequestFactory
from django_redis import get_redis_connection
from model_bakery import baker
from prometheus_client import REGISTRY

from usage.access import limits
from usage.access.limits import LocalBuckets, Rate, client_ip
from usage.errors import RequestRateExceeded
from usage.models import ApiKey

pytestmark = pytest.mark.unit

LOCMEM = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


@pytest.fixture
def key():
    return baker.prepare(ApiKey, pk=7)


@pytest.fixture(params=["redis", "memory"])
def store(request, settings):
    """The limit on Redis and in this process's memory: one behaviour."""
    settings.RATE_LIMIT_PER_MINUTE = 1  # refills too slowly to matter during a test
    settings.RATE_LIMIT_BURST = 10
    if request.param == "memory":
        settings.CACHES = LOCMEM
        limits._local = LocalBuckets()


def admitted(key, ip="192.0.2.1"):
    try:
        limits.check(key, ip)
    except RequestRateExceeded:
        return False
    return True


def test_of_100_parallel_requests_exactly_the_burst_is_admitted(store, key):
    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(lambda _: admitted(key), range(100))) == 10


async def test_of_100_parallel_async_requests_exactly_the_burst_is_admitted(store, key):
    results = await asyncio.gather(
        *(limits.acheck(key, "192.0.2.1") for _ in range(100)), return_exceptions=True
    )
    assert results.count(None) == 10
    assert all(isinstance(r, RequestRateExceeded) for r in results if r is not None)


def test_keys_and_addresses_have_their_own_buckets(store, key):
    other = baker.prepare(ApiKey, pk=8)
    for _ in range(10):
        assert admitted(key)
    assert not admitted(key)
    assert admitted(key, ip="192.0.2.2")
    assert admitted(other)


def test_the_refusal_says_how_long_to_wait(store, key):
    for _ in range(10):
        limits.check(key, "192.0.2.1")
    with pytest.raises(RequestRateExceeded) as refusal:
        limits.check(key, "192.0.2.1")
    assert 50 < refusal.value.wait <= 60  # at one a minute


def test_a_rate_of_zero_turns_the_limit_off(settings, key):
    settings.RATE_LIMIT_PER_MINUTE = 0
    assert all(admitted(key) for _ in range(200))


def test_the_bucket_refills_with_time(settings, key):
    settings.RATE_LIMIT_PER_MINUTE = 60_000_000  # one microsecond a request
    settings.RATE_LIMIT_BURST = 1
    assert all(admitted(key) for _ in range(50))


def test_the_bucket_leaves_redis_by_itself(settings, key):
    settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_BURST = 60, 10
    limits.check(key, "192.0.2.1")
    connection = get_redis_connection("default")
    (bucket,) = connection.keys("rl:*")
    assert 0 < connection.pttl(bucket) <= 1_001


def test_script_is_loaded_again_after_redis_forgot_it(key):
    assert admitted(key)
    get_redis_connection("default").script_flush()
    assert admitted(key)


def test_while_redis_is_away_each_process_takes_its_share(settings, key, monkeypatch):
    settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_BURST = 2, 10
    settings.RATE_LIMIT_PROCESSES = 2
    limits._local = LocalBuckets()
    monkeypatch.setattr(limits, "get_redis_connection", lambda alias: nobody_listens())
    before = REGISTRY.get_sample_value("aiservice_rate_limit_fallback_total")
    assert sum(admitted(key) for _ in range(20)) == 5
    assert REGISTRY.get_sample_value("aiservice_rate_limit_fallback_total") == before + 20


def nobody_listens():
    # From a pool, as django-redis does: a client made by hand would retry for seconds.
    return redis.Redis(connection_pool=redis.ConnectionPool(port=9))


def test_a_full_connection_pool_does_not_open_a_second_limit(settings, key, monkeypatch):
    pool = redis.ConnectionPool.from_url(settings.REDIS_URL, max_connections=1)
    taken = pool.get_connection()
    monkeypatch.setattr(
        limits, "get_redis_connection", lambda alias: redis.Redis(connection_pool=pool)
    )
    with pytest.raises(RequestRateExceeded):
        limits.check(key, "192.0.2.1")
    pool.release(taken)
    assert admitted(key)
    pool.disconnect()


def test_local_buckets_stay_bounded_and_keep_the_busy_ones():
    buckets = LocalBuckets(capacity=100)
    slow, quick = Rate(1, 1), Rate(60_000_000, 1)
    assert buckets.wait("busy", slow) == 0
    for i in range(500):
        buckets.wait(f"idle-{i}", quick)
    assert len(buckets._arrival) <= 100
    assert buckets.wait("busy", slow) > 0
    for i in range(500):
        buckets.wait(f"busy-{i}", slow)
    assert len(buckets._arrival) <= 100


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "1.1.1.1", "10.0.0.9"),  # nobody is trusted: the header is ignored
        (1, "1.1.1.1", "1.1.1.1"),
        (1, "6.6.6.6, 1.1.1.1", "1.1.1.1"),  # 6.6.6.6 is the caller's own invention
        (2, "6.6.6.6, 1.1.1.1, 10.0.0.8", "1.1.1.1"),
        (2, "1.1.1.1", "10.0.0.9"),  # fewer proxies than there should be: judged by the peer
        (1, "", "10.0.0.9"),
        (1, "not-an-address", "10.0.0.9"),
        (1, "1.1.1.1:5555", "1.1.1.1"),
        (1, "[2001:db8:1:2:3::4]:443", "2001:db8:1:2::/64"),
        (1, "2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        (1, "::ffff:1.1.1.1", "1.1.1.1"),
    ],
)
def test_client_address_is_counted_from_the_right(settings, proxies, forwarded, expected):
    settings.TRUSTED_PROXIES = proxies
    request = RequestFactory().get(
        "/", REMOTE_ADDR="10.0.0.9", headers={"X-Forwarded-For": forwarded}
    )
    scope = {
        "client": ("10.0.0.9", 1),
        "headers": [(b"x-forwarded-for", part.encode()) for part in forwarded.split(",")],
    }
    assert client_ip(request) == expected
    assert client_ip(scope) == expected


def test_a_socket_without_an_address_still_has_a_bucket():
    assert client_ip({"headers": [], "client": None}) == "unknown"
