"""How a test that commits leaves the database as it found it, without making everything anew.

After such a test Django truncates forty tables, most of them empty, and has `post_migrate` fill some of them
again with the same rows, by a hundred statements. Here it does so once for each database. What is then in the
tables is kept beside them, and after each test what differs from it is put right.
"""

from typing import Any, Final

from django.core.management.commands.flush import Command
from django.db import OperationalError, connections, transaction
from django.db.backends.utils import CursorWrapper
from psycopg.errors import DeadlockDetected

BESIDE: Final = "as_flushed"  # the schema of what is kept
_django_handle: Final = Command.handle


def install() -> None:
    """Let ``flush`` do so in this process."""
    Command.handle = handle  # type: ignore[method-assign]


def handle(self: Command, **options: Any) -> None:
    """Stand in for Django's, on PostgreSQL."""
    connection = connections[options["database"]]
    tables = sorted(connection.introspection.django_table_names(only_existing=True))
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [BESIDE])
        kept = {name for (name,) in cursor.fetchall()}
        if not kept:
            _django_handle(self, **options)
            keep(cursor, tables)
            return
        cursor.execute(" UNION ALL ".join(differs(name, name in kept) for name in tables))
        wrong = [name for (name,) in cursor.fetchall()]
        statements = "; ".join(put_right(name, name in kept) for name in wrong)
        for last in (False, False, True) if wrong else ():
            try:
                with transaction.atomic(connection.alias):
                    # Without triggers and references: in the end all of it is as it was.
                    cursor.execute("SET LOCAL session_replication_role = replica")
                    cursor.execute(statements)
                return
            except OperationalError as exc:
                # A service that still runs sums up calls, and locks the same rows in another order.
                if last or not isinstance(exc.__cause__, DeadlockDetected):
                    raise


def keep(cursor: CursorWrapper, tables: list[str]) -> None:
    """Copy the rows of the tables that have some."""
    cursor.execute(" UNION ALL ".join(differs(name, False) for name in tables))
    filled = [name for (name,) in cursor.fetchall()]
    copies = [f'CREATE TABLE {BESIDE}."{name}" AS TABLE "{name}"' for name in filled]
    cursor.execute("; ".join([f"CREATE SCHEMA {BESIDE}", *copies]))


def differs(name: str, is_kept: bool) -> str:
    """Return a query that answers with the name of a table whose rows are not those it should have."""
    rows = f'TABLE "{name}"'
    if is_kept:
        beside = f'TABLE {BESIDE}."{name}"'
        rows = f"({rows} EXCEPT {beside}) UNION ALL ({beside} EXCEPT {rows})"
    return f"SELECT '{name}' WHERE EXISTS ({rows})"


def put_right(name: str, is_kept: bool) -> str:
    """Return the statements that give a table the rows it should have."""
    emptied = f'DELETE FROM "{name}"'  # noqa: S608
    return f'{emptied}; INSERT INTO "{name}" TABLE {BESIDE}."{name}"' if is_kept else emptied
