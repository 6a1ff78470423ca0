"""The admin's home: what is spent, where it goes, what is left, and what is not as it should be."""

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, TypedDict

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count
from django.http import HttpRequest
from django.utils import timezone

from dte.models import Validation
from usage.accounting import budgets, reports, upkeep
from usage.accounting.budgets import Limit
from usage.admin.base import grouped
from usage.models import ApiKey, BudgetWindow, Operation
from usage.models.budget import Holder
from usage.models.record import TOKEN_CLASSES
from usage.money import rounded

SPANS: Final = (30, 90)
_COLOURS: Final = ("#0e7490", "#d97706", "#7c3aed", "#16a34a", "#db2777", "#2563eb", "#94a3b8")
_TOKEN_NAMES: Final = dict(
    zip(
        TOKEN_CLASSES,
        ("sin caché", "escritas, 5 min", "escritas, 1 h", "leídas de caché", "de salida"),
        strict=True,
    )
)
_CHART: Final = {
    "animation": False,
    "maintainAspectRatio": False,
    "interaction": {"mode": "index", "intersect": False},
    "plugins": {"legend": {"position": "bottom", "labels": {"color": "#7b8794", "boxWidth": 12}}},
    "locale": "es-CL",
    "scales": {
        "x": {
            "stacked": True,
            "grid": {"display": False},
            "ticks": {"color": "#7b8794", "maxRotation": 0, "autoSkipPadding": 12},
        },
        "y": {"stacked": True, "beginAtZero": True, "grid": {}, "ticks": {"color": "#7b8794"}},
    },
}


def fill(request: HttpRequest, context: dict[str, object]) -> dict[str, object]:
    """Add what the home page shows to those who may see costs."""
    if not request.user.has_perm("usage.view_usagerecord"):
        return context
    now = timezone.now()
    span = 90 if request.GET.get("dias") == "90" else 30
    today = reports.today(now)
    month = reports.total(reports.rows(today.replace(day=1), today))
    forecast = reports.forecast(today)
    bars = [
        _bar(window, limit, now)
        for window, limit in budgets.in_use(now)
        if window.api_key is None or window.api_key.is_active(now)
    ]
    context |= {
        "costs": True,
        "span": span,
        "spans": SPANS,
        "cards": [
            _card("Hoy", reports.total(reports.rows(today, today))["cost_usd"]),
            _card("Este mes", month["cost_usd"]),
            _forecast_card(forecast),
            _saved_card(month),
        ],
        "banner": [*_warnings(bars), *_ills()],
        "global_bars": [bar for bar in bars if bar["scope"] == "global"],
        "key_bars": sorted(
            (bar for bar in bars if bar["scope"] != "global"),
            key=lambda b: b["percent"],
            reverse=True,
        )[:8],
        **_recent_span(span, today),
        "latency": _latency(),
        "validations": _validations(now) if request.user.has_perm("dte.view_validation") else None,
    }
    return context


def clp(amount: Decimal) -> str:
    """Write an amount of dollars in pesos; empty where no rate is set."""
    if settings.CLP_PER_USD is None:
        return ""
    pesos = (amount * settings.CLP_PER_USD).quantize(Decimal(1), ROUND_HALF_UP)
    return f"$ {grouped(pesos)} CLP"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{grouped(100 * share, 1)} %"


def _card(title: str, amount: Decimal, note: str = "") -> dict[str, str]:
    return {"title": title, "value": f"US$ {rounded(amount)}", "clp": clp(amount), "note": note}


def _forecast_card(forecast: reports.Forecast | None) -> dict[str, str]:
    title = "Fin de mes, pronóstico"
    if forecast is None:
        return {"title": title, "value": "–", "clp": "", "note": "Con una semana de datos."}
    note = f"entre {rounded(forecast.low)} y {rounded(forecast.high)}, 4 de 5 veces"
    return _card(title, forecast.usd, note)


def _saved_card(month: dict[str, Any]) -> dict[str, str]:
    rate = month["cache_hit_rate"]
    note = "" if rate is None else f"{_percent(rate)} de la entrada se leyó de ella"
    return _card("La caché ahorró este mes", month["saved_usd"], note)


class Bar(TypedDict):
    """A budget as the page draws it."""

    scope: str
    title: str
    percent: int
    state: str
    spent: str
    held: str
    limit: str | None
    ends: str


def _bar(window: BudgetWindow, limit: Limit, now: datetime) -> Bar:
    """Describe a budget: what is used and held of it, and when its window ends."""
    taken = window.spent_usd + window.held_usd
    share = taken / limit.usd if limit.usd else Decimal(1 if limit.usd is not None else 0)
    ends = timezone.localtime(limit.period.end(now))
    percent = min(100, round(100 * share))
    near = limit.usd is not None and 100 * share >= limit.soft_percent
    return {
        "scope": limit.scope,
        "title": f"{_whose(window)}, por {limit.period.label}",
        "percent": percent,
        "state": "full" if limit.usd is not None and share >= 1 else "near" if near else "",
        "spent": rounded(window.spent_usd),
        "held": rounded(window.held_usd) if window.held_usd else "",
        "limit": None if limit.usd is None else rounded(limit.usd),
        "ends": f"{ends:%d-%m} a las {ends:%H:%M}",
    }


