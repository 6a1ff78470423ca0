"""The windows of a call in the database: taken together or not at all, by one statement.

Written as SQL because this is the one place where the ORM does not say what is meant: lock the rows in
a fixed order, judge them as they are once locked, and change all of them or none. Calls that start
together meet here, so these statements come last in their transactions: the windows of all keys, which
every call of the company shares, are locked for no longer than a commit takes.

A key, all keys and a named end user have a window as soon as they make a call. An account has one from
the first call under a limit of its own on: it begins with what the account's keys had spent by then.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.models import Q, QuerySet, Sum

from usage.accounting.payer import Payer
from usage.accounting.remembered import memory
from usage.direct import Statement
from usage.models import BudgetWindow, DailyUsage, Period
from usage.models.budget import Holder
from usage.money import from_pico, to_pico
from usage.statements import Prepared

Scope = tuple[Holder, Period]
Caps = Mapping[Scope, Decimal | None]

_A_DAY: Final = 86_400  # seconds
_LARGEST: Final = 2**63 - 1
_NAME: Final = re.compile(r"%\((\w+)\)s")

# By scope, in the order in which they are locked, days before months: no two calls wait in a circle.
_WHOSE: Final = {
    "key": "api_key_id = %(key)s",
    "end_user": "account_id = %(account)s AND end_user = %(end_user)s",
    "account": "account_id = %(account)s AND end_user = ''",
    "global": "api_key_id IS NULL AND account_id IS NULL",
}
_RANK: Final = """CASE WHEN api_key_id IS NOT NULL THEN 0 WHEN account_id IS NULL THEN 3
        WHEN end_user = '' THEN 2 ELSE 1 END"""
_TAKE: Final = """
    WITH locked AS ({locked})
    UPDATE usage_budgetwindow SET held_picousd = held_picousd + %(amount)s
    WHERE id IN (SELECT id FROM locked)
      AND (SELECT count(*) FROM locked WHERE needed = 1) = %(needed)s
      AND NOT EXISTS (SELECT 1 FROM locked WHERE used > cap - %(amount)s)
    RETURNING api_key_id, account_id, end_user, period, held_picousd + spent_picousd
"""
# An account's window may be younger than a hold that is released: it never held that.
_TURN: Final = """
    WITH locked AS ({locked})
    UPDATE usage_budgetwindow
    SET spent_picousd = spent_picousd + %(spent)s, held_picousd = CASE
        WHEN account_id IS NOT NULL AND held_picousd < %(released)s THEN 0
        ELSE held_picousd - %(released)s END
    WHERE id IN (SELECT id FROM locked)
    RETURNING id
"""


def take(
    caps: Caps, needed: list[Holder], payer: Payer, amount: Decimal, moment: datetime
) -> dict[Scope, Decimal]:
    """Hold an amount in every window of a call; if a needed one is missing or one is full, in none.

    Returns:
        What is spent and held in each now; nothing where nothing was taken.
    """
    values = {
        f"{holder.scope}_{period.value}": _LARGEST if cap is None else to_pico(cap)
        for (holder, period), cap in caps.items()
    }
    values |= {"amount": to_pico(amount), "needed": len(Period) * len(needed)}
    named = _taking(_scopes(payer), tuple(holder.scope for holder in needed), connection.vendor)
    # Not their number: SQLite's driver counts no statement that begins with WITH.
    rows = named.statement.run(
        connections[DEFAULT_DB_ALIAS], _values(named, payer, moment, values)
    ).rows
    return {
        (Holder(api_key_id, account_id, end_user), Period(period)): from_pico(used)
        for api_key_id, account_id, end_user, period, used in rows
    }


def turn(payer: Payer, moment: datetime, *, released: Decimal = Decimal(0), spent: Decimal) -> None:
    """Release what a call held and add what it cost, in the windows in which it began.

    The last statement of its transaction: it goes with the ``COMMIT``, which lets the windows go.
    """
    amounts = {"released": to_pico(released), "spent": to_pico(spent)}
    named = _turning(_scopes(payer), connection.vendor)
    named.statement.send(connections[DEFAULT_DB_ALIAS], _values(named, payer, moment, amounts))


class _Named(NamedTuple):
    """A statement, and what stands in each of its places."""

    statement: Statement
    names: list[str]


def _scopes(payer: Payer) -> tuple[str, ...]:
    return tuple(holder.scope for holder in payer.holders)


@cache
def _taking(scopes: tuple[str, ...], needed: tuple[str, ...], vendor: str) -> _Named:
    limits = " ".join(
        f"WHEN {whose} THEN CAST(%({scope}_{period.value})s AS bigint)"
        for scope, period, whose in _windows(scopes)
    )
    wanted = " ".join(
        f"WHEN {whose} THEN {int(scope in needed)}" for scope, _, whose in _windows(scopes)
    )
    return _named(_TAKE, scopes, f"CASE {limits} END AS cap", f"CASE {wanted} END AS needed")


@cache
def _turning(scopes: tuple[str, ...], vendor: str) -> _Named:
    return _named(_TURN, scopes)


def _named(text: str, scopes: tuple[str, ...], *columns: str) -> _Named:
    """Return a statement over the windows of a call, which it locks, with the columns that it needs."""
    columns = ("id", "held_picousd + spent_picousd AS used", *columns)
    where = " OR ".join(
        f"({whose} AND starts_on = %({p.value})s)" for _, p, whose in _windows(scopes)
    )
    # SQLite has one writer at a time, whose transaction began with its lock (settings: IMMEDIATE).
    lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
    text = text.format(
        locked=f"SELECT {', '.join(columns)} FROM usage_budgetwindow "  # noqa: S608  # our own words
        f"WHERE {where} ORDER BY {_RANK}, period{lock}"
    )
    return _Named(Statement(_NAME.sub("%s", text)), _NAME.findall(text))


def _windows(scopes: tuple[str, ...]) -> list[tuple[str, Period, str]]:
    return [
        (scope, period, f"{_WHOSE[scope]} AND period = '{period.value}'")
        for scope in scopes
        for period in Period
    ]


def _values(named: _Named, payer: Payer, moment: datetime, values: dict[str, int]) -> list[Any]:
    """Return what stands in the places of a statement of a call's windows."""
    day = Period.DAY.start(moment)
    given: dict[str, Any] = {
        "key": payer.api_key_id,
        "account": payer.account_id,
        "end_user": payer.end_user,
        "day": connection.ops.adapt_datefield_value(day),
        "month": connection.ops.adapt_datefield_value(day.replace(day=1)),
        **values,
    }
    return [given[name] for name in named.names]


