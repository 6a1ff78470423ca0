"""A statement sent by libpq itself does and says what it does by Django's cursor."""

import datetime
import uuid
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
            change("ALTER TABLE changing ADD other int, ALTER name TYPE varchar(90)")
            run_together(wrapper, [(insert, ["b"]), (insert, ["c"])])
            change("DEALLOCATE ALL")
            assert select.run(wrapper, ["c"]).rows == [("c",)]
            assert Statement("SELECT count(*) FROM changing").run(wrapper, []).rows == [(5,)]
        finally:
            change("DROP TABLE changing")

    @pytest.mark.parametrize("together", [False, True])
    def test_a_lost_connection_is_an_operational_error_and_the_next_one_works(
        self, wrapper: Any, together: bool
    ) -> None:
        select = Statement("SELECT CAST(%s AS int)")
        ((process,),) = Statement("SELECT pg_backend_pid()").run(wrapper, []).rows
        settings = wrapper.settings_dict
        with psycopg.connect(
            host=settings["HOST"], user=settings["USER"], dbname=settings["NAME"], autocommit=True
        ) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
        pairs = [(select, [1]), (select, [2])]
        with pytest.raises(OperationalError):
            run_together(wrapper, pairs) if together else select.run(wrapper, [1])
        wrapper.close_if_unusable_or_obsolete()
        assert select.run(wrapper, [3]).rows == [(3,)]