def _whose(window: BudgetWindow) -> str:
    if window.holder == Holder():
        return "Todas las claves"
    return window.owner if window.api_key is None else window.api_key.name


def _warnings(bars: list[Bar]) -> list[str]:
    return [
        f"{bar['title']}: {bar['percent']} % de US$ {bar['limit']}, hasta el {bar['ends']}."
        for bar in bars
        if bar["state"]
    ]


def _ills() -> list[str]:
    """Say what is wrong with the books' background work, as /health does."""
    state = upkeep.status()
    found = []
    if state["status"] == "down" or state.get("failing"):
        what = ", ".join(state.get("failing", {})) or "sin señales"
        found.append(f"El trabajo de fondo de la contabilidad no anda bien ({what}).")
    if state.get("spooled"):
        found.append(f"Liquidaciones en disco, a la espera de la base: {state['spooled']}.")
    if state.get("damaged"):
        found.append(f"Liquidaciones en disco que no se pueden leer: {state['damaged']}.")
    return found


def _recent_span(days: int, today: date) -> dict[str, object]:
    """Return charts and tables of the last days, as of the last minute."""
    first = today - timedelta(days=days - 1)
    return cache.get_or_set(f"dashboard.span.{first}", lambda: _span(first, today), 60) or {}


def _span(first: date, last: date) -> dict[str, object]:
    """Return the charts and tables of a span of days."""
    rows = reports.rows(first, last)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    keys = reports.by(rows, "api_key")
    whole = reports.added(keys)
    names = dict(
        ApiKey.objects.filter(pk__in=[k["api_key"] for k in keys]).values_list("pk", "name")
    )
    outcomes = reports.costs_by(rows, "outcome")
    failed = sum(group["calls"] for group in outcomes if group["outcome"] in reports.FAILURES)
    charts: list[tuple[str, str, Mapping[Any, str]]] = [
        ("Costo por operación", "operation", dict(Operation.choices)),
        ("Costo por modelo", "model", {"": "sin modelo"}),
        ("Costo por clave", "api_key", names),
    ]
    return {
        "charts": [
            {
                "title": title,
                "data": _stacked(reports.costs_by(rows, "day", column), column, days, labels),
                "options": json.dumps(_CHART),
            }
            for title, column, labels in charts
        ],
        "tokens": [(label, grouped(whole[name])) for name, label in _TOKEN_NAMES.items()],
        "span_cost": rounded(whole["cost_usd"]),
        "span_saved": rounded(whole["saved_usd"]),
        "span_hit_rate": _percent(whole["cache_hit_rate"]),
        "calls": grouped(whole["calls"]),
        "failed": grouped(failed),
        "failed_share": _percent(failed / whole["calls"] if whole["calls"] else None),
        "incomplete": grouped(whole["incomplete"]) if whole["incomplete"] else "",
        "top_keys": [
            {
                "id": key["api_key"],
                "name": names.get(key["api_key"], "–"),
                "calls": grouped(key["calls"]),
                "cost": rounded(key["cost_usd"]),
                "hit_rate": _percent(key["cache_hit_rate"]),
            }
            for key in keys[:10]
        ],
    }


def _stacked(
    groups: list[dict[str, Any]], column: str, days: list[date], labels: Mapping[Any, str]
) -> str:
    lines = reports.series(groups, column, days)
    return json.dumps(
        {
            "labels": [f"{day:%d-%m}" for day in days],
            "datasets": [
                {
                    "label": "las demás" if value is None else labels.get(value, str(value)),
                    "data": [float(amount) for amount in line],  # a picture needs no more
                    "backgroundColor": colour,
                    "maxBarThickness": 24,
                }
                for (value, line), colour in zip(lines, _COLOURS, strict=False)
            ],
        }
    )


def _latency() -> dict[str, str] | None:
    found = reports.latency()
    if found is None:
        return None
    return {
        "p50": grouped(found["p50"] / 1000, 1),
        "p95": grouped(found["p95"] / 1000, 1),
        "calls": grouped(found["calls"]),
    }


def _validations(now: datetime) -> list[dict[str, object]]:
    """Count the verdicts of thirty days, as of the last minute."""

    def count() -> dict[str, int]:
        recent = Validation.objects.filter(created_at__gte=now - timedelta(days=30)).order_by()
        return dict(recent.values_list("recommendation").annotate(Count("pk")))

    counted = cache.get_or_set("dashboard.verdicts", count, 60) or {}
    return [
        {"value": value, "label": label, "count": grouped(counted.get(value, 0))}
        for value, label in Validation.Recommendation.choices
    ]
