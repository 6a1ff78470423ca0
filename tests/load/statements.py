"""How many SQL statements and commits a call costs, from PostgreSQL's own log."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import psycopg

STATEMENT: Final = re.compile(r"LOG:  (?:statement|execute [^:]*): (\w+)")
BRACKETS: Final = frozenset({"BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE"})
FLUSH_SECONDS: Final = 0.5


def counted(database: str, call: Callable[[], None], times: int) -> tuple[float, float]:
    """Return statements and commits for each call; what the service does by itself is subtracted.

    Args:
        database: Address of the stack's cluster, whose log lies beside its data.
        call: What is counted.
        times: How often it is made.
    """
    data = Path(database.partition("host=")[2].split()[0])
    log = data.parent / f"{data.name}.log"
    with psycopg.connect(database, autocommit=True) as connection:
        _set(connection, "all")
        try:
            before = len(log.read_bytes())
            started = time.monotonic()
            for _ in range(times):
                call()
            time.sleep(FLUSH_SECONDS)
            seconds = time.monotonic() - started
            calls = _count(log, before)
            before = len(log.read_bytes())
            time.sleep(seconds)
            idle = _count(log, before)
        finally:
            _set(connection, "none")
    statements, commits = (max(0, a - b) / times for a, b in zip(calls, idle, strict=True))
    return statements, commits


def _set(connection: psycopg.Connection, what: str) -> None:
    connection.execute(f"ALTER SYSTEM SET log_statement = '{what}'")
    connection.execute("SELECT pg_reload_conf()")
    time.sleep(FLUSH_SECONDS)


def _count(log: Path, start: int) -> tuple[int, int]:
    words = STATEMENT.findall(log.read_bytes()[start:].decode(errors="replace"))
    words = [word.upper() for word in words]
    return sum(word not in BRACKETS for word in words), words.count("COMMIT")
