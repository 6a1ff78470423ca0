"""What was spent, by day, operation, model and key: read from the sums by day, never from the ledger."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from usage.models import DailyUsage, Outcome, UsageRecord
from usage.models.record import TOKEN_CLASSES
from usage.statements import Prepared

SUMS: Final = ("calls", "incomplete", *TOKEN_CLASSES, "cost_usd", "saved_usd")
FAILURES: Final = (Outcome.FAILED, Outcome.REJECTED, Outcome.TIMEOUT, Outcome.SWEPT)
_LATEST: Final = 2_000
_LEARNT_DAYS: Final = 28
_EIGHTY_PERCENT: Final = Decimal("1.2816")  # standard deviations on either side


def rows(first: date | None, last: date, account_id: int | None = None) -> QuerySet[DailyUsage]:
    """Return the sums of the days from ``first`` to ``last``, of one account's keys or of all."""
    found = DailyUsage.objects.filter(day__lte=last)
    if first is not None:
        found = found.filter(day__gte=first)
    return found if account_id is None else found.filter(api_key__account=account_id)


def total(found: QuerySet[DailyUsage]) -> dict[str, Any]:
    """Return calls, tokens by class, cost, savings, and the share of input that the cache served."""
    sums: dict[str, object] = found.aggregate(**{name: Sum(name) for name in SUMS})
    return _completed(sums)


def daily(first: date, last: date, account_id: int) -> dict[date, dict[str, object]]:
    """Return the sums of an account's keys for each day that has any; compiled once."""
    return {
        day: dict(zip(SUMS, sums, strict=True))
        for day, *sums in _DAILY.rows(first, last, account_id)
    }


def together(days: Iterable[dict[str, object]]) -> dict[str, object]:
    """Return the same as `total` from the sums of days."""
    found = list(days)
    return _completed({name: sum(day[name] for day in found) for name in SUMS})


_DAILY: Final = Prepared(
    lambda first, last, account_id: (
        rows(first, last, account_id)
        .order_by()
        .values_list("day")
        .annotate(**{f"{name}_sum": Sum(name) for name in SUMS})
    ),
    date(1, 1, 1),
    date(1, 1, 2),
    -7,
)


def total_of(records: QuerySet[UsageRecord]) -> dict[str, object]:
    """Return the same of rows of the ledger, few ones, but for the savings."""
    sums: dict[str, object] = records.aggregate(
        calls=Count("pk"),
        incomplete=Count("pk", filter=Q(usage_complete=False)),
        cost_usd=Sum("cost_usd"),
        **{name: Sum(name) for name in TOKEN_CLASSES},
    )
    return _completed(sums | {"saved_usd": None})


def by(found: QuerySet[DailyUsage], *names: str) -> list[dict[str, Any]]:
    """Return the same for each value of one or more columns, the dearest first."""
    groups = [_completed(group) for group in _grouped(found, names, SUMS)]
    return sorted(
        (group for group in groups if group["calls"]), key=lambda g: g["cost_usd"], reverse=True
    )


def spent_this_month(column: str) -> dict[object, Decimal]:
    """Return what this month cost so far for each value of a column."""
    day = today()
    groups = rows(day.replace(day=1), day).values(column).order_by()
    return {g[column]: g["cost"] for g in groups.annotate(cost=Sum("cost_usd"))}


def costs_by(found: QuerySet[DailyUsage], *names: str) -> list[dict[str, Any]]:
    """Return calls and cost alone for each value of one or more columns: a chart needs no more."""
    return [group for group in _grouped(found, names, ("calls", "cost_usd")) if group["calls"]]


def _grouped(
    found: QuerySet[DailyUsage], names: tuple[str, ...], sums: tuple[str, ...]
) -> list[dict[str, object]]:
    groups = found.values(*names).order_by().annotate(**{f"{n}_sum": Sum(n) for n in sums})
    return [
        {**{name: group[name] for name in names}, **{name: group[f"{name}_sum"] for name in sums}}
        for group in groups
    ]


