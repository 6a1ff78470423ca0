"""A statement as its database takes it at the least cost: with PostgreSQL prepared once on each connection.

psycopg's cursors write the values into the text of a statement, which is new each time, and Django's
wrap them in one more: a tenth of a millisecond of processor time and more. To have libpq run a prepared
statement takes two hundredths. The connection waits as for any other statement
(`aiservice.database.pool.WatchedConnection`), and errors are Django's.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import Any, Final, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import Connection, errors, generators
from psycopg.abc import Buffer
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

Row = tuple[Any, ...]
T = TypeVar("T")

_PLACE: Final = re.compile("%s")
# "Cached plan must not change result type", and a statement that the connection does not know.
_OUTDATED: Final = (errors.FeatureNotSupported, errors.InvalidSqlStatementName)
_numbers: Final = count(1)
_prepared: Final[WeakKeyDictionary[Connection[Any], set[bytes]]] = WeakKeyDictionary()


class Answer(NamedTuple):
    """What came of a statement.

    Attributes:
        rows: What it returned.
        number: How many rows it returned or changed.
    """

    rows: list[Row]
    number: int


class Statement:
    """A statement that is run again and again; make it once.

    Args:
        text: With a ``%s`` for each value.
    """

    def __init__(self, text: str) -> None:
        if "%%" in text:
            raise ValueError("a percent sign that is none of the places")
        places = count(1)
        self.text = text
        self.numbered = _PLACE.sub(lambda _: f"${next(places)}", text).encode()
        self.name = b"kept_%d" % next(_numbers)

    def run(self, connection: BaseDatabaseWrapper, values: Sequence[Any]) -> Answer:
        """Run it with such values, as the fields of models prepare them for the database."""
        if not is_direct(connection):
            with connection.cursor() as cursor:
                cursor.execute(self.text, values)
                return Answer(cursor.fetchall() if cursor.description else [], cursor.rowcount)
        libpq = _libpq(connection)
        with connection.wrap_database_errors, libpq.lock:
            _begin(libpq)
            return _as_it_is_now(libpq, partial(_run, libpq, self, values))


def run_together(
    connection: BaseDatabaseWrapper, statements: Sequence[tuple[Statement, Sequence[Any]]]
) -> None:
    """Run statements of PostgreSQL's in one round trip, all of them or none; what they return is lost."""
    libpq = _libpq(connection)
    with connection.wrap_database_errors, libpq.lock:
        _begin(libpq)
        _as_it_is_now(libpq, partial(_run_together, libpq, statements))


def is_direct(connection: BaseDatabaseWrapper) -> bool:
    """Whether a connection takes prepared statements, and nobody wants to be shown them."""
    watched = connection.queries_logged or connection.execute_wrappers
    return connection.vendor == "postgresql" and not watched


def _libpq(connection: BaseDatabaseWrapper) -> Connection[Any]:
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    found: Connection[Any] = connection.connection
    return found


def _as_it_is_now(libpq: Connection[Any], exchange: Callable[[], T]) -> T:
    """Do what takes prepared statements; again, where a migration has changed a column of theirs meanwhile.

    Inside a transaction that is over now, it is the next one that goes well.
    """
    try:
        return exchange()
    except _OUTDATED:
        del _prepared[libpq]
        if libpq.pgconn.transaction_status != TransactionStatus.IDLE:
            raise
        return exchange()


def _run(libpq: Connection[Any], statement: Statement, values: Sequence[Any]) -> Answer:
    _prepare(libpq, statement)
    transformer = Transformer(libpq)
    libpq.pgconn.send_query_prepared(statement.name, _dumped(transformer, values))
    (result,) = _checked(libpq.wait(generators.execute(libpq.pgconn)))
    transformer.set_pgresult(result)
    rows = transformer.load_rows(0, result.ntuples, tuple) if result.nfields else []
    return Answer(rows, result.command_tuples or 0)


def _run_together(
    libpq: Connection[Any], statements: Sequence[tuple[Statement, Sequence[Any]]]
) -> None:
    for statement, _ in statements:
        _prepare(libpq, statement)
    dumped = [_dumped(Transformer(libpq), values) for _, values in statements]
    came: list[Sequence[PGresult]] = []
    libpq.pgconn.enter_pipeline_mode()
    try:
        for (statement, _), values in zip(statements, dumped, strict=True):
            libpq.pgconn.send_query_prepared(statement.name, values)
        libpq.pgconn.pipeline_sync()
        libpq.wait(generators.send(libpq.pgconn))
        while not came or came[-1][-1].status != ExecStatus.PIPELINE_SYNC:
            came.append(libpq.wait(generators.fetch_many(libpq.pgconn)))
    except BaseException:
        libpq.pgconn.finish()  # of no use, with answers on their way that nobody reads
        raise
    libpq.pgconn.exit_pipeline_mode()
    for results in came:
        _checked(results)


def _begin(libpq: Connection[Any]) -> None:
    """Begin a transaction where one is wanted: psycopg does so with its own first statement."""
    if libpq.autocommit or libpq.pgconn.transaction_status != TransactionStatus.IDLE:
        return
    _command(libpq, b"BEGIN")


def _prepare(libpq: Connection[Any], statement: Statement) -> None:
    known = _prepared.get(libpq)
    if known is None:
        _command(libpq, b"DEALLOCATE ALL")
        known = _prepared[libpq] = set()
    if statement.name not in known:
        libpq.pgconn.send_prepare(statement.name, statement.numbered)
        _checked(libpq.wait(generators.execute(libpq.pgconn)))
        known.add(statement.name)


def _command(libpq: Connection[Any], text: bytes) -> None:
    libpq.pgconn.send_query(text)
    _checked(libpq.wait(generators.execute(libpq.pgconn)))


def _dumped(transformer: Any, values: Sequence[Any]) -> list[Buffer | None]:
    """Return values as texts without a type, which PostgreSQL reads as what each place takes."""
    return list(transformer.dump_sequence(values, [PyFormat.TEXT] * len(values)))


def _checked(results: Sequence[PGresult]) -> Sequence[PGresult]:
    """Return results.

    Raises:
        psycopg.Error: One is an error.
    """
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise errors.error_from_result(result)
    return results
