"""GCRA: how far ahead of a steady rate each caller is, on Redis for all processes and in memory.

GCRA keeps one number per bucket, the theoretical arrival time of the next request; it has neither a
fixed window's double burst nor a counter to reset. Each process also remembers what Redis last said of
its callers. While Redis is away it goes on from there, with its share of the rate; afterwards it tells
Redis what it has admitted meanwhile. So neither a failover nor a Redis that comes back empty hands
anybody a second burst.
"""

import heapq
import threading
import time
import uuid
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django_redis import get_redis_connection

# The clock is Redis' own, so that processes with different clocks share one limit. Microseconds.
# KEYS[1] bucket; ARGV[1] interval between requests, ARGV[2] burst tolerance, ARGV[3] how far ahead the
# caller is at least. Returns the microseconds to wait, 0 when admitted, and how far ahead it is now.
_GCRA: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local known = tonumber(redis.call('GET', KEYS[1]) or now)
local tat = math.max(known, now + ARGV[3])
local new = tat + ARGV[1]
local wait = math.ceil(math.max(0, new - ARGV[2] - now))
if wait > 0 then new = tat end
if new > known then
  redis.call('SET', KEYS[1], string.format('%.0f', new), 'PX', math.ceil((new - now) / 1000) + 1)
end
return {wait, math.ceil(new - now)}
"""
# KEYS[1] the processes that share the limits, by when they were last seen; ARGV[1] this one's name,
# ARGV[2] how long they count, in seconds. Returns how many there are.
_PRESENT: Final = """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
"""
PRESENCE: Final = "rl:processes"
PRESENCE_SECONDS: Final = 60
ANNOUNCE_SECONDS: Final = 10.0
CAPACITY: Final = 10_000  # buckets in memory, some 2 MB


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


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one request.

    Attributes:
        wait: Microseconds until it would be admitted; 0: it is.
        lead: Microseconds by which the caller is ahead of the steady rate now.
    """

    wait: int
    lead: int

    def remaining(self, rate: Rate) -> int:
        """Return how many more requests may come at once."""
        return max(0, (rate.tolerance - self.lead) // rate.interval)


class Memory:
    """What this process knows of its callers; of too many, those furthest ahead.

    Args:
        capacity: The most buckets kept.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        # Each with the outage after which Redis last spoke of it.
        self._arrivals: dict[str, tuple[int, int]] = {}
        self._outages = 0

    def __len__(self) -> int:
        return len(self._arrivals)

    def lead(self, key: str) -> int:
        """Return how far ahead a caller is at least, in microseconds."""
        arrival, _ = self._arrivals.get(key, (0, 0))
        return max(0, arrival - _now())

    def untold(self, key: str) -> int:
        """Return the lead that Redis may not know of: it was away since it last spoke of the bucket."""
        arrival, outages = self._arrivals.get(key, (0, self._outages))
        return 0 if outages == self._outages else max(0, arrival - _now())

    def heard(self, key: str, lead: int, at: int) -> None:
        """Note what Redis said of a bucket when it was asked ``at`` that time."""
        with self._lock:
            self._put(key, at + lead, self._outages)

    def take(self, key: str, rate: Rate, shares: int) -> Verdict:
        """Judge one request here, by this process's share of the rate, for Redis is away."""
        now, interval = _now(), rate.interval * shares
        with self._lock:
            self._outages += 1
            arrival = max(self._arrivals.get(key, (0, 0))[0], now)
            wait = arrival + interval - max(rate.tolerance, interval) - now
            if wait > 0:
                return Verdict(wait, arrival - now)
            self._put(key, arrival + interval, -1)
            return Verdict(0, arrival + interval - now)

    def judge(self, key: str, rate: Rate) -> Verdict:
        """Judge one request here, where there is no Redis at all."""
        return self.take(key, rate, 1)

    def _put(self, key: str, arrival: int, outages: int) -> None:
        self._arrivals[key] = (arrival, outages)
        if len(self._arrivals) <= self._capacity:
            return
        now = _now()
        busy = {key: found for key, found in self._arrivals.items() if found[0] > now}
        if len(busy) > self._capacity * 3 // 4:  # who is nearest to a full bucket loses least by it
            busy = dict(heapq.nlargest(self._capacity // 2, busy.items(), lambda item: item[1][0]))
        self._arrivals = busy


class Shared:
    """The buckets on Redis, with what this process remembers of them."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.processes = int(settings.PROCESSES)
        self._name = uuid.uuid4().hex
        self._announced = 0.0

    def take(self, key: str, rate: Rate) -> Verdict:
        """Judge one request.

        Raises:
            redis.exceptions.RedisError: Redis is away.
        """
        client: Any = get_redis_connection("default")
        asked_at = _now()
        # The Script object sends EVALSHA, and loads the script by itself where a server lacks it.
        wait, lead = client.register_script(_GCRA)(
            keys=[key], args=[rate.interval, rate.tolerance, self.memory.untold(key)]
        )
        self.memory.heard(key, lead, asked_at)
        if time.monotonic() - self._announced > ANNOUNCE_SECONDS:
            self._announced = time.monotonic()
            count = client.register_script(_PRESENT)(
                keys=[PRESENCE], args=[self._name, PRESENCE_SECONDS]
            )
            self.processes = max(1, int(count))
        return Verdict(wait, lead)

    def take_share(self, key: str, rate: Rate) -> Verdict:
        """Judge one request while Redis is away, as if every process got as many."""
        return self.memory.take(key, rate, self.processes)


def _now() -> int:
    return time.monotonic_ns() // 1000
