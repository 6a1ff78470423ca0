"""A statement as its database takes it at the least cost: with PostgreSQL prepared once on each connection.

psycopg's cursors write the values into the text of a statement, which is new each time, and Django's
wrap them in one more: a tenth of a millisecond of processor time and more. To have libpq run a prepared
statement takes two hundredths, and as much again to wait for its answer. So a statement in a transaction
whose answer nobody needs yet is not sent by itself (`Statement.send`): it goes with the next one, or with
the ``COMMIT``, as ``BEGIN`` goes with the first. The connection waits as for any other statement
(`aiservice.database.pool.WatchedConnection`), and errors are Django's.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from django.db import IntegrityError
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import Connection, abc, errors, generators
from psycopg.adapt import AdaptersMap, PyFormat, Transformer
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.types.datetime import TimestamptzLoader

Row = tuple[Any, ...]

_PLACE: Final = re.compile("%s")
# "Cached plan must not change result type", and a statement that the connection does not know.
_OUTDATED: Final = (errors.FeatureNotSupported, errors.InvalidSqlStatementName)
_numbers: Final = count(1)
_prepared: Final[WeakKeyDictionary[Connection[Any], set[bytes]]] = WeakKeyDictionary()
_adapters: Final[WeakKeyDictionary[Connection[Any], AdaptersMap]] = WeakKeyDictionary()
_unsent: "Final[WeakKeyDictionary[Connection[Any], list[Pending]]]" = WeakKeyDictionary()


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
            return self._run_by_cursor(connection, values)
        return _exchange(connection, Pending(connection, self, values))

    def send(
        self,
        connection: BaseDatabaseWrapper,
        values: Sequence[Any],
        *,
        refusal: type[Exception] | None = None,
        then: Callable[[Answer], None] | None = None,
    ) -> "Pending":
        """Run it with whatever is sent next in this transaction, at the latest with its ``COMMIT``.

        An error is raised then, by who sends that. A cursor that was opened before does not take it along.

        Args:
            connection: Where.
            values: As for `run`.
            refusal: What is raised in place of an error if a constraint forbids it.
            then: Is told what came of it.
        """
        pending = Pending(connection, self, values, refusal, then)
        if not is_direct(connection):
            with pending.explained():
                pending.take(self._run_by_cursor(connection, values))
            pending.let_go()
        elif connection.get_autocommit():
            _exchange(connection, pending)
        else:
            _unsent.setdefault(_libpq(connection), []).append(pending)
        return pending

    def _run_by_cursor(self, connection: BaseDatabaseWrapper, values: Sequence[Any]) -> Answer:
        with connection.cursor() as cursor:
            cursor.execute(self.text, values)
            return Answer(cursor.fetchall() if cursor.description else [], cursor.rowcount)


class Pending:
    """A statement that goes with the next one, or has gone."""

    def __init__(
        self,
        connection: BaseDatabaseWrapper,
        statement: Statement,
        values: Sequence[Any],
        refusal: type[Exception] | None = None,
        then: Callable[[Answer], None] | None = None,
    ) -> None:
        self.statement = statement
        self.values = values
        self._connection = connection
        self._answer: Answer | None = None
        self._refusal = refusal
        self._then = then

    def result(self) -> Answer:
        """Return what came of it; if it was not sent yet, it goes now with all that waits.

        Raises:
            RuntimeError: Its transaction was given up before it went.
        """
        if self._answer is None:
            send_pending(self._connection)
        if self._answer is None:
            raise RuntimeError("the statement was never sent")
        return self._answer

    def take(self, answer: Answer) -> None:
        """Take in what came of it."""
        self._answer = answer
        if self._then is not None:
            self._then(answer)

    def let_go(self) -> None:
        """Keep no value of what was sent: it may be most of a conversation."""
        self.values = ()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raise the refusal in place of an error of a constraint."""
        try:
            yield
        except (errors.IntegrityError, IntegrityError) as exc:
            if self._refusal is None:
                raise
            raise self._refusal from exc


def run_together(
    connection: BaseDatabaseWrapper, statements: Sequence[tuple[Statement, Sequence[Any]]]
) -> None:
    """Run statements of PostgreSQL's in one round trip, all of them or none; what they return is lost."""
    _exchange(connection, *(Pending(connection, *pair) for pair in statements))


def send_pending(connection: BaseDatabaseWrapper) -> None:
    """Send what waits for the next statement: what comes is not one of ours."""
    if connection.connection in _unsent:
        _exchange(connection)


def commit_pending(connection: BaseDatabaseWrapper) -> bool:
    """Commit with what waits for it, in one round trip; False if nothing does."""
    libpq = connection.connection
    if libpq not in _unsent:
        return False
    with connection.wrap_database_errors, libpq.lock:
        _send_all(libpq, _unsent.pop(libpq), then=b"COMMIT")
    return True


