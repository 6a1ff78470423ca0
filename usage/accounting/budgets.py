"""Hard budgets: an upper bound is held before a call and turned into its real cost after it.

docs/budget.md explains the pattern and what must not be done instead; `windows` is its statement.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.conf import settings
from django.db.models import Q

from usage import metrics
from usage.accounting import windows
from usage.accounting.payer import Payer
from usage.accounting.remembered import memory
from usage.errors import BudgetExceeded
from usage.models import Budget, BudgetWindow, Period
from usage.models.budget import EACH, Holder
from usage.money import dollars, plain

# A statement sees the rows that were there when it began: whoever waited for the one that made the
# windows of a day may have to look again.
_TRIES: Final = 3
SetByAdmin = dict[windows.Scope, tuple[Decimal | None, int]]  # the limit and its soft percentage
_WHOSE: Final = {"key": "esta clave", "account": "su cuenta", "end_user": "este usuario"}
_ADJECTIVE: Final = {Period.DAY: "diario", Period.MONTH: "mensual"}


@dataclass(frozen=True, slots=True)
class Limit:
    """What somebody may spend in one period."""

    holder: Holder
    period: Period
    usd: Decimal | None  # None: no limit
    soft_percent: int = 80

    @property
    def scope(self) -> str:
        """``key``, ``account``, ``end_user`` or ``global``."""
        return self.holder.scope

    def is_near(self, used: Decimal) -> bool:
        """Whether so much, spent and held, is past the soft threshold."""
        return self.usd is not None and used > 0 and used * 100 >= self.usd * self.soft_percent


def limits(payer: Payer) -> list[Limit]:
    """Return the limits that a call is held against, at most two seconds old."""
    known: SetByAdmin | None = memory.get_or_set(
        f"limits:{payer.name}", lambda: _set_by_admin(_of(payer))
    )
    return [_limit(known or {}, holder, period) for holder in payer.holders for period in Period]


def _of(payer: Payer) -> Q:
    users = {"", EACH, payer.end_user}
    return (
        Q(api_key=payer.api_key_id)
        | Q(account=payer.account_id, end_user__in=users)
        | Q(api_key=None, account=None)
    )


def _set_by_admin(whose: Q | None = None) -> SetByAdmin:
    rows = Budget.objects.filter(whose or Q())
    return {(row.holder, Period(row.period)): (row.limit_usd, row.soft_percent) for row in rows}


def _limit(set_by_admin: SetByAdmin, holder: Holder, period: Period) -> Limit:
    found = set_by_admin.get((holder, period))
    if found is None and holder.end_user:
        found = set_by_admin.get((replace(holder, end_user=EACH), period))
    if found is not None:
        return Limit(holder, period, *found)
    if holder.account_id is not None:
        return Limit(holder, period, None)
    scope = holder.scope.upper()
    return Limit(holder, period, getattr(settings, f"BUDGET_{scope}_{period.name}_USD"))


def limits_of_end_users(account_id: int) -> Callable[[BudgetWindow], Decimal | None]:
    """Return what tells the limit that holds now for a window of one of an account's users."""
    set_by_admin = _set_by_admin(Q(account=account_id))

    def limit_of(window: BudgetWindow) -> Decimal | None:
        return _limit(set_by_admin, window.holder, Period(window.period)).usd

    return limit_of


def _needed(bounds: list[Limit]) -> list[Holder]:
    """Return who has to have windows: everybody but an account that has no limit."""
    holders = dict.fromkeys(limit.holder for limit in bounds)
    limited = {limit.holder for limit in bounds if limit.usd is not None}
    return [holder for holder in holders if holder.scope != "account" or holder in limited]


