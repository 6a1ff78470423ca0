"""Hard budgets: an upper bound is held before a call and turned into its real cost after it.

docs/budget.md explains the pattern and what must not be done instead; `windows` is its statement.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import structlog
from django.conf import settings
from django.db.models import Q

from usage import metrics
from usage.accounting import windows
from usage.accounting.remembered import memory
from usage.errors import BudgetExceeded
from usage.models import Budget, BudgetWindow, Period
from usage.money import dollars, plain

log = structlog.get_logger(__name__)

# A statement sees the rows that were there when it began: whoever waited for the one that made the
# windows of a day may have to look again.
_TRIES: Final = 3
SetByAdmin = dict[windows.Scope, tuple[Decimal | None, int]]  # the limit and its soft percentage
_ADJECTIVE: Final = {Period.DAY: "diario", Period.MONTH: "mensual"}


@dataclass(frozen=True, slots=True)
class Limit:
    """What one key (or all of them, without a key) may spend in one period."""

    api_key_id: int | None
    period: Period
    usd: Decimal | None  # None: no limit
    soft_percent: int = 80

    @property
    def scope(self) -> str:
        """``key`` or ``global``."""
        return "global" if self.api_key_id is None else "key"


def limits(api_key_id: int) -> list[Limit]:
    """Return the limits that a key's call is held against, at most two seconds old."""
    known: SetByAdmin | None = memory.get_or_set(
        f"limits:{api_key_id}", lambda: _set_by_admin(api_key_id)
    )
    return [_limit(known or {}, scope, period) for scope in (api_key_id, None) for period in Period]


def _set_by_admin(api_key_id: int | None = None, *, every_key: bool = False) -> SetByAdmin:
    rows = Budget.objects.all()
    if not every_key:
        rows = rows.filter(Q(api_key=api_key_id) | Q(api_key=None))
    return {(row.api_key_id, Period(row.period)): (row.limit_usd, row.soft_percent) for row in rows}


def _limit(
    set_by_admin: SetByAdmin,
    api_key_id: int | None,
    period: Period,
) -> Limit:
    if (found := set_by_admin.get((api_key_id, period))) is not None:
        return Limit(api_key_id, period, *found)
    scope = "GLOBAL" if api_key_id is None else "KEY"
    return Limit(api_key_id, period, getattr(settings, f"BUDGET_{scope}_{period.name}_USD"))


def hold(api_key_id: int, amount: Decimal, moment: datetime) -> BudgetExceeded | None:
    """Hold an amount in every window of a call, as the last step of a transaction.

    Returns:
        Nothing, or why there is no room; then nothing is held, and the transaction is as it was.
    """
    bounds = limits(api_key_id)
    caps: windows.Caps = {(limit.api_key_id, limit.period): limit.usd for limit in bounds}
    windows.ensure(api_key_id, moment)
    for _ in range(_TRIES):
        if windows.take(caps, api_key_id, amount, moment):
            return None
        # Those that exist are locked now, so these are the numbers that were judged.
        used = windows.read(api_key_id, moment)
        if (refusal := _find(bounds, used, amount, moment)) is not None:
            metrics.BUDGET_REFUSALS.labels(
                scope=refusal.facts["scope"], period=refusal.facts["window"]
            ).inc()
            return refusal
        if any(window.pk is None for window in used.values()):
            windows.create(api_key_id, moment)  # a transaction that made them was rolled back
    refusal = BudgetExceeded()
    refusal.only_held = True
    return refusal


def settle(api_key_id: int, held: Decimal, cost: Decimal, moment: datetime) -> None:
    """Turn a hold into what the call really cost, in the windows in which it began."""
    windows.turn(api_key_id, moment, released=held, spent=cost)


def first_without_room(api_key_id: int, amount: Decimal, moment: datetime) -> str:
    """Return why an amount could not be held now, empty if it could; nothing is held."""
    refusal = _find(limits(api_key_id), windows.read(api_key_id, moment), amount, moment)
    return "" if refusal is None else str(refusal.detail)


