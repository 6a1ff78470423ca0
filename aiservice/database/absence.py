"""Whether PostgreSQL answers, as one thread of this process asks it over a connection of its own."""

import contextlib
from typing import Final

import psycopg
from django.db import connections
from psycopg.abc import RV, PQGen
from psycopg.rows import TupleRow

from aiservice.dependency import Dependency

# Empty looks at a socket, a tenth of a second each, after which its server counts as silent. Looks and
# not time: a process short of processor time looks late, and then finds the answer waiting.
SILENT_LOOKS: Final = 4
CONNECT_SECONDS: Final = 2  # libpq allows no less


class SilentServer(psycopg.OperationalError):
    """The server holds the connection and says nothing."""


class ProbeConnection(psycopg.Connection[TupleRow]):
    """A connection whose statements are answered within `SILENT_LOOKS`, or it is closed."""

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer, not for ever."""
        return super().wait(self._bounded(gen), interval, timeout)

    def _bounded(self, answer: PQGen[RV]) -> PQGen[RV]:
        try:
            wanted, empty = next(answer), 0
            while empty < SILENT_LOOKS:
                ready = yield wanted
                empty = 0 if ready else empty + 1
                wanted = answer.send(ready)
        except StopIteration as end:
            answered: RV = end.value
            return answered
        self.pgconn.finish()
        raise SilentServer("the server does not answer")


class Database(Dependency):
    """PostgreSQL, as the pool sees it.

    Attributes:
        serving: Whether this process serves requests, none of which may wait for a database that is
            away. A management command may.
    """

    def __init__(self) -> None:
        super().__init__("database", self._ask)
        self.serving = False
        self._connection: ProbeConnection | None = None

    def serve(self) -> None:
        """Begin to bound what requests wait for, and have a connection ready to ask over."""
        if connections["default"].vendor == "postgresql":
            self.serving = True
            self.on_loss()  # what start-up has used is Django's own pool
            self.ask()

    def require(self) -> None:
        """Raise at once while the database is known to be away.

        Raises:
            psycopg.OperationalError: It is.
        """
        if self.away:
            raise psycopg.OperationalError("the database is away")

    def on_loss(self) -> None:
        """Close the pool: its waiters are told, and the next one does not wait for its retries."""
        wrapper = connections["default"]
        pool = wrapper._connection_pools.pop("default", None)  # type: ignore[attr-defined]
        if pool is not None:
            pool.close(timeout=0)

    def _ask(self) -> None:
        try:
            self._select()
        except SilentServer:
            raise
        except psycopg.OperationalError:
            # It has hung up on us, in a restart perhaps that is over by now.
            self._select()
        finally:
            if not self.serving:
                self._hang_up()

    def _select(self) -> None:
        if connections["default"].vendor != "postgresql":  # SQLite, in a file of this machine
            with connections["default"].cursor() as cursor:
                cursor.execute("SELECT 1")
            return
        if self._connection is None or self._connection.closed:
            params = connections["default"].get_connection_params()
            self._connection = ProbeConnection.connect(
                **params | {"autocommit": True, "connect_timeout": CONNECT_SECONDS}
            )
        self._connection.execute("SELECT 1")

    def _hang_up(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None


DATABASE: Final = Database()
