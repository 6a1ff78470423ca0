import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
import redis
from django.test import RequestFactory
from django_redis import get_redis_connection
from model_bakery import baker
from prometheus_client import REGISTRY

from usage.access import buckets, limits
from usage.access.address import client_ip
from usage.access.buckets import Memory, Rate
from usage.access.limits import Limited, limiter
from usage.errors import RequestRateExceeded
from usage.models import ApiKey

pytestmark = pytest.mark.unit

LOCMEM = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
numbers = count(1)


def some_key():
    return baker.prepare(ApiKey, pk=next(numbers), digest=f"{next(numbers):032}" * 2)


@pytest.fixture
def key():
    return some_key()


@pytest.fixture(params=["redis", "memory"])
def store(request, settings):
    """The limit on Redis and in this process's memory: one behaviour."""
    settings.RATE_LIMIT_PER_MINUTE = 1  # refills too slowly to matter during a test
    settings.RATE_LIMIT_BURST = 10
    if request.param == "memory":
        settings.CACHES = LOCMEM


@pytest.fixture
def away(monkeypatch):
    """Redis is away: nobody listens where it was."""

    def nobody_listens(alias):
        # From a pool, as django-redis does: a client made by hand would retry for seconds.
        return redis.Redis(connection_pool=redis.ConnectionPool(port=9))

    def go_away():
        monkeypatch.setattr(buckets, "get_redis_connection", nobody_listens)

    return go_away


def admitted(key, ip="192.0.2.1", kind=Limited.CHAT):
    try:
        limits.check(key, ip, kind)
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


def test_keys_addresses_and_classes_have_their_own_buckets(store, key):
    for _ in range(10):
        assert admitted(key)
    assert not admitted(key)
    assert admitted(key, ip="192.0.2.2")
    assert admitted(some_key())
    assert admitted(key, kind=Limited.BATCH)


def test_each_class_takes_its_own_rate(store, settings):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {
        Limited.BATCH: (1, 3),
        Limited.VALIDATION: (0, 1),
    }
    key = some_key()
    assert sum(admitted(key, kind=Limited.BATCH) for _ in range(20)) == 3
    assert sum(admitted(key, kind=Limited.CHAT) for _ in range(20)) == 10
    assert sum(admitted(key, kind=Limited.READS) for _ in range(80)) == 50
    assert sum(admitted(key, kind=Limited.VALIDATION) for _ in range(80)) == 80  # 0: no limit


def test_the_refusal_says_how_long_to_wait(store, key):
    for _ in range(10):
        limits.check(key, "192.0.2.1")
    with pytest.raises(RequestRateExceeded) as refusal:
        limits.check(key, "192.0.2.1")
    assert 50 < refusal.value.wait <= 60  # at one a minute
    assert refusal.value.headers == {
        "RateLimit-Limit": "10",
        "RateLimit-Remaining": "0",
        "RateLimit-Reset": "600",
        "RateLimit-Policy": "1;w=60;burst=10",
    }


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
    (bucket,) = connection.keys("rl:chat:*")
    assert 0 < connection.pttl(bucket) <= 1_001


def test_script_is_loaded_again_after_redis_forgot_it(key):
    assert admitted(key)
    get_redis_connection("default").script_flush()
    assert admitted(key)


def test_whom_this_process_knows_to_be_over_is_refused_without_asking(settings, key, away):
    settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_BURST = 1, 2
    caller = limits.Caller(Limited.CHAT, "ai_abc_secret", "192.0.2.1")
    caller.refuse_known()
    caller.take()
    caller.refuse_known()
    caller.take()
    before = REGISTRY.get_sample_value("aiservice_rate_limit_fallback_total")
    away()
    with pytest.raises(RequestRateExceeded):
        caller.refuse_known()
    assert REGISTRY.get_sample_value("aiservice_rate_limit_fallback_total") == before


def test_while_redis_is_away_each_process_takes_its_share(settings, key, away):
    settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_BURST = 2, 10
    limiter.buckets.processes = 2
    away()
    before = REGISTRY.get_sample_value("aiservice_rate_limit_fallback_total")
    assert sum(admitted(key) for _ in range(20)) == 5
    assert REGISTRY.get_sample_value("aiservice_rate_limit_fallback_total") == before + 20


def test_the_processes_that_share_a_limit_find_each_other_on_redis(key):
    others = [buckets.Shared() for _ in range(3)]
    for other in others:
        other.take("rl:any", Rate(60, 60))
    assert others[-1].processes == 3


def test_going_away_hands_out_no_second_burst(settings, key, away):
    settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_BURST = 1, 10
    assert sum(admitted(key) for _ in range(8)) == 8
    away()
    assert sum(admitted(key) for _ in range(20)) == 2


def test_a_redis_that_comes_back_empty_hands_out_no_second_burst(settings, key, monkeypatch):
    settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_BURST = 1, 10
    assert sum(admitted(key) for _ in range(8)) == 8
    with monkeypatch.context() as patch:
        pool = redis.ConnectionPool(port=9)
        patch.setattr(
            buckets, "get_redis_connection", lambda alias: redis.Redis(connection_pool=pool)
        )
        assert admitted(key)
    get_redis_connection("default").flushdb()
    assert sum(admitted(key) for _ in range(20)) == 1


def test_a_full_connection_pool_does_not_open_a_second_limit(settings, key, monkeypatch):
    pool = redis.ConnectionPool.from_url(settings.REDIS_URL, max_connections=1)
    taken = pool.get_connection()
    monkeypatch.setattr(
        buckets, "get_redis_connection", lambda alias: redis.Redis(connection_pool=pool)
    )
    with pytest.raises(RequestRateExceeded):
        limits.check(key, "192.0.2.1")
    pool.release(taken)
    assert admitted(key)
    pool.disconnect()


def test_buckets_in_memory_stay_bounded_and_keep_the_busy_ones():
    memory = Memory(capacity=100)
    slow, quick = Rate(1, 1), Rate(60_000_000, 1)
    assert memory.take("busy", slow, 1).wait == 0
    for i in range(500):
        memory.take(f"idle-{i}", quick, 1)
    assert len(memory) <= 100
    assert memory.take("busy", slow, 1).wait > 0


def test_a_flood_of_callers_does_not_make_who_is_over_forgotten():
    memory = Memory(capacity=1000)
    rate = Rate(1, 20)
    while memory.take("victim", rate, 1).wait == 0:
        pass
    for i in range(20_000):
        memory.take(f"other-{i}", rate, 1)
    assert len(memory) <= 1000
    assert memory.take("victim", rate, 1).wait > 0


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