def hold(payer: Payer, amount: Decimal, moment: datetime) -> BudgetExceeded | None:
    """Hold an amount in every window of a call, as the last step of a transaction.

    Returns:
        Nothing, or why there is no room; then nothing is held, and the transaction is as it was.
    """
    bounds = limits(payer)
    caps: windows.Caps = {(limit.holder, limit.period): limit.usd for limit in bounds}
    needed = _needed(bounds)
    windows.ensure(needed, payer, moment)
    for _ in range(_TRIES):
        if taken := windows.take(caps, needed, payer, amount, moment):
            _count_near(bounds, taken)
            return None
        # Those that exist are locked now, so these are the numbers that were judged.
        used = windows.read(payer, moment)
        if (refusal := _find(bounds, used, amount, moment)) is not None:
            metrics.BUDGET_NEAR_CALLS.labels(refusal.facts["scope"], refusal.facts["window"]).inc()
            return refusal
        if any(w.pk is None for (holder, _), w in used.items() if holder in needed):
            windows.create(needed, moment)  # a transaction that made them was rolled back
    refusal = BudgetExceeded()
    refusal.only_held = True
    return refusal


def _count_near(bounds: list[Limit], taken: dict[windows.Scope, Decimal]) -> None:
    """Count a call that took a budget past its soft threshold.

    What is held for a moment counts as what is spent: it is what the next call finds no room beside.
    """
    for limit in bounds:
        if limit.is_near(taken.get((limit.holder, limit.period), Decimal(0))):
            metrics.BUDGET_NEAR_CALLS.labels(limit.scope, limit.period.value).inc()


def settle(payer: Payer, held: Decimal, cost: Decimal, moment: datetime) -> None:
    """Turn a hold into what the call really cost, in the windows in which it began."""
    windows.turn(payer, moment, released=held, spent=cost)


def first_without_room(payer: Payer, amount: Decimal, moment: datetime) -> str:
    """Return why an amount could not be held now, empty if it could; nothing is held."""
    refusal = _find(limits(payer), windows.read(payer, moment), amount, moment)
    return "" if refusal is None else str(refusal.detail)


def _find(
    bounds: list[Limit],
    used: dict[windows.Scope, BudgetWindow],
    amount: Decimal,
    moment: datetime,
) -> BudgetExceeded | None:
    """Return the refusal of the first window that has no room, spent ones before held ones."""
    pairs = [(limit, used[limit.holder, limit.period]) for limit in bounds]
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
    if limit.scope == "global":
        text = f"El presupuesto {_ADJECTIVE[limit.period]} del servicio no alcanza: {text}"
    else:
        text = (
            f"El presupuesto {_ADJECTIVE[limit.period]} de {_WHOSE[limit.scope]}, de {dollars(cap)} USD, no "
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
    """Return every window in use with its limit, the settings' own included; those of all keys first.

    Of end users only those who have a limit: there may be thousands.
    """
    set_by_admin = _set_by_admin()
    all_keys = Payer(0, 0)
    found = {
        scope: window
        for scope, window in windows.read(all_keys, moment).items()
        if scope[0] == Holder()
    }
    limited = {holder.account_id for holder, _ in set_by_admin if holder.end_user}
    shown = windows.current(moment).filter(Q(end_user="") | Q(account__in=limited))
    for window in shown.select_related("api_key__account", "account"):
        found[window.holder, Period(window.period)] = window
    pairs = [(window, _limit(set_by_admin, *scope)) for scope, window in found.items()]
    listed = (pair for pair in pairs if not pair[1].holder.end_user or pair[1].usd is not None)
    return sorted(listed, key=lambda pair: (pair[1].scope != "global", pair[0].owner))


def standing(payer: Payer, moment: datetime) -> Iterator[dict[str, object]]:
    """Yield each limit of a payer with what is used and held of it now; an account's if it has one."""
    used = windows.read(payer, moment)
    bounds = limits(payer)
    needed = _needed(bounds)
    for limit in bounds:
        if limit.holder not in needed:
            continue
        window = used[limit.holder, limit.period]
        yield {
            "scope": limit.scope,
            "window": limit.period.value,
            "window_starts": window.starts_on.isoformat(),
            "window_ends": limit.period.end(moment).isoformat(),
            "limit_usd": None if limit.usd is None else plain(limit.usd),
            "used_usd": plain(window.spent_usd),
            "held_usd": plain(window.held_usd),
        }
