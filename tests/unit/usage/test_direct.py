"""A statement sent by libpq itself does and says what it does by Django's cursor."""

import datetime
import uuid
import weakref
from contextlib import nullcontext
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import (
    DataError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from usage.direct import Statement, is_direct, run_together

pytestmark = [
    pytest.mark.unit,
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no libpq"),
]

NOW = datetime.datetime(2026, 3, 1, 23, 59, 59, 123456, tzinfo=datetime.UTC)
VALUES: list[tuple[str, Any]] = [
    ("uuid", uuid.UUID(int=7)),
    ("bigint", -(2**62)),
    ("numeric", Decimal("0.000000000001")),
    ("text", "ñandú 'x' \\ %s; --"),
    ("text", ""),
    ("boolean", True),
    ("timestamptz", NOW),
    ("date", NOW.date()),
    ("text", None),
    ("text[]", ["a", 'b"c', None]),
    ("bytea", b"\x00\xff"),
]


@pytest.fixture
def wrapper() -> Any:
    return connections["default"]


@pytest.fixture
def named(wrapper: Any) -> None:
    with wrapper.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE named (id int PRIMARY KEY) ON COMMIT DROP")


def another(wrapper: Any) -> psycopg.Connection:
    """A connection of its own to the same database."""
    settings = wrapper.settings_dict
    return psycopg.connect(
        host=settings["HOST"], user=settings["USER"], dbname=settings["NAME"], autocommit=True
    )


INSERT = "INSERT INTO named (id) VALUES (%s) RETURNING id"


def test_values_come_back_as_by_the_cursor(wrapper: Any) -> None:
    columns = ", ".join(f"CAST(%s AS {kind})" for kind, _ in VALUES)
    statement, values = Statement(f"SELECT {columns}"), [value for _, value in VALUES]
    for _ in range(2):
        direct = statement.run(wrapper, values)
        with CaptureQueriesContext(wrapper) as queries:
            assert not is_direct(wrapper)
            shown = statement.run(wrapper, values)
        assert len(queries) == 1
        assert list(map(repr, direct.rows[0])) == list(map(repr, shown.rows[0]))
        assert direct.number == shown.number == 1


def test_changed_rows_are_counted(wrapper: Any, named: None) -> None:
    insert = Statement(INSERT)
    assert [insert.run(wrapper, [n]).rows for n in (1, 2)] == [[(1,)], [(2,)]]
    assert Statement("UPDATE named SET id = id + %s").run(wrapper, [10]) == ([], 2)
    assert Statement("DELETE FROM named WHERE id = %s").run(wrapper, [3]) == ([], 0)


def test_errors_are_those_of_django(wrapper: Any, named: None) -> None:
    insert = Statement(INSERT)
    insert.run(wrapper, [1])
    with pytest.raises(IntegrityError), transaction.atomic():
        insert.run(wrapper, [1])
    with pytest.raises(DataError), transaction.atomic():
        insert.run(wrapper, ["one"])
    with pytest.raises(DataError), transaction.atomic():
        Statement("SELECT CAST(%s AS text)").run(wrapper, ["\x00"])
    assert insert.run(wrapper, [2]).rows == [(2,)]


def test_nothing_is_run_in_a_transaction_that_is_to_be_rolled_back(wrapper: Any) -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            Statement("SELECT 1").run(wrapper, [])


def test_of_statements_sent_together_all_are_done_or_none(wrapper: Any, named: None) -> None:
    insert = Statement(INSERT)
    run_together(wrapper, [(insert, [1]), (Statement("UPDATE named SET id = %s"), [5])])
    assert Statement("SELECT id FROM named").run(wrapper, []).rows == [(5,)]
    with pytest.raises(IntegrityError), transaction.atomic():
        run_together(wrapper, [(insert, [6]), (insert, [5]), (insert, [7])])
    assert Statement("SELECT id FROM named").run(wrapper, []).rows == [(5,)]


def test_large_values_go_together_without_standing_still(wrapper: Any) -> None:
    measure = Statement("SELECT length(CAST(%s AS text)), repeat(CAST(%s AS text), 100)")
    run_together(wrapper, [(measure, ["x" * 3_000_000, "y" * 30_000])] * 5)
    assert Statement("SELECT 1").run(wrapper, []).rows == [(1,)]


@pytest.mark.django_db(transaction=True)
class TestOutsideATestsTransaction:
    def test_what_is_rolled_back_is_undone_and_the_statement_stays_prepared(
        self, wrapper: Any
    ) -> None:
        insert = Statement("INSERT INTO named_again (id) VALUES (%s)")
        with wrapper.cursor() as cursor:
            cursor.execute("CREATE TABLE named_again (id int PRIMARY KEY)")
        try:
            with transaction.atomic():
                insert.run(wrapper, [1])
                transaction.set_rollback(True)
            with transaction.atomic():
                assert insert.run(wrapper, [1]).number == 1
            assert Statement("SELECT id FROM named_again").run(wrapper, []).rows == [(1,)]
            with pytest.raises(IntegrityError):
                run_together(wrapper, [(insert, [2]), (insert, [1])])
            assert Statement("SELECT id FROM named_again").run(wrapper, []).rows == [(1,)]
        finally:
            with wrapper.cursor() as cursor:
                cursor.execute("DROP TABLE named_again")

    def test_a_migration_under_way_ends_no_statement(self, wrapper: Any) -> None:
        def change(what: str) -> None:
            with wrapper.cursor() as cursor:
                cursor.execute(what)

        insert = Statement("INSERT INTO changing (name) VALUES (%s) RETURNING name")
        select = Statement("SELECT name FROM changing WHERE name = %s")
        change("CREATE TABLE changing (name varchar(3))")
        try:
            run_together(wrapper, [(insert, ["a"])])
            assert select.run(wrapper, ["a"]).rows == [("a",)]
            change("ALTER TABLE changing ALTER name TYPE varchar(6)")
            assert select.run(wrapper, ["a"]).rows == [("a",)]
            run_together(wrapper, [(insert, ["longer"])])
            change("ALTER TABLE changing ALTER name TYPE text")
            with pytest.raises(NotSupportedError), transaction.atomic():
                insert.run(wrapper, ["lost"])
            with transaction.atomic():
                assert insert.run(wrapper, ["much longer"]).rows == [("much longer",)]
            change("ALTER TABLE changing ALTER name TYPE varchar(80)")
            with pytest.raises(NotSupportedError), transaction.atomic():
                insert.send(wrapper, ["lost with its commit"])
            with transaction.atomic():
                insert.send(wrapper, ["kept with its commit"])
            change("ALTER TABLE changing ADD other int, ALTER name TYPE varchar(90)")
            run_together(wrapper, [(insert, ["b"]), (insert, ["c"])])
            change("DEALLOCATE ALL")
            assert select.run(wrapper, ["c"]).rows == [("c",)]
            assert Statement("SELECT count(*) FROM changing").run(wrapper, []).rows == [(6,)]
        finally:
            change("DROP TABLE changing")

    @pytest.mark.parametrize("together", [False, True])
    def test_a_lost_connection_is_an_operational_error_and_the_next_one_works(
        self, wrapper: Any, together: bool
    ) -> None:
        select = Statement("SELECT CAST(%s AS int)")
        ((process,),) = Statement("SELECT pg_backend_pid()").run(wrapper, []).rows
        with another(wrapper) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
        pairs = [(select, [1]), (select, [2])]
        with pytest.raises(OperationalError):
            run_together(wrapper, pairs) if together else select.run(wrapper, [1])
        wrapper.close_if_unusable_or_obsolete()
        assert select.run(wrapper, [3]).rows == [(3,)]


class TestPending:
    """Statements that go with the next one of their transaction."""

    def test_they_go_in_their_order_before_the_next_one(self, wrapper: Any, named: None) -> None:
        insert = Statement(INSERT)
        first, second = (insert.send(wrapper, [n]) for n in (1, 2))
        found = Statement("SELECT id FROM named ORDER BY id").run(wrapper, [])
        assert found.rows == [(1,), (2,)]
        assert (first.result(), second.result()) == (([(1,)], 1), ([(2,)], 1))

    def test_they_go_before_a_query_of_djangos(self, wrapper: Any, named: None) -> None:
        pending = Statement(INSERT).send(wrapper, [1])
        with wrapper.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM named")
            assert cursor.fetchall() == [(1,)]
        assert pending.result().number == 1

    def test_one_goes_when_its_answer_is_asked_for(self, wrapper: Any, named: None) -> None:
        told: list[Any] = []
        first = Statement(INSERT).send(wrapper, [1], then=told.append)
        second = Statement("UPDATE named SET id = %s").send(wrapper, [5], then=told.append)
        assert not told
        assert second.result() == ([], 1)
        assert first.result().rows == [(1,)]
        assert told == [first.result(), second.result()]

    def test_one_that_a_constraint_forbids_is_refused_as_its_sender_says(
        self, wrapper: Any, named: None
    ) -> None:
        insert = Statement(INSERT)
        insert.run(wrapper, [1])

        def two(first: object, second: object) -> None:
            with transaction.atomic():
                insert.send(wrapper, [first], refusal=LookupError)
                insert.run(wrapper, [second])

        with pytest.raises(LookupError):
            two(1, 2)
        with pytest.raises(IntegrityError):
            two(3, 1)
        with pytest.raises(DataError):
            two("one", 2)
        assert Statement("SELECT id FROM named").run(wrapper, []).rows == [(1,)]

    @pytest.mark.parametrize("watched", [False, True])
    def test_what_was_sent_is_let_go(self, wrapper: Any, watched: bool) -> None:
        """It may be most of a conversation, and who asked keeps the answer for as long as it is read."""
        text = Text("¿Qué es un folio?")
        kept = weakref.ref(text)
        with CaptureQueriesContext(wrapper) if watched else nullcontext():
            pending = Statement("SELECT length(CAST(%s AS text))").send(wrapper, [text])
            del text
            assert pending.result().rows == [(17,)]
            wrapper.queries_log.clear()
        assert kept() is None

    def test_who_watches_the_queries_sees_them_at_once(self, wrapper: Any, named: None) -> None:
        insert = Statement(INSERT)
        with CaptureQueriesContext(wrapper) as queries:
            assert insert.send(wrapper, [1]).result() == ([(1,)], 1)
            with pytest.raises(LookupError), transaction.atomic():
                insert.send(wrapper, [1], refusal=LookupError)
        assert sum("INSERT" in query["sql"] for query in queries) == 2


class Text(str):
    """A text that can be watched."""


@pytest.fixture
def table(wrapper: Any) -> Any:
    with wrapper.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE pending (id int PRIMARY KEY, of int REFERENCES pending "
            "DEFERRABLE INITIALLY DEFERRED)"
        )
    yield wrapper
    wrapper.close()
    with wrapper.cursor() as cursor:
        cursor.execute("DROP TABLE pending")


def ids(wrapper: Any) -> list[int]:
    """What is committed, as another connection sees it."""
    with another(wrapper) as other:
        return [one for (one,) in other.execute("SELECT id FROM pending ORDER BY id").fetchall()]


@pytest.mark.django_db(transaction=True)
class TestPendingAndTheEndOfTheirTransaction:
    insert = Statement("INSERT INTO pending (id, of) VALUES (%s, %s)")

    def test_a_commit_takes_them_with_it(self, table: Any) -> None:
        with transaction.atomic():
            pending = self.insert.send(table, [1, None])
        assert pending.result().number == 1
        assert ids(table) == [1]
        assert table.connection.info.transaction_status.name == "IDLE"

    def test_a_transaction_that_is_given_up_takes_none(self, table: Any) -> None:
        for begun in (True, False):
            with transaction.atomic():
                if begun:
                    self.insert.run(table, [1, None])
                lost = self.insert.send(table, [2, None])
                transaction.set_rollback(True)
            with pytest.raises(RuntimeError):
                lost.result()
        with transaction.atomic():
            self.insert.send(table, [3, None])
        assert ids(table) == [3]

    def test_what_the_commit_refuses_is_an_error_of_the_commit(self, table: Any) -> None:
        def commit(*rows: list[int | None]) -> None:
            with transaction.atomic():
                for row in rows:
                    self.insert.send(table, row)

        commit([1, None])
        with pytest.raises(IntegrityError):  # by a key that is checked at the end
            commit([3, None], [2, 7])
        with pytest.raises(IntegrityError):  # by one that is taken
            commit([3, None], [1, None])
        assert ids(table) == [1]
        assert table.connection.info.transaction_status.name == "IDLE"
        commit([3, None])
        assert ids(table) == [1, 3]

    def test_without_a_transaction_one_is_sent_at_once(self, table: Any) -> None:
        assert self.insert.send(table, [1, None]).result().number == 1
        assert ids(table) == [1]

    def test_a_connection_that_is_given_back_takes_none_to_its_next_user(self, table: Any) -> None:
        with transaction.atomic():
            self.insert.send(table, [1, None])
            table.close()
        with transaction.atomic():
            self.insert.send(table, [2, None])
        assert ids(table) == [2]

    def test_a_lost_connection_loses_all_of_them(self, table: Any) -> None:
        def lose() -> None:
            with transaction.atomic():
                ((process,),) = Statement("SELECT pg_backend_pid()").run(table, []).rows
                self.insert.send(table, [1, None])
                with another(table) as other:
                    other.execute("SELECT pg_terminate_backend(%s, 5000)", [process])

        with pytest.raises(OperationalError):
            lose()
        table.close_if_unusable_or_obsolete()
        assert ids(table) == []
        with transaction.atomic():
            self.insert.send(table, [2, None])
        assert ids(table) == [2]
