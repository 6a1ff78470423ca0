"""Rate limit by API key plus client address: GCRA, one atomic round trip on Redis.

GCRA keeps one number per bucket, the theoretical arrival time of the next request; it has neither a
fixed window's double burst nor a counter to reset. Without Redis, and for the seconds of a failover,
the same arithmetic runs in this process.
"""

import ipaddress
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest
from django_redis import get_redis_connection
from redis.exceptions import MaxConnectionsError, RedisError
from rest_framework.request import Request

from usage import metrics
from usage.errors import RequestRateExceeded
from usage.models import ApiKey

log = structlog.get_logger(__name__)

# The clock is Redis' own, so that processes with different clocks share one limit. Microseconds.
# KEYS[1] bucket; ARGV[1] interval between requests, ARGV[2] burst tolerance. Returns 0 when the
# request is admitted, otherwise the microseconds to wait.
_GCRA: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local tat = tonumber(redis.call('GET', KEYS[1]) or now)
if tat < now then tat = now end
local new = tat + ARGV[1]
local wait = new - ARGV[2] - now
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.0f', new), 'PX', math.ceil((new - now) / 1000) + 1)
return 0
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests a minute, of which ``burst`` may come at once."""

    per_minute: int
    burst: int

    @property
    def interval(self) -> int:
        """Microseconds that one request costs."""
        return 60_000_000 // self.per_minute

    @property
    def tolerance(self) -> int:
        """Microseconds by which requests may run ahead of the steady rate."""
        return self.interval * self.burst

    def shared_by(self, processes: int) -> "Rate":
        """Return this process's share, for when the processes cannot see each other."""
        return Rate(max(1, self.per_minute // processes), max(1, self.burst // processes))


class LocalBuckets:
    """GCRA in this process's memory."""

    def __init__(self, capacity: int = 10_000) -> None:
        self._arrival: dict[str, int] = {}
        self._capacity = capacity
        self._lock = threading.Lock()

    def wait(self, key: str, rate: Rate) -> int:
        """Take one request out of the bucket; return 0 or the microseconds to wait."""
        now = time.monotonic_ns() // 1000
        with self._lock:
            new = max(self._arrival.get(key, now), now) + rate.interval
            wait = new - rate.tolerance - now
            if wait > 0:
                return wait
            if len(self._arrival) >= self._capacity:
                self._forget_idle(now)
            self._arrival[key] = new
            return 0

    def _forget_idle(self, now: int) -> None:
        self._arrival = {key: tat for key, tat in self._arrival.items() if tat > now}
        if len(self._arrival) >= self._capacity:  # all busy: memory stays bounded, buckets restart
            self._arrival.clear()


_local = LocalBuckets()


def check(api_key: ApiKey, ip: str) -> None:
    """Count one request.

    Args:
        api_key: The caller's key.
        ip: The caller's address, from `client_ip`.

    Raises:
        RequestRateExceeded: The key has used up what it may send from this address.
    """
    rate = Rate(settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_BURST)
    if rate.per_minute <= 0:  # 0 turns the limit off
        return
    wait = _wait(f"rl:{api_key.pk}:<{ip}>", rate)
    metrics.RATE_LIMIT.labels(decision="refused" if wait else "admitted").inc()
    if wait:
        raise RequestRateExceeded(retry_after=wait / 1_000_000)


# The limiter touches no database, so it needs no particular thread.
acheck = sync_to_async(check, thread_sensitive=False)


def _wait(key: str, rate: Rate) -> int:
    if not settings.CACHES["default"]["BACKEND"].startswith("django_redis"):
        return _local.wait(key, rate)
    try:
        return _redis_wait(key, rate)
    except MaxConnectionsError:
        # A ConnectionError by class, but Redis is well: this process asks for too much at once. The
        # local bucket would open a second limit beside the first, so the caller waits instead.
        return 1_000_000
    except RedisError as exc:
        metrics.RATE_LIMIT_FALLBACK.inc()
        log.warning("rate_limit_fallback", error=type(exc).__name__)
        return _local.wait(key, rate.shared_by(settings.RATE_LIMIT_PROCESSES))


def _redis_wait(key: str, rate: Rate) -> int:
    client = get_redis_connection("default")
    # The Script object sends EVALSHA, and loads the script by itself where a server lacks it.
    script = client.register_script(_GCRA)
    return int(script(keys=[key], args=[rate.interval, rate.tolerance]))


def client_ip(source: HttpRequest | Request | Mapping[str, Any]) -> str:
    """Return the caller's address, counting ``X-Forwarded-For`` from the right.

    Every trusted proxy appends the address it saw, so only the last ``TRUSTED_PROXIES`` entries are
    not the caller's own invention. A request that came through fewer proxies than that is judged by
    its peer. IPv6 addresses are cut to their /64, which is what one subscriber holds.

    Args:
        source: A Django or DRF request, or an ASGI scope.
    """
    peer, forwarded = _addresses(source)
    chain = [*(part.strip() for part in forwarded.split(",") if part.strip()), peer]
    proxies = settings.TRUSTED_PROXIES
    address = chain[-(proxies + 1)] if len(chain) > proxies else peer
    return _canonical(address) or _canonical(peer) or "unknown"


def _addresses(source: HttpRequest | Request | Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(source, Mapping):
        headers = [v.decode("latin-1") for k, v in source["headers"] if k == b"x-forwarded-for"]
        client = source.get("client") or ("", 0)
        return str(client[0]), ",".join(headers)
    meta = source.META
    return str(meta.get("REMOTE_ADDR") or ""), str(meta.get("HTTP_X_FORWARDED_FOR", ""))


def _canonical(address: str) -> str | None:
    if address.startswith("["):  # [2001:db8::1]:443
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:  # 192.0.2.1:443
        address = address.partition(":")[0]
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip.packed, 64), strict=False))
    return str(ip)