def _find(
    bounds: list[Limit],
    used: dict[windows.Scope, BudgetWindow],
    amount: Decimal,
    moment: datetime,
) -> BudgetExceeded | None:
    """Return the refusal of the first window that has no room, spent ones before held ones."""
    pairs = [(limit, used[limit.api_key_id, limit.period]) for limit in bounds]
    full = [pair for pair in pairs if _is_short(*pair, amount, held=True)]
    if not full:
        return None
    spent = [pair for pair in full if _is_short(*pair, amount, held=False)]
    refusal = _explain(*(spent or full)[0], amount, moment)
    refusal.only_held = not spent
    return refusal


def _is_short(limit: Limit, window: BudgetWindow, amount: Decimal, *, held: bool) -> bool:
    taken = window.spent_usd + (window.held_usd if held else 0)
    return limit.usd is not None and taken + amount > limit.usd


def _explain(
    limit: Limit, window: BudgetWindow, amount: Decimal, moment: datetime
) -> BudgetExceeded:
    """Say which limit it was, with its numbers; of all keys' spending a caller learns nothing."""
    ends = limit.period.end(moment)
    cap = limit.usd or Decimal(0)
    text = f"esta solicitud puede costar hasta {dollars(amount)} USD."
    facts: dict[str, Any] = {}
    if limit.api_key_id is None:
        text = f"El presupuesto {_ADJECTIVE[limit.period]} del servicio no alcanza: {text}"
    else:
        text = (
            f"El presupuesto {_ADJECTIVE[limit.period]} de esta clave, de {dollars(cap)} USD, no "
            f"alcanza: lleva {dollars(window.spent_usd)} gastados y {dollars(window.held_usd)} "
            f"reservados, y {text}"
        )
        facts = {
            "limit_usd": plain(cap),
            "used_usd": plain(window.spent_usd),
            "held_usd": plain(window.held_usd),
        }
    return BudgetExceeded(
        f"{text} El período termina el {ends:%d-%m-%Y} a las {ends:%H:%M}.",
        scope=limit.scope,
        window=limit.period.value,
        window_starts=window.starts_on.isoformat(),
        window_ends=ends.isoformat(),
        requested_usd=plain(amount),
        **facts,
    )


def in_use(moment: datetime) -> list[tuple[BudgetWindow, Limit]]:
    """Return every window in use with its limit, the settings' own included; those of all keys first."""
    set_by_admin = _set_by_admin(every_key=True)
    found = {scope: window for scope, window in windows.read(0, moment).items() if scope[0] is None}
    for window in windows.current(moment).select_related("api_key"):
        found[window.api_key_id, Period(window.period)] = window
    return [
        (window, _limit(set_by_admin, *scope))
        for scope, window in sorted(found.items(), key=lambda item: item[0][0] or 0)
    ]


def watch(moment: datetime) -> None:
    """Look at every window that is in use now: export the global ones, warn of soft thresholds."""
    near = 0
    for window, limit in in_use(moment):
        used = window.spent_usd + window.held_usd
        if window.api_key_id is None:
            metrics.BUDGET_USED.labels(period=limit.period.value).set(float(used))
            if limit.usd is not None:
                metrics.BUDGET_LIMIT.labels(period=limit.period.value).set(float(limit.usd))
        if limit.usd is not None and used and used * 100 >= limit.usd * limit.soft_percent:
            near += 1
            _warn_once(window, limit, used)
    metrics.BUDGETS_NEAR.set(near)


_warned: set[int] = set()


def _warn_once(window: BudgetWindow, limit: Limit, used: Decimal) -> None:
    if window.pk not in _warned:
        _warned.add(window.pk)
        log.warning(
            "budget_near_limit",
            scope=limit.scope,
            api_key=window.api_key_id,
            period=window.period,
            used_usd=plain(used),
            limit_usd=None if limit.usd is None else plain(limit.usd),
        )


def standing(api_key_id: int, moment: datetime) -> Iterator[dict[str, Any]]:
    """Yield each limit of a key with what is used and held of it now."""
    used = windows.read(api_key_id, moment)
    for limit in limits(api_key_id):
        window = used[limit.api_key_id, limit.period]
        yield {
            "scope": limit.scope,
            "window": limit.period.value,
            "window_starts": window.starts_on.isoformat(),
            "window_ends": limit.period.end(moment).isoformat(),
            "limit_usd": None if limit.usd is None else plain(limit.usd),
            "used_usd": plain(window.spent_usd),
            "held_usd": plain(window.held_usd),
        }