def added(groups: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what groups are together, so that nothing is added up twice."""
    sums = {name: sum((group[name] for group in groups), Decimal(0)) for name in SUMS}
    return _completed(sums)


def _completed(sums: dict[str, Any]) -> dict[str, Any]:
    """Make whole numbers of sums, and add the share of the input that the cache served."""
    found = dict(sums)
    found |= {name: int(sums[name] or 0) for name in SUMS if not name.endswith("_usd")}
    found |= {name: sums[name] or Decimal(0) for name in ("cost_usd", "saved_usd")}
    prompt = sum(found[name] for name in TOKEN_CLASSES if name != "output_tokens")
    found["cache_hit_rate"] = found["cache_read_tokens"] / prompt if prompt else None
    return found


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a month will have cost, and between what it will lie four times out of five."""

    usd: Decimal
    low: Decimal
    high: Decimal


def forecast(today: date) -> Forecast | None:
    """Go on as the last four weeks went, workdays and weekends apart; None with less than a week.

    The range takes the days for independent: it is as wide as they differed from one another.
    """
    daily = dict.fromkeys(
        (today - timedelta(days=ago) for ago in range(1, _LEARNT_DAYS + 1)), Decimal(0)
    )
    known = {
        group["day"]: group["cost_usd"]
        for group in by(rows(min(daily), today - timedelta(days=1)), "day")
    }
    began = min(known, default=today)
    past = {day: known.get(day, Decimal(0)) for day in daily if day >= began}
    if len(past) < 7:
        return None
    spent = total(rows(today.replace(day=1), today - timedelta(days=1)))["cost_usd"]
    so_far = total(rows(today, today))["cost_usd"]
    following = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    coming = [today + timedelta(days=n) for n in range((following - today).days)]
    mean, variance = Decimal(0), Decimal(0)
    for day in coming:
        alike = [cost for past_day, cost in past.items() if _rests(past_day) == _rests(day)]
        alike = alike or list(past.values())
        usual = statistics.mean(alike)
        mean += max(usual, so_far) if day == today else usual
        variance += statistics.pvariance(alike)
    spread = variance.sqrt() * _EIGHTY_PERCENT
    at_least = spent + so_far
    expected = spent + mean
    return Forecast(expected, max(at_least, expected - spread), expected + spread)


def _rests(day: date) -> bool:
    return day.weekday() >= 5


def latency() -> dict[str, int] | None:
    """Return p50 and p95 of the latest answers in milliseconds, and of how many; None without any."""
    latest: list[Any] = list(
        UsageRecord.objects.filter(outcome=Outcome.ANSWERED, latency_ms__isnull=False)
        .filter(started_at__gte=timezone.now() - timedelta(days=30))
        .order_by("-started_at")
        .values_list("latency_ms", flat=True)[:_LATEST]
    )
    if len(latest) < 2:
        return None
    parts = statistics.quantiles(latest, n=20, method="inclusive")
    return {"p50": round(parts[9]), "p95": round(parts[18]), "calls": len(latest)}


def series(
    groups: Iterable[dict[str, Any]], name: str, days: list[date], most: int = 6
) -> list[tuple[object, list[Decimal]]]:
    """Arrange sums by day and another column as lines over the days; the rest of many as ``None``."""
    lines: dict[object, dict[date, Decimal]] = {}
    for group in groups:
        line = lines.setdefault(group[name], {})
        line[group["day"]] = line.get(group["day"], Decimal(0)) + group["cost_usd"]
    ranked = sorted(lines.items(), key=lambda item: sum(item[1].values()), reverse=True)
    shown = [(value, [line.get(day, Decimal(0)) for day in days]) for value, line in ranked[:most]]
    if ranked[most:]:
        rest = [
            sum((line.get(day, Decimal(0)) for _, line in ranked[most:]), Decimal(0))
            for day in days
        ]
        shown.append((None, rest))
    return shown


def today(now: datetime | None = None) -> date:
    """Return the day in Santiago."""
    return timezone.localdate(now or timezone.now())
