"""Warning of limits that are nearly reached or reached: log, metric, webhook and mail.

Once for each window and threshold, whichever process sees it first. What could not be delivered is tried
again at the next beat of the upkeep.
"""

from datetime import datetime
from decimal import Decimal
from typing import Final

import structlog
from django.conf import settings
from django.utils import timezone

from usage import metrics, notifying
from usage.accounting import budgets
from usage.accounting.budgets import Limit
from usage.models import BudgetWindow, Period
from usage.money import dollars, plain

log = structlog.get_logger(__name__)

FULL: Final = 100


def watch(moment: datetime) -> None:
    """Look at every window that is in use now: export what is used, warn of thresholds."""
    near = 0
    ratios = {(scope, period.value): 0.0 for scope in metrics.SCOPES for period in Period}
    for window, limit in budgets.in_use(moment):
        used = window.spent_usd + window.held_usd
        period = limit.period.value
        if limit.scope == "global":
            metrics.BUDGET_SPENT.labels(period).set(float(window.spent_usd))
            metrics.BUDGET_HELD.labels(period).set(float(window.held_usd))
            metrics.BUDGET_LIMIT.labels(period).set(
                float("inf" if limit.usd is None else limit.usd)
            )
        if limit.usd is not None and used:
            share = float(used / limit.usd) if limit.usd else 1.0
            ratios[limit.scope, period] = max(ratios[limit.scope, period], share)
        if threshold := _reached(limit, window):
            near += 1
            _tell_once(window, limit, threshold)
    for (scope, period), share in ratios.items():
        metrics.BUDGET_RATIO.labels(scope, period).set(share)
    metrics.BUDGETS_NEAR.set(near)


def _reached(limit: Limit, window: BudgetWindow) -> int:
    """Return the highest threshold in percent that a window has reached; 0 for none.

    What is held counts towards the warning and not as spent: most of it comes back.
    """
    if limit.usd is None or window.pk is None:
        return 0
    used = window.spent_usd + window.held_usd
    if window.spent_usd and window.spent_usd >= limit.usd:
        return FULL
    return limit.soft_percent if limit.is_near(used) else 0


def _tell_once(window: BudgetWindow, limit: Limit, threshold: int) -> None:
    before = window.warned_percent
    if threshold <= before:
        return
    mine = BudgetWindow.objects.filter(pk=window.pk, warned_percent=before)
    if not mine.update(warned_percent=threshold):
        return  # another process does
    try:
        _deliver(window, limit, threshold)
    except notifying.FAILURES as exc:
        log.warning("budget_warning_not_delivered", error=notifying.reason(exc))
        BudgetWindow.objects.filter(pk=window.pk, warned_percent=threshold).update(
            warned_percent=before
        )
        return
    metrics.BUDGET_WARNINGS.labels(scope=limit.scope, period=limit.period.value).inc()
    log.warning(
        "budget_near_limit",
        scope=limit.scope,
        api_key=window.api_key_id,
        account=window.account_id,
        period=window.period,
        threshold=threshold,
        used_usd=plain(window.spent_usd + window.held_usd),
        limit_usd=None if limit.usd is None else plain(limit.usd),
    )


def _deliver(window: BudgetWindow, limit: Limit, threshold: int) -> None:
    text = sentence(window, limit)
    if settings.BUDGET_WEBHOOK_URL:
        notifying.post(
            settings.BUDGET_WEBHOOK_URL,
            settings.BUDGET_WEBHOOK_SECRET,
            payload(window, limit, threshold),
            name=f"budget-{window.pk}-{threshold}",
        )
    if settings.BUDGET_EMAILS:
        subject = f"Presupuesto al {threshold} %: {window.owner}, por {limit.period.label}"
        notifying.mail(subject, [text], settings.BUDGET_EMAILS)


def sentence(window: BudgetWindow, limit: Limit) -> str:
    """Say how much of a limit is used, and until when it holds."""
    ends = timezone.localtime(limit.period.end(timezone.now()))
    held = f" y {dollars(window.held_usd)} reservados" if window.held_usd else ""
    return (
        f"{window.owner}, por {limit.period.label}: {dollars(window.spent_usd)} gastados{held} de "
        f"{dollars(limit.usd or Decimal(0))} USD. El período termina el {ends:%d-%m-%Y} a las "
        f"{ends:%H:%M}."
    )


def payload(window: BudgetWindow, limit: Limit, threshold: int) -> dict[str, object]:
    """Return a message that Slack's incoming webhooks take, with the numbers in ``metadata``."""
    return {
        "text": notifying.escaped(sentence(window, limit)),
        "metadata": {
            "event_type": "budget_threshold",
            "event_payload": {
                "threshold_percent": threshold,
                "scope": limit.scope,
                "api_key": None if window.api_key is None else window.api_key.prefix,
                "account": None if window.account is None else window.account.name,
                "end_user": window.end_user,
                "window": window.period,
                "window_starts": window.starts_on.isoformat(),
                "limit_usd": None if limit.usd is None else plain(limit.usd),
                "used_usd": plain(window.spent_usd),
                "held_usd": plain(window.held_usd),
            },
        },
    }
