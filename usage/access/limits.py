"""Rate limits: by API key, address and class of endpoint; and of addresses that try keys.

The bucket of a key is named by the digest of its secret, so that it is judged before the key is looked
up: whoever is over pays no query, and mostly not even a question to Redis (usage/access/buckets.py).
"""

import hashlib
from collections import OrderedDict
from enum import StrEnum
from typing import Final

import structlog
from asgiref.sync import sync_to_async
from django.conf import settings
from redis.exceptions import MaxConnectionsError, RedisError

from usage import metrics
from usage.access.address import client_ip
from usage.access.buckets import Rate, Shared, Verdict
from usage.errors import RequestRateExceeded
from usage.models import ApiKey

__all__ = ["Caller", "Limited", "acheck", "check", "client_ip", "limiter"]

log = structlog.get_logger(__name__)

# Keys found valid of late, by digest, each with its own rate a minute if it has one: they are let in from
# an address where others try wrong ones.
KNOWN_KEYS: Final = 1000


class Limited(StrEnum):
    """The classes of endpoints; each has a rate and, for each caller, a bucket of its own."""

    CHAT = "chat"
    VALIDATION = "validation"
    BATCH = "batch"
    READS = "reads"
    UNAUTHENTICATED = "unauthenticated"
    LOGINS = "logins"


class Limiter:
    """Everything that this process remembers of its callers."""

    def __init__(self) -> None:
        self.buckets = Shared()
        self.known: OrderedDict[str, int | None] = OrderedDict()

    def forget(self) -> None:
        """Begin anew, as at the start of the process."""
        self.__init__()  # type: ignore[misc]

    def take(self, kind: Limited, key: str, own: int | None = None) -> Verdict:
        """Count one request of a caller.

        Args:
            kind: Of the endpoint.
            key: What names the caller's bucket.
            own: The caller's own rate a minute.

        Raises:
            RequestRateExceeded: It has used up what it may send.
        """
        rate = rate_of(kind, own)
        if rate is None:
            return Verdict(0, 0)
        verdict = self._judge(f"rl:{kind}:{key}", rate)
        metrics.RATE_LIMIT.labels(decision="refused" if verdict.wait else "admitted").inc()
        if verdict.wait:
            raise RequestRateExceeded(verdict.wait / 1_000_000, headers(kind, verdict, own))
        return verdict

    def refuse_known(self, kind: Limited, key: str, own: int | None = None) -> None:
        """Refuse whom this process knows to be over, without asking anybody.

        Raises:
            RequestRateExceeded: It has used up what it may send.
        """
        rate = rate_of(kind, own)
        if rate is None:
            return
        lead = self.buckets.memory.lead(f"rl:{kind}:{key}")
        wait = lead + rate.interval - rate.tolerance
        if lead and wait > 0:
            metrics.RATE_LIMIT.labels(decision="refused").inc()
            raise RequestRateExceeded(wait / 1_000_000, headers(kind, Verdict(wait, lead), own))

    def welcome(self, digest: str, own: int | None = None) -> None:
        """Remember that a key was valid, and its own rate."""
        self.known[digest] = own
        self.known.move_to_end(digest)
        while len(self.known) > KNOWN_KEYS:
            self.known.popitem(last=False)

    def _judge(self, key: str, rate: Rate) -> Verdict:
        if not settings.CACHES["default"]["BACKEND"].startswith("django_redis"):
            return self.buckets.memory.take(key, rate, 1)
        try:
            return self.buckets.take(key, rate)
        except MaxConnectionsError:
            # A ConnectionError by class, but Redis is well: this process asks for too much at once. Its
            # own memory would open a second limit beside the first, so the caller waits instead.
            return Verdict(1_000_000, 0)
        except RedisError as exc:
            metrics.RATE_LIMIT_FALLBACK.inc()
            log.debug("rate_limit_fallback", error=type(exc).__name__)
            return self.buckets.take_share(key, rate)


limiter: Final = Limiter()


def rate_of(kind: Limited, own: int | None = None) -> Rate | None:
    """Return the rate of a class of endpoints; None where there is no limit.

    A key's own rate stands in for the general one and for that of the class. Its burst is as many
    seconds' worth as the general one, so a process that does not know the key yet judges it alike.
    """
    general = Rate(settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_BURST)
    if own is not None:
        share = general.burst / general.per_minute if general.per_minute > 0 else 1 / 3
        general = Rate(own, max(1, round(own * share)))
    if general.per_minute <= 0:
        return None
    given = None if own is not None else settings.RATE_LIMITS[kind]
    if given is not None:
        return Rate(*given) if given[0] > 0 else None
    if kind is Limited.READS:  # milliseconds each, and a page makes several
        return Rate(5 * general.per_minute, 5 * general.burst)
    return general


def headers(kind: Limited, verdict: Verdict, own: int | None = None) -> dict[str, str]:
    """Return what an answer says of its limit (draft-ietf-httpapi-ratelimit-headers-06)."""
    rate = rate_of(kind, own)
    if rate is None:
        return {}
    return {
        "RateLimit-Limit": str(rate.burst),
        "RateLimit-Remaining": str(verdict.remaining(rate)),
        "RateLimit-Reset": str(-(-verdict.lead // 1_000_000)),
        "RateLimit-Policy": f"{rate.per_minute};w=60;burst={rate.burst}",
    }


def digest_of(secret: str) -> str:
    """Return what names the bucket of a secret, and what its key's row holds of it."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()


class Caller:
    """Who sends a request, as far as that is known before its key is looked up.

    Args:
        kind: Of the endpoint.
        secret: What it sent as its key, if anything.
        address: From `client_ip`.
    """

    def __init__(self, kind: Limited, secret: str | None, address: str) -> None:
        self.kind = kind
        self.address = address
        self.digest = digest_of(secret) if secret else ""
        self.bucket = f"{self.digest[:32]}:<{address}>"

    def refuse_known(self) -> None:
        """Refuse at once, from memory, a caller that is over and an address that tries keys.

        Raises:
            RequestRateExceeded: Either.
        """
        limiter.refuse_known(self.kind, self.bucket, self.own)
        if self.digest not in limiter.known:
            limiter.refuse_known(Limited.UNAUTHENTICATED, f"<{self.address}>")

    def take(self) -> dict[str, str]:
        """Count the request, and return the headers that say how many more there may be.

        Raises:
            RequestRateExceeded: There may be none.
        """
        return headers(self.kind, limiter.take(self.kind, self.bucket, self.own), self.own)

    def failed(self) -> None:
        """Count a request without a valid key against its address.

        Raises:
            RequestRateExceeded: The address has tried too many.
        """
        limiter.known.pop(self.digest, None)
        limiter.take(Limited.UNAUTHENTICATED, f"<{self.address}>")

    @property
    def own(self) -> int | None:
        """The key's own rate, as far as this process knows it."""
        return limiter.known.get(self.digest)

    def succeeded(self, api_key: ApiKey) -> None:
        """Remember that the key is valid, and its own rate."""
        limiter.welcome(self.digest, api_key.rate_per_minute)


def check(api_key: ApiKey, ip: str, kind: Limited = Limited.CHAT) -> None:
    """Count one request of a key that was found already, as on a WebSocket.

    Args:
        api_key: The caller's key.
        ip: The caller's address, from `client_ip`.
        kind: Of the endpoint.

    Raises:
        RequestRateExceeded: The key has used up what it may send from this address.
    """
    limiter.take(kind, f"{api_key.digest[:32]}:<{ip}>", api_key.rate_per_minute)


# The limiter touches no database, so it needs no particular thread.
acheck = sync_to_async(check, thread_sensitive=False)
