"""The pool of a server process: a connection that is alive, or an error within a second."""

import select
import time
from typing import Any, Final

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.rows import TupleRow
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from aiservice.database.absence import DATABASE, SILENT_LOOKS
from aiservice.database.line import Line

# How long nobody in the line gets a connection before all of it gives up: the pool is exhausted.
STANDSTILL_SECONDS: Final = 0.8
# How long the pool may take to open one more connection before the database is asked.
GROWTH_SECONDS: Final = 0.3


class WatchedConnection(psycopg.Connection[TupleRow]):
    """A connection that is given up when its server is found to be away, and only then.

    A statement may take long; what tells a slow one from a frozen server is whether the server answers
    somebody else.
    """

    def wait(self, gen: PQGen[RV], interval: float = 0.1, timeout: float | None = None) -> RV:
        """Wait for an answer while there can be one."""
        try:
            return super().wait(self._watched(gen), interval, timeout)
        except psycopg.OperationalError:
            if self.closed:
                DATABASE.ask()
            raise

    def _watched(self, answer: PQGen[RV]) -> PQGen[RV]:
        try:
            wanted, empty = next(answer), 0
            while not DATABASE.away or not empty:
                ready = yield wanted
                empty = 0 if ready else empty + 1
                if empty and empty % SILENT_LOOKS == 0:
                    DATABASE.ask()
                wanted = answer.send(ready)
        except StopIteration as end:
            answered: RV = end.value
            return answered
        self.pgconn.finish()
        raise psycopg.OperationalError("the database is away")


class WatchedPool(ConnectionPool[WatchedConnection]):
    """psycopg's pool, with a line in front of it and a look at each connection that comes out.

    Args:
        max_size: How many connections there may be.
        timeout: The longest that anybody stands in the line while it moves, in seconds.
        **options: psycopg's.
    """

    def __init__(self, *, max_size: int, timeout: float, **options: Any) -> None:
        super().__init__(
            max_size=max_size, connection_class=WatchedConnection, open=False, **options
        )
        self._longest = timeout
        self._line = Line(max_size)

    def getconn(self, timeout: float | None = None) -> WatchedConnection:
        """Return a connection that is alive.

        Raises:
            psycopg.OperationalError: The database is away, or no connection became free in time.
        """
        DATABASE.require()
        self._line.enter(self._reason_to_quit)
        try:
            return self._alive()
        except BaseException:
            self._line.leave()
            raise

    def putconn(self, conn: WatchedConnection) -> None:
        """Take a connection back."""
        try:
            super().putconn(conn)
        finally:
            self._line.leave()

    def _alive(self) -> WatchedConnection:
        deadline = time.monotonic() + STANDSTILL_SECONDS
        while True:
            try:
                connection = super().getconn(GROWTH_SECONDS)
            except PoolTimeout:
                DATABASE.check(deadline - time.monotonic())
                DATABASE.require()
                if time.monotonic() >= deadline:
                    raise
                continue
            if not is_dead(connection):
                return connection
            # PostgreSQL was restarted: as this connection, so the others.
            super().putconn(connection)
            DATABASE.on_loss()
            raise PoolClosed("the server was restarted")

    def _reason_to_quit(self, waited: float, standstill: float) -> Exception | None:
        if DATABASE.away or self.closed:
            return PoolClosed("the database is away")
        if waited > self._longest or standstill > STANDSTILL_SECONDS:
            return PoolTimeout("no connection became free in time")
        return None


def is_dead(connection: WatchedConnection) -> bool:
    """Tell whether the server has hung up on an idle connection; costs one system call.

    An idle connection has nothing to read. If there is something, it is the end of the stream, or a
    notice: then the server is asked.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if not poll.poll(0):
        return False
    try:
        connection.execute("SELECT 1")
    except psycopg.Error:
        return True
    return False
