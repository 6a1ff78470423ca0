"""Everything the test database holds, as text: for tests of what must not be kept."""

from django.db import connection


def dump() -> str:
    """Return every value of every table."""
    parts: list[str] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608 - names of our own tables
            parts += map(str, cursor.fetchall())
    return "\n".join(parts)
