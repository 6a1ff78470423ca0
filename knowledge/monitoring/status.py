"""The monitor's figures: in the cache for whoever asks, and rebuilt from the database without it."""

from datetime import timedelta
from typing import Final

import structlog
from django.core.cache import cache
from django.db.models import Count, Sum
from django.utils import timezone
from redis.exceptions import RedisError

from knowledge.models import SiiNotice, SiiRun, SiiSource

log = structlog.get_logger(__name__)

KEY: Final = "sii:status"
# Figures change by themselves as notices grow old, and when somebody edits a source.
KEEP_SECONDS: Final = 60
DAY: Final = timedelta(hours=24)


def figures() -> dict[str, object]:
    """Return what the monitor has done and found; plain values, ready for JSON."""
    try:
        kept: dict[str, object] | None = cache.get(KEY)
    except (RedisError, OSError) as exc:
        log.warning("sii.cache_away", error=type(exc).__name__)
        kept = None
    return kept if kept is not None else refresh()


def refresh() -> dict[str, object]:
    """Count anew, and keep the result for everybody."""
    counted = _count()
    try:
        cache.set(KEY, counted, KEEP_SECONDS)
    except (RedisError, OSError) as exc:
        log.warning("sii.cache_away", error=type(exc).__name__)
    return counted


def _count() -> dict[str, object]:
    now = timezone.now()
    totals = SiiSource.objects.aggregate(checks=Sum("checks"), errors=Sum("errors"))
    checks, errors = totals["checks"] or 0, totals["errors"] or 0
    recent = SiiNotice.objects.filter(created_at__gte=now - DAY)
    by_impact = dict(
        recent.order_by()
        .values_list("impact")
        .annotate(number=Count("pk"))
        .values_list("impact", "number")
    )
    last = SiiRun.objects.first()
    active = SiiRun.objects.filter(active=True, expires_at__gte=now).first()
    sources = SiiSource.objects.filter(is_active=True)
    last_checks = [source.last_checked_at for source in sources if source.last_checked_at]
    return {
        "running": active is not None,
        "last_run": None if last is None else _run(last),
        "last_check": max(last_checks).isoformat() if last_checks else None,
        "total_checks": checks,
        "errors": errors,
        "error_rate": round(errors / checks, 4) if checks else 0.0,
        "notices_24h": sum(by_impact.values()),
        "notices_24h_by_impact": {
            label: by_impact.get(value, 0) for value, label in SiiNotice.Impact.choices
        },
        "notices_unreviewed": SiiNotice.objects.filter(reviewed_at=None).count(),
        "sources": [_source(source) for source in sources],
    }


def _run(run: SiiRun) -> dict[str, object]:
    return {
        "started_at": run.started_at.isoformat(),
        "finished_at": run.finished_at and run.finished_at.isoformat(),
        "forced": run.forced,
        "checks": run.checks,
        "errors": run.errors,
        "notices": run.notices,
    }


def _source(source: SiiSource) -> dict[str, object]:
    return {
        "source": source.slug,
        "name": source.name,
        "url": source.url,
        "last_check": source.last_checked_at and source.last_checked_at.isoformat(),
        "last_success": source.last_ok_at and source.last_ok_at.isoformat(),
        "last_change": source.last_changed_at and source.last_changed_at.isoformat(),
        "result": source.last_result or "never",
        "detail": source.last_detail,
        "checks": source.checks,
        "errors": source.errors,
    }
