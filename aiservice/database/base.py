"""The backend that ``DATABASES`` names."""

from collections.abc import Callable
from typing import Any, ClassVar, Final

import psycopg
from django.db.backends.postgresql import base

from aiservice.database.absence import DATABASE
from aiservice.database.pool import WatchedPool
from usage import direct

ATTEMPTS: Final = (
    3  # a pool that was closed under a request is replaced; more often would be a fault
)


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, whose pool in a server process is one that notices when the database is away.

    What waits to be sent with the next statement (`usage.direct`) goes before whatever is not one of those.
    """

    # Django's own; its type stubs do not know the pool.
    _connection_pools: ClassVar[dict[str, Any]] = base.DatabaseWrapper._connection_pools  # type: ignore[attr-defined]
    _configure_connection: Callable[[Any], bool]

    @property
    def pool(self) -> Any:
        """Return the pool of this process; None where settings name none."""
        pool_options = self.settings_dict["OPTIONS"].get("pool")
        if not DATABASE.serving or not pool_options or self.alias != "default":
            return super().pool
        if self.alias not in self._connection_pools:
            pool = WatchedPool(
                kwargs=self.get_connection_params() | {"autocommit": True},
                configure=self._configure_connection,
                **pool_options,
            )
            self._connection_pools.setdefault(self.alias, pool)
        return self._connection_pools[self.alias]

    def get_connection_params(self) -> dict[str, Any]:
        """Return what psycopg connects with; only a server bounds how long a statement may take."""
        params = super().get_connection_params()
        bounds = params.pop("serving_options", "")
        if DATABASE.serving:
            params["options"] = f"{params.get('options', '')} {bounds}".strip()
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection, from a new pool if the present one is closed meanwhile.

        Raises:
            psycopg.OperationalError: The database is away, or the pool exhausted; within a second.
        """
        for _ in range(ATTEMPTS):
            pool = self.pool
            try:
                return super().get_new_connection(conn_params)
            except psycopg.OperationalError:
                if DATABASE.away or self._connection_pools.get(self.alias) is pool:
                    raise
        raise psycopg.OperationalError("the pool is being replaced")

    def create_cursor(self, name: str | None = None) -> Any:
        """Return a cursor."""
        direct.send_pending(self)
        return super().create_cursor(name)

    def _commit(self) -> None:
        if not direct.commit_pending(self):
            super()._commit()  # type: ignore[misc]

    def _rollback(self) -> None:
        direct.drop_pending(self)
        super()._rollback()  # type: ignore[misc]

    def _close(self) -> None:
        direct.drop_pending(self)
        super()._close()  # type: ignore[misc]
