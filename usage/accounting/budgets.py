"""Hard budgets: an upper bound is held before a call and turned into its real cost after it.

A hold is one conditional UPDATE per window, so parallel calls cannot pass a limit together: whoever
comes second finds less room. docs/budget.md explains the pattern and what must not be done instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import structlog
from django.conf import settings
from django.db.models import F, Q

from usage import metrics
from usage.errors import BudgetExceeded
from usage.models import Budget, BudgetWindow, Period
from usage.money import usd

log = structlog.get_logger(__name__)


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
    """Return the limits that a key's call is held against.

    Always in this order: two calls that lock the same windows never wait for each other in a circle.
    """
    set_by_admin = {
        (budget.api_key_id, budget.period): budget
        for budget in Budget.objects.filter(api_key=api_key_id)
        | Budget.objects.filter(api_key=None)
    }
    found = []
    for scope in (api_key_id, None):
        for period in (Period.DAY, Period.MONTH):
            budget = set_by_admin.get((scope, period.value))
            if budget is None:
                found.append(Limit(scope, period, _default(scope, period)))
            else:
                found.append(Limit(scope, period, budget.limit_usd, budget.soft_percent))
    return found


def _default(api_key_id: int | None, period: Period) -> Decimal | None:
    scope = "GLOBAL" if api_key_id is None else "KEY"
    default: Decimal | None = getattr(settings, f"BUDGET_{scope}_{period.name}_USD")
    return default


def hold(api_key_id: int, amount: Decimal, moment: datetime) -> None:
    """Hold an amount in every window of a call; run inside a transaction.

    Raises:
        BudgetExceeded: One of the windows has no room. The transaction must be rolled back.
    """
    for limit in limits(api_key_id):
        _hold(limit, amount, moment)


def _hold(limit: Limit, amount: Decimal, moment: datetime) -> None:
    window = _key(limit.api_key_id, limit.period, moment)
    if _take(window, limit, amount):
        return
    if not BudgetWindow.objects.filter(**window).exists():
        # The first call of the day. Whoever else comes first, there is one row, and it is empty.
        BudgetWindow.objects.bulk_create([BudgetWindow(**window)], ignore_conflicts=True)
        if _take(window, limit, amount):
            return
    row = BudgetWindow.objects.get(**window)
    metrics.BUDGET_REFUSALS.labels(scope=limit.scope, period=limit.period.value).inc()
    raise BudgetExceeded(
        scope=limit.scope,
        window=limit.period.value,
        window_starts=row.starts_on.isoformat(),
        limit_usd=str(limit.usd),
        used_usd=str(row.spent_usd),
        held_usd=str(row.held_usd),
        requested_usd=str(amount),
    )


def _take(window: dict[str, Any], limit: Limit, amount: Decimal) -> bool:
    rows = BudgetWindow.objects.filter(**window)
    if limit.usd is not None:
        rows = rows.filter(held_usd__lte=usd(limit.usd - amount) - F("spent_usd"))
    return rows.update(held_usd=F("held_usd") + usd(amount)) == 1


def settle(api_key_id: int, held: Decimal, cost: Decimal, moment: datetime) -> None:
    """Turn a hold into what the call really cost, in the windows in which it began."""
    for scope in (api_key_id, None):
        for period in (Period.DAY, Period.MONTH):
            BudgetWindow.objects.filter(**_key(scope, period, moment)).update(
                held_usd=F("held_usd") - usd(held), spent_usd=F("spent_usd") + usd(cost)
            )


def first_without_room(api_key_id: int, amount: Decimal, moment: datetime) -> str:
    """Return why an amount could not be held now, empty if it could; nothing is held."""
    for limit in limits(api_key_id):
        window = _key(limit.api_key_id, limit.period, moment)
        row = BudgetWindow.objects.filter(**window).first() or BudgetWindow(**window)
        if limit.usd is not None and row.spent_usd + row.held_usd + amount > limit.usd:
            return str(BudgetExceeded.default_detail)
    return ""


def watch(moment: datetime) -> None:
    """Look at every window that is in use now: export the global ones, warn of soft thresholds."""
    current = [Q(period=period, starts_on=period.start(moment)) for period in Period]
    near = 0
    # A window is made by its first call: until then a new day has cost nothing, not yesterday's sum.
    spent = dict.fromkeys(Period.values, Decimal(0))
    for window in BudgetWindow.objects.filter(current[0] | current[1]):
        limit = _limit_of(window)
        used = window.spent_usd + window.held_usd
        if window.api_key_id is None:
            spent[window.period] = used
            if limit.usd is not None:
                metrics.BUDGET_LIMIT.labels(period=window.period).set(float(limit.usd))
        if limit.usd is not None and used * 100 >= limit.usd * limit.soft_percent:
            near += 1
            _warn_once(window, limit, used)
    for period, amount in spent.items():
        metrics.BUDGET_USED.labels(period=period).set(float(amount))
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
            used_usd=str(used),
            limit_usd=str(limit.usd),
        )


def _limit_of(window: BudgetWindow) -> Limit:
    period = Period(window.period)
    budget = Budget.objects.filter(api_key=window.api_key_id, period=period).first()
    if budget is None:
        return Limit(window.api_key_id, period, _default(window.api_key_id, period))
    return Limit(window.api_key_id, period, budget.limit_usd, budget.soft_percent)


def _key(api_key_id: int | None, period: Period, moment: datetime) -> dict[str, Any]:
    return {"api_key_id": api_key_id, "period": period.value, "starts_on": period.start(moment)}


def standing(api_key_id: int, moment: datetime) -> Iterator[dict[str, Any]]:
    """Yield each limit of a key with what is used and held of it now."""
    for limit in limits(api_key_id):
        window = _key(limit.api_key_id, limit.period, moment)
        row = BudgetWindow.objects.filter(**window).first() or BudgetWindow(**window)
        yield {
            "scope": limit.scope,
            "window": limit.period.value,
            "window_starts": row.starts_on.isoformat(),
            "limit_usd": None if limit.usd is None else str(limit.usd),
            "used_usd": str(row.spent_usd),
            "held_usd": str(row.held_usd),
        }