def drop_pending(connection: BaseDatabaseWrapper) -> None:
    """Forget what was not sent of a transaction that is given up."""
    if connection.connection in _unsent:
        del _unsent[connection.connection]


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


def _exchange(connection: BaseDatabaseWrapper, *statements: Pending) -> Answer:
    """Send statements after those that wait; return what came of the last."""
    libpq = _libpq(connection)
    with connection.wrap_database_errors, libpq.lock:
        waiting = [*_unsent.pop(libpq, ()), *statements]
        try:
            return _send_all(libpq, waiting)
        except _OUTDATED:
            # A migration has changed a column meanwhile. In a transaction, which is over now, it is the
            # next one that goes well.
            if libpq.pgconn.transaction_status != TransactionStatus.IDLE:
                raise
            return _send_all(libpq, waiting)


def _send_all(libpq: Connection[Any], waiting: Sequence[Pending], then: bytes = b"") -> Answer:
    """Send statements, first a ``BEGIN`` if a transaction is wanted: psycopg does so with its own."""
    for pending in waiting:
        _prepare(libpq, pending.statement)
    begins = not libpq.autocommit and libpq.pgconn.transaction_status == TransactionStatus.IDLE
    try:
        if len(waiting) == 1 and not begins and not then:
            answer = _sent_alone(libpq, *waiting)
        else:
            before = b"BEGIN" if begins else b""
            answer = _sent_in_a_row(libpq, waiting, before=before, after=then)
    except _OUTDATED:
        del _prepared[libpq]
        raise
    for pending in waiting:
        pending.let_go()
    return answer


def _sent_alone(libpq: Connection[Any], pending: Pending) -> Answer:
    transformer = Transformer(_context(libpq))
    libpq.pgconn.send_query_prepared(pending.statement.name, _dumped(transformer, pending.values))
    (result,) = libpq.wait(generators.execute(libpq.pgconn))
    return _take(pending, transformer, result)


def _sent_in_a_row(
    libpq: Connection[Any], waiting: Sequence[Pending], *, before: bytes, after: bytes
) -> Answer:
    pgconn = libpq.pgconn
    context = _context(libpq)
    transformers = [Transformer(context) for _ in waiting]
    dumped = [
        _dumped(*pair) for pair in zip(transformers, (p.values for p in waiting), strict=True)
    ]
    pgconn.enter_pipeline_mode()
    try:
        if before:
            pgconn.send_query_params(before, None)
        for pending, values in zip(waiting, dumped, strict=True):
            pgconn.send_query_prepared(pending.statement.name, values)
        if after:
            pgconn.send_query_params(after, None)
        pgconn.pipeline_sync()
        came = libpq.wait(_answers(pgconn))
    except BaseException:
        pgconn.finish()  # of no use, with answers on their way that nobody reads
        raise
    pgconn.exit_pipeline_mode()
    results = [one for (one,) in came[:-1]]
    if before:
        _checked(results[:1])
        del results[0]
    answer = Answer([], 0)
    for pending, transformer, result in zip(waiting, transformers, results, strict=False):
        answer = _take(pending, transformer, result)
    if after:
        _checked(results[-1:])
    return answer


class _Context(NamedTuple):
    """What psycopg converts values by."""

    adapters: AdaptersMap
    connection: Connection[Any]


def _context(libpq: Connection[Any]) -> _Context:
    adapters = _adapters.get(libpq)
    if adapters is None:
        # Django's own reader of times is Python, and sets the zone that psycopg's, in C, finds by itself.
        adapters = _adapters[libpq] = AdaptersMap(libpq.adapters)
        adapters.register_loader("timestamptz", TimestamptzLoader)
    return _Context(adapters, libpq)


def _answers(pgconn: PGconn) -> abc.PQGen[list[list[PGresult]]]:
    """Send what is in the pipeline, and return what comes up to its end."""
    yield from generators.send(pgconn)
    came: list[list[PGresult]] = []
    while not came or came[-1][-1].status != ExecStatus.PIPELINE_SYNC:
        came.append((yield from generators.fetch_many(pgconn)))
    return came


def _take(pending: Pending, transformer: abc.Transformer, result: PGresult) -> Answer:
    """Take what came of a statement."""
    with pending.explained():
        _checked([result])
    transformer.set_pgresult(result)
    rows = transformer.load_rows(0, result.ntuples, tuple) if result.nfields else []
    answer = Answer(rows, result.command_tuples or 0)
    pending.take(answer)
    return answer


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


def _dumped(transformer: Any, values: Sequence[Any]) -> list[abc.Buffer | None]:
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
