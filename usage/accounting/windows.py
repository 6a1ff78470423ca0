"""The four windows of a call in the database: taken together or not at all, by one statement.

Written as SQL because this is the one place where the ORM does not say what is meant: lock the rows in
a fixed order, judge them as they are once locked, and change all of them or none. Calls that start
together meet here, so these statements come last in their transactions: the windows of all keys, which
every call of the company shares, are locked for no longer than a commit takes.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from usage.accounting.remembered import memory
from usage.models import BudgetWindow, Period
from usage.money import to_pico

Scope = tuple[int | None, Period]
Caps = Mapping[Scope, Decimal | None]

_A_DAY: Final = 86_400  # seconds
_LARGEST: Final = 2**63 - 1

# Those of the key before those of all keys, days before months: no two calls wait in a circle.
_LOCKED: Final = """
    SELECT id, held_picousd + spent_picousd AS used, CASE
        WHEN api_key_id IS NULL AND period = 'day' THEN %(all_day)s
        WHEN api_key_id IS NULL THEN %(all_month)s
        WHEN period = 'day' THEN %(key_day)s
        ELSE %(key_month)s END AS cap
    FROM usage_budgetwindow
    WHERE (api_key_id = %(key)s AND period = 'day' AND starts_on = %(day)s)
       OR (api_key_id = %(key)s AND period = 'month' AND starts_on = %(month)s)
       OR (api_key_id IS NULL AND period = 'day' AND starts_on = %(day)s)
       OR (api_key_id IS NULL AND period = 'month' AND starts_on = %(month)s)
    ORDER BY api_key_id, period
"""
_TAKE: Final = """
    WITH locked AS ({locked})
    UPDATE usage_budgetwindow SET held_picousd = held_picousd + %(amount)s
    WHERE id IN (SELECT id FROM locked)
      AND (SELECT count(*) FROM locked WHERE used <= cap - %(amount)s) = 4
    RETURNING id
"""
_TURN: Final = """
    WITH locked AS ({locked})
    UPDATE usage_budgetwindow
    SET held_picousd = held_picousd - %(released)s, spent_picousd = spent_picousd + %(spent)s
    WHERE id IN (SELECT id FROM locked)
    RETURNING id
"""


def take(caps: Caps, api_key_id: int, amount: Decimal, moment: datetime) -> bool:
    """Hold an amount in the four windows; if one is missing or has no room, in none of them."""
    limits = {
        name: _LARGEST if (cap := caps[scope, period]) is None else to_pico(cap)
        for name, scope, period in (
            ("key_day", api_key_id, Period.DAY),
            ("key_month", api_key_id, Period.MONTH),
            ("all_day", None, Period.DAY),
            ("all_month", None, Period.MONTH),
        )
    }
    return _run(_TAKE, api_key_id, moment, amount=to_pico(amount), **limits) == 4


def turn(
    api_key_id: int, moment: datetime, *, released: Decimal = Decimal(0), spent: Decimal
) -> None:
    """Release what a call held and add what it cost, in the windows in which it began."""
    amounts = {"released": to_pico(released), "spent": to_pico(spent)}
    _run(_TURN, api_key_id, moment, **amounts, key_day=0, key_month=0, all_day=0, all_month=0)


def _run(statement: str, api_key_id: int, moment: datetime, **values: int) -> int:
    """Run a statement of four windows; return how many rows it changed."""
    # SQLite has one writer at a time, whose transaction began with its lock (settings: IMMEDIATE).
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    parameters: dict[str, Any] = {
        "key": api_key_id,
        "day": connection.ops.adapt_datefield_value(Period.DAY.start(moment)),
        "month": connection.ops.adapt_datefield_value(Period.MONTH.start(moment)),
        **values,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement.format(locked=_LOCKED + lock), parameters)
        # Not `rowcount`: SQLite's driver counts no statement that begins with WITH.
        return len(cursor.fetchall())


def ensure(api_key_id: int, moment: datetime) -> None:
    """Make the windows of a call, unless this process knows that they were made.

    Before any of them is locked: whoever held some while it made others would wait in a circle with
    the first calls of other keys.
    """
    name = f"windows:{api_key_id}:{Period.DAY.start(moment)}"
    if memory.get(name) is None:
        create(api_key_id, moment)
        transaction.on_commit(lambda: memory.set(name, True, timeout=_A_DAY))


def create(api_key_id: int, moment: datetime) -> None:
    """Make the windows of a call, empty; those that somebody else made stay as they are."""
    BudgetWindow.objects.bulk_create(
        [
            BudgetWindow(api_key_id=scope, period=period, starts_on=period.start(moment))
            for scope in (api_key_id, None)
            for period in Period
        ],
        ignore_conflicts=True,
    )


def read(api_key_id: int, moment: datetime) -> dict[Scope, BudgetWindow]:
    """Return the windows of a call as they are now, one that was not begun yet as an empty one."""
    found: dict[Scope, BudgetWindow] = {
        (scope, period): BudgetWindow(
            api_key_id=scope, period=period, starts_on=period.start(moment)
        )
        for scope in (api_key_id, None)
        for period in Period
    }
    for window in current(moment).filter(Q(api_key=api_key_id) | Q(api_key=None)):
        found[window.api_key_id, Period(window.period)] = window
    return found


def current(moment: datetime) -> QuerySet[BudgetWindow]:
    """Return every window that is in use at a moment."""
    day, month = (Q(period=period, starts_on=period.start(moment)) for period in Period)
    return BudgetWindow.objects.filter(day | month)
