"""The ledger by day, equal to its rows at every moment: the database itself keeps it.

A trigger writes what a settlement, a correction or a deletion changes into `DailyUsage`, in the same
transaction and whoever makes it, so it costs the service no statement and no code path can forget it.
Changes are only appended, so calls that end together never wait for each other; `fold` merges them
later. A sum over the table is right before, during and after that.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from usage.models import DailyUsage, State, UsageRecord
from usage.models.record import TOKEN_CLASSES

GROUP: Final = ("day", "api_key_id", "operation", "model", "outcome")
_FOLDED_BY: Final = (*GROUP, "erased")
SUMS: Final = ("calls", "incomplete", *TOKEN_CLASSES, "cost_usd", "saved_usd")

_TABLE: Final = "usage_usagerecord"
_COLUMNS: Final = (
    "day", "api_key_id", "operation", "model", "outcome", "calls", "incomplete", *TOKEN_CLASSES,
    "cost_picousd", "saved_picousd", "folded",
)  # fmt: skip
_MOST_DAYS: Final = 40  # folded at one beat


def _saved(row: str, *, exact: bool) -> str:
    """Return what the cache saved of a row, in pico-dollars: rates are USD per million tokens."""
    prompt = " + ".join(f"{row}.{name}" for name in TOKEN_CLASSES if name != "output_tokens")

    def rate(name: str) -> str:
        return f"CASE WHEN {prompt} > p.long_from_tokens THEN p.long_{name} ELSE p.{name} END"

    dollars_per_million = " + ".join(
        f"{row}.{name}_tokens * ({rate('input')} - {rate(name)})"
        for name in ("cache_write_5m", "cache_write_1h", "cache_read")
    )
    picos = f"({dollars_per_million}) * 1000000 * CASE WHEN {row}.inference_geo = 'us' THEN 1.1 ELSE 1 END"
    # SQLite has rates as binary fractions, whose error is far below one pico-dollar.
    return f"COALESCE({picos}, 0)" if exact else f"COALESCE(CAST(ROUND({picos}) AS INTEGER), 0)"


def _select(source: str, row: str, day: str, sign: str, folded: str, *, exact: bool) -> str:
    """Return the statement that adds up settled rows, by everything in `GROUP`."""
    sums = ["1", f"CASE WHEN {row}.usage_complete THEN 0 ELSE 1 END"]
    sums += [f"{row}.{name}" for name in (*TOKEN_CLASSES, "cost_picousd")]
    sums.append(_saved(row, exact=exact))
    columns = [day, *(f"{row}.{name}" for name in GROUP[1:])]
    columns += [f"{sign}SUM({value})" for value in sums]
    return (
        f"INSERT INTO {DailyUsage._meta.db_table} ({', '.join(_COLUMNS)}) "  # noqa: S608
        f"SELECT {', '.join(columns)}, {folded} "
        f"FROM {source} LEFT JOIN usage_modelprice p ON p.id = {row}.price_id "
        f"WHERE {row}.state = 'settled' GROUP BY 1, 2, 3, 4, 5"
    )


def _day(row: str, vendor: str) -> str:
    if vendor == "postgresql":
        return f"({row}.started_at AT TIME ZONE '{settings.TIME_ZONE}')::date"
    # Django's own function, on each of its connections.
    return f"django_datetime_cast_date({row}.started_at, '{settings.TIME_ZONE}', 'UTC')"


def _triggers(vendor: str) -> dict[str, str]:
    """Return the statements that make the triggers, by the names of these."""
    made: dict[str, str] = {}
    if vendor == "postgresql":
        plus, minus = (
            _select(f"{rows} r", "r", _day("r", vendor), sign, "false", exact=True)
            for rows, sign in (("new_rows", ""), ("old_rows", "-"))
        )
        tables = {
            "insert": "NEW TABLE AS new_rows",
            "update": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
            "delete": "OLD TABLE AS old_rows",
        }
        steps = {"insert": [plus], "update": [minus, plus], "delete": [minus]}
        for event, referencing in tables.items():
            body = f"BEGIN {'; '.join(steps[event])}; RETURN NULL; END"
            made[event] = (
                f"CREATE OR REPLACE FUNCTION usage_rollup_{event}() RETURNS trigger "
                f"LANGUAGE plpgsql AS $body$ {body} $body$; "
                f"CREATE TRIGGER {{name}} AFTER {event} ON {_TABLE} REFERENCING {referencing} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION usage_rollup_{event}()"
            )
    else:
        plus, minus = (
            # One row, whose names the statement takes from NEW or OLD.
            _select("(SELECT 1) one", row, _day(row, vendor), sign, "0", exact=False)
            for row, sign in (("NEW", ""), ("OLD", "-"))
        )
        for event, parts in (
            ("insert", [plus]),
            ("update", [minus, plus]),
            ("delete", [minus]),
        ):
            made[event] = (
                f"CREATE TRIGGER {{name}} AFTER {event} ON {_TABLE} BEGIN {'; '.join(parts)}; END"
            )
    digest = hashlib.sha256(repr(made).encode()).hexdigest()[:8]
    return {f"usage_rollup_{event}_{digest}": sql for event, sql in made.items()}


def _existing(connection: BaseDatabaseWrapper) -> set[str]:
    catalogue = (
        f"SELECT tgname FROM pg_trigger WHERE tgrelid = '{_TABLE}'::regclass AND NOT tgisinternal"  # noqa: S608
        if connection.vendor == "postgresql"
        else f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{_TABLE}'"  # noqa: S608
    )
    with connection.cursor() as cursor:
        cursor.execute(catalogue)
        return {name for (name,) in cursor.fetchall() if name.startswith("usage_rollup_")}


def ensure(using: str = "default", **kwargs: object) -> None:
    """Make the triggers where they are missing or old, and the sums anew; runs after every migration.

    SQLite loses a table's triggers whenever a migration makes it anew. On PostgreSQL making them keeps
    writers out until the sums are there.
    """
    connection = connections[using]
    if DailyUsage._meta.db_table not in connection.introspection.table_names():
        return  # migrated to a time before it
    wanted, found = _triggers(connection.vendor), _existing(connection)
    if set(wanted) == found:
        return
    with transaction.atomic(using):
        remove(using)
        with connection.cursor() as cursor:
            for name, sql in wanted.items():
                cursor.execute(sql.format(name=name))
        rebuild(using)


def remove(using: str = "default") -> None:
    """Drop the triggers; the sums stay as they are and grow stale."""
    connection = connections[using]
    on_table = f" ON {_TABLE}" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        for name in _existing(connection):
            cursor.execute(f"DROP TRIGGER {name}{on_table}")


def rebuild(using: str = "default") -> None:
    """Add up the whole ledger; within the transaction that made the triggers. Erased rows stay added up."""
    connection = connections[using]
    postgresql = connection.vendor == "postgresql"
    folded = "true" if postgresql else "1"
    day = _day("r", connection.vendor)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {DailyUsage._meta.db_table} WHERE NOT erased")  # noqa: S608
        # By day, for pages read some days of it.
        cursor.execute(
            _select(f"{_TABLE} r", "r", day, "", folded, exact=postgresql) + " ORDER BY 1"
        )


def erase(before: datetime, batch: int = 5_000) -> Iterator[int]:
    """Erase settled rows that began before a moment, some thousands at a time; yield how many each time.

    What they add up to stays: it is written down as of erased rows in the transaction that erases them,
    while the triggers take it from the sums of those that are kept. A row that somebody corrected stays
    with its correction.
    """
    rows = UsageRecord.objects.filter(state=State.SETTLED, started_at__lt=before)
    rows = rows.filter(corrections=None).order_by("started_at")
    while chosen := list(rows.values_list("pk", flat=True)[:batch]):
        with transaction.atomic():
            yield _erase(chosen)


def _erase(chosen: list[UUID]) -> int:
    postgresql = connections["default"].vendor == "postgresql"
    true, day = ("true", _day("r", "postgresql")) if postgresql else ("1", _day("r", "sqlite"))
    of_them = UsageRecord.objects.filter(pk__in=chosen)
    ids, parameters = of_them.values("pk").query.sql_with_params()
    rows = f"(SELECT * FROM {_TABLE} WHERE id IN ({ids})) r"  # noqa: S608
    written = _select(rows, "r", day, "", f"{true}, {true}", exact=postgresql)
    written = written.replace("saved_picousd, folded)", "saved_picousd, folded, erased)", 1)
    with connections["default"].cursor() as cursor:
        cursor.execute(written, parameters)
    return of_them.delete()[1].get(UsageRecord._meta.label, 0)


def fold() -> int:
    """Merge what was appended; return how many rows are fewer. Several processes may do it at once."""
    unfolded = DailyUsage.objects.filter(folded=False).order_by("day")
    days = list(unfolded.values_list("day", flat=True).distinct()[:_MOST_DAYS])
    return sum(_fold_day(day) for day in days)


@transaction.atomic
def _fold_day(day: date) -> int:
    # What another process folds is left to it. A row that is appended meanwhile waits for the next time.
    rows = list(DailyUsage.objects.select_for_update(skip_locked=True).filter(day=day))
    groups: dict[tuple[object, ...], list[DailyUsage]] = defaultdict(list)
    for row in rows:
        groups[tuple(getattr(row, name) for name in _FOLDED_BY)].append(row)
    changed = [rows for rows in groups.values() if not all(row.folded for row in rows)]
    merged = [_merge(rows) for rows in changed]
    gone = [row.pk for rows in changed for row in rows]
    DailyUsage.objects.filter(pk__in=gone).delete()
    kept = [row for row in merged if any(getattr(row, name) for name in SUMS)]
    DailyUsage.objects.bulk_create(kept, batch_size=500)
    return len(gone) - len(kept)


def _merge(rows: list[DailyUsage]) -> DailyUsage:
    group = {name: getattr(rows[0], name) for name in _FOLDED_BY}
    sums = {name: sum(getattr(row, name) for row in rows) for name in SUMS}
    return DailyUsage(**group, **sums, folded=True)