def ensure(needed: list[Holder], payer: Payer, moment: datetime) -> None:
    """Make the windows that a call needs, unless this process knows that they were made.

    Before any of them is locked: whoever held some while it made others would wait in a circle with
    the first calls of other keys.
    """
    name = f"windows:{payer.name}:{len(needed)}:{Period.DAY.start(moment)}"
    if memory.get(name) is None:
        create(needed, moment)
        transaction.on_commit(lambda: memory.set(name, True, timeout=_A_DAY))


def create(needed: list[Holder], moment: datetime) -> None:
    """Make windows; those that somebody else made stay as they are."""
    BudgetWindow.objects.bulk_create(
        [_new(holder, period, moment) for holder in needed for period in Period],
        ignore_conflicts=True,
    )


def _new(holder: Holder, period: Period, moment: datetime) -> BudgetWindow:
    window = _empty(holder, period, moment)
    if holder.scope == "account":
        known = DailyUsage.objects.filter(api_key__account=holder.account_id)
        known = known.filter(day__gte=window.starts_on)
        window.spent_usd = known.aggregate(sum=Sum("cost_usd"))["sum"] or Decimal(0)
    return window


def _empty(holder: Holder, period: Period, moment: datetime) -> BudgetWindow:
    return BudgetWindow(
        api_key_id=holder.api_key_id,
        account_id=holder.account_id,
        end_user=holder.end_user,
        period=period,
        starts_on=period.start(moment),
    )


def read(payer: Payer, moment: datetime) -> dict[Scope, BudgetWindow]:
    """Return the windows of a call as they are now, one that was not begun yet as an empty one."""
    starts = (period.start(moment) for period in Period)
    found: dict[Scope, BudgetWindow] = {
        (window.holder, Period(window.period)): window
        for window in _OF_A_CALL.rows(payer.api_key_id, payer.account_id, payer.end_user, *starts)
    }
    for scope in ((holder, period) for holder in payer.holders for period in Period):
        if scope not in found:
            found[scope] = _empty(*scope, moment)
    return found


def current(moment: datetime) -> QuerySet[BudgetWindow]:
    """Return every window that is in use at a moment."""
    return _begun(*(period.start(moment) for period in Period))


def _begun(day: date, month: date) -> QuerySet[BudgetWindow]:
    return BudgetWindow.objects.filter(
        Q(period=Period.DAY, starts_on=day) | Q(period=Period.MONTH, starts_on=month)
    )


def _of_a_call(
    api_key_id: int, account_id: int, end_user: str, day: date, month: date
) -> QuerySet[BudgetWindow]:
    whose = Q(api_key=api_key_id) | Q(api_key=None, account=None)
    whose |= Q(account=account_id, end_user__in=["", end_user])
    return _begun(day, month).filter(whose)


_OF_A_CALL: Final = Prepared(
    _of_a_call, -7, -8, "\N{BUST IN SILHOUETTE}", date(1, 1, 1), date(1, 1, 2)
)
