"""SQLite under a server: keep the database open.

Every request has a thread, and so a connection, of its own. When the last connection to a database in
WAL mode closes, SQLite copies the whole log back and syncs the disk: with one request at a time that is
after every request, and takes longer than the request (measured: 50 ms instead of 12). One idle
connection per process avoids it.
"""

from typing import Any

from django.db import connection

_kept: list[Any] = []


def keep_open() -> None:
    """Hold one connection for the life of the process; of no use with another database."""
    if connection.vendor != "sqlite" or _kept:
        return
    kept = connection.get_new_connection(connection.get_connection_params())
    kept.execute("SELECT 1 FROM sqlite_master").fetchone()  # only a read opens the file
    _kept.append(kept)
