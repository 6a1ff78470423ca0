"""Redis as ``CACHES`` names it: one that is away is not waited for.

Who finds that Redis does not answer is told so within ``REDIS_SOCKET_TIMEOUT``; until it answers again
everybody else is told at once, with redis-py's own ``ConnectionError``. Only one thread goes on asking.
"""

import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

from django.conf import settings
from django_redis.pool import ConnectionFactory, SentinelConnectionFactory
from redis import Redis
from redis.backoff import NoBackoff
from redis.connection import Connection, ConnectionPool, SSLConnection
from redis.exceptions import (
    ConnectionError,
    MaxConnectionsError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
)
from redis.retry import Retry
from redis.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
)

from aiservice.dependency import Dependency

ONCE: Final = Retry(NoBackoff(), 0)  # redis-py's own default sleeps for seconds in between
SILENCE: Final = (ConnectionError, TimeoutError, OSError)


class RedisServer(Dependency):
    """The primary, asked to write one short-lived key."""

    def __init__(self) -> None:
        super().__init__("redis", self._ask)
        self._client: tuple[str, Redis] | None = None

    @property
    def configured(self) -> bool:
        """Whether there is to be a Redis at all."""
        return bool(settings.REDIS_URL or settings.REDIS_SENTINEL_HOSTS)

    def on_loss(self) -> None:
        """Hang up on what is idle: to a frozen primary, each connection would cost its caller a timeout."""
        for pool in tuple(ConnectionFactory._pools.values()):
            pool.disconnect(inuse_connections=False)

    def _ask(self) -> None:
        meant = repr(settings.CACHES["default"])
        if self._client is None or self._client[0] != meant:
            self._client = meant, client(**settings.CACHES["default"])
        self._client[1].set("health", "ok", px=5000)


REDIS: Final = RedisServer()


def client(*, LOCATION: str, OPTIONS: dict[str, Any], **_: object) -> Redis:  # noqa: N803
    """Return a client for a cache of ``CACHES`` that asks whether or not Redis is away."""
    bounds = {
        "socket_timeout": OPTIONS["SOCKET_TIMEOUT"],
        "socket_connect_timeout": OPTIONS["SOCKET_CONNECT_TIMEOUT"],
        "retry": ONCE,
    }
    if "SENTINELS" not in OPTIONS:
        found: Redis = Redis.from_url(LOCATION, **bounds)
        return found
    primary: Redis = sentinel(OPTIONS).master_for(  # type: ignore[no-untyped-call]
        settings.REDIS_MASTER_NAME,
        db=settings.REDIS_DB,
        username=OPTIONS["USERNAME"],
        password=OPTIONS["PASSWORD"],
        **bounds,
    )
    return primary


def sentinel(options: dict[str, Any]) -> Sentinel:
    """Return a client of the sentinels of a cache's options."""
    return Sentinel(  # type: ignore[no-untyped-call]
        options["SENTINELS"], sentinel_kwargs=options["SENTINEL_KWARGS"] | {"retry": ONCE}
    )


class Watched:
    """What makes a connection tell `REDIS` that it was not answered."""

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        """Read one answer."""
        return self._told(super().read_response, *args, **kwargs)  # type: ignore[misc]

    def send_packed_command(self, *args: Any, **kwargs: Any) -> Any:
        return self._told(super().send_packed_command, *args, **kwargs)  # type: ignore[misc]

    @staticmethod
    def _told(step: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return step(*args, **kwargs)
        except (*SILENCE, ReadOnlyError) as exc:
            REDIS.lose(type(exc).__name__)
            raise


class WatchedConnection(Watched, Connection):
    """To one Redis."""


class WatchedSSLConnection(Watched, SSLConnection):
    """To one Redis, over TLS."""


class WatchedSentinelConnection(Watched, SentinelManagedConnection):
    """To the primary that the sentinels name."""


class Guarded:
    """What makes a pool refuse at once while Redis is known to be away."""

    def get_connection(self, *args: Any, **kwargs: Any) -> Any:
        """Return a connected connection.

        Raises:
            redis.exceptions.ConnectionError: Redis is away.
        """
        if REDIS.away:
            raise ConnectionError("Redis is away")
        try:
            return super().get_connection(*args, **kwargs)  # type: ignore[misc]
        except MaxConnectionsError:
            raise  # Redis is well: this process asks for too much at once
        except SILENCE as exc:
            REDIS.lose(type(exc).__name__)
            raise


class GuardedPool(Guarded, ConnectionPool):
    """For one Redis."""


class GuardedSentinelPool(Guarded, SentinelConnectionPool):
    """For the primary that the sentinels name."""


class SingleFactory(ConnectionFactory):  # type: ignore[misc]
    """Connections to the Redis of ``REDIS_URL``."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        secure = settings.CACHES["default"]["LOCATION"].startswith("rediss:")
        self.pool_cls = GuardedPool
        self.pool_cls_kwargs: dict[str, Any] = {
            **options.get("CONNECTION_POOL_KWARGS", {}),
            "retry": ONCE,
            "connection_class": WatchedSSLConnection if secure else WatchedConnection,
        }


class SharedSentinelFactory(SentinelConnectionFactory):  # type: ignore[misc]
    """One Sentinel client per process.

    Under ASGI Django makes a new cache backend per request, and the stock factory would build a
    Sentinel with a client per sentinel host for each of them, some 4.5 ms of CPU a request.
    """

    _shared: ClassVar[dict[str, dict[str, Any]]] = {}

    def __init__(self, options: dict[str, Any]) -> None:
        state = self._shared.get(repr(options["SENTINELS"]))
        if state is None:
            once = options["SENTINEL_KWARGS"] | {"retry": ONCE}
            super().__init__(options | {"SENTINEL_KWARGS": once})
            self.pool_cls = GuardedSentinelPool
            self.pool_cls_kwargs: dict[str, Any] = {
                **options.get("CONNECTION_POOL_KWARGS", {}),
                "retry": ONCE,
                "connection_class": WatchedSentinelConnection,
            }
            self._shared[repr(options["SENTINELS"])] = self.__dict__
        else:
            self.__dict__.update(state)


def sentinels_view() -> dict[str, object]:
    """Return what the first sentinel that answers sees: primary, replicas and sentinels.

    Two silent ones are waited for at most, for ``REDIS_SOCKET_TIMEOUT`` together.
    """
    last_start = time.monotonic() + settings.REDIS_SOCKET_TIMEOUT / 2 + 0.05
    for one in sentinel(settings.CACHES["default"]["OPTIONS"]).sentinels:
        if time.monotonic() > last_start:
            break
        with one:
            try:
                primary: Any = one.sentinel_master(settings.REDIS_MASTER_NAME)
                replicas: Any = one.sentinel_slaves(settings.REDIS_MASTER_NAME)
            except (RedisError, OSError):
                continue
        return {
            "primary": f"{primary['ip']}:{primary['port']}",
            "primary_flags": primary["flags"],
            "replicas": [
                {
                    "address": f"{replica['ip']}:{replica['port']}",
                    "link": replica["master-link-status"],
                }
                for replica in replicas
            ],
            "sentinels": primary["num-other-sentinels"] + 1,
        }
    return {"primary": None, "replicas": [], "sentinels": 0}
