"""Telling people of a notice: webhook and e-mail, each until it is taken or given up.

A delivery is written with its notice. A thread of the run sends what is due, so that a receiver that
hangs holds nothing up; what was not taken is tried again by later runs.
"""

import threading
import time
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import connections
from django.utils import timezone

from knowledge.models import SiiDelivery, SiiNotice
from usage import notifying
from usage.notifying import escaped

log = structlog.get_logger(__name__)

WEBHOOK_SECONDS: Final = 10

# Seconds until the next attempt, after the first, the second … ; then it is given up.
RETRIES: Final = (2, 10, 60, 300, 1_800, 7_200, 21_600, 43_200)
# While it is being tried nobody else tries.
_CLAIM: Final = timedelta(minutes=2)
# How long a run that has ended waits for deliveries that are soon due again.
LINGER_SECONDS: Final = 20.0

Channel = SiiDelivery.Channel


def channels() -> list[str]:
    """Return the channels that settings configure."""
    configured = {
        Channel.WEBHOOK: settings.SII_MONITOR_WEBHOOK_URL,
        Channel.EMAIL: settings.SII_MONITOR_EMAILS,
    }
    return [channel for channel, wanted in configured.items() if wanted]


def enqueue(notice: SiiNotice) -> None:
    """Write down who has to hear of a notice, in the transaction that stores it."""
    SiiDelivery.objects.bulk_create(
        SiiDelivery(notice=notice, channel=channel) for channel in channels()
    )


def deliver_due() -> None:
    """Try everything that is due, once."""
    due = SiiDelivery.objects.filter(delivered_at=None, due_at__lte=timezone.now())
    for delivery in due.select_related("notice__source").order_by("due_at"):
        mine = SiiDelivery.objects.filter(pk=delivery.pk, due_at=delivery.due_at, delivered_at=None)
        if mine.update(due_at=timezone.now() + _CLAIM):
            _try(delivery)


def _try(delivery: SiiDelivery) -> None:
    send = _post if delivery.channel == Channel.WEBHOOK else _mail
    error = ""
    try:
        send(delivery.notice)
    except notifying.FAILURES as exc:
        error = notifying.reason(exc)
        log.warning("sii.not_delivered", channel=delivery.channel, error=error)
    delivery.attempts += 1
    delivery.error = error[:200]
    delivery.due_at = None
    if not error:
        delivery.delivered_at = timezone.now()
    elif delivery.attempts <= len(RETRIES):
        delivery.due_at = timezone.now() + timedelta(seconds=RETRIES[delivery.attempts - 1])
    delivery.save(update_fields=["attempts", "error", "due_at", "delivered_at"])


# --- Webhook --------------------------------------------------------------------------------------


def _post(notice: SiiNotice) -> None:
    notifying.post(
        settings.SII_MONITOR_WEBHOOK_URL,
        settings.SII_MONITOR_WEBHOOK_SECRET,
        payload(notice),
        name=str(notice.pk),
        seconds=WEBHOOK_SECONDS,
        user_agent=settings.SII_MONITOR_USER_AGENT,
    )


def payload(notice: SiiNotice) -> dict[str, object]:
    """Return a message that Slack's incoming webhooks take, with the notice itself in ``metadata``."""
    title = f"[{notice.get_impact_display()}] {notice}"
    lines = [f"*{escaped(title)}*", escaped(notice.summary)]
    if notice.actions:
        lines += [f"• {escaped(action)}" for action in notice.actions]
    if notice.rules:
        codes = ", ".join(rule["code"] for rule in notice.rules[:20])
        lines.append(f"Reglas que citan lo mismo: {escaped(codes)}")
    lines.append(escaped(notice.url))
    text = "\n".join(lines)
    return {
        "text": escaped(f"{title}: {notice.summary}")[:3_000],
        "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text[:3_000]}}],
        "metadata": {
            "event_type": "sii_notice",
            "event_payload": {
                "id": notice.pk,
                "source": notice.source.slug,
                "url": notice.url,
                "created_at": notice.created_at.isoformat(),
                "kind": notice.kind,
                "number": notice.number,
                "dates": notice.dates,
                "dte_types": notice.dte_types,
                "components": notice.components,
                "impact": notice.get_impact_display(),
                "summary": notice.summary,
                "actions": notice.actions,
                "rules": [rule["code"] for rule in notice.rules],
                "documents": [document["slug"] for document in notice.documents],
                "classified_by": notice.classified_by,
            },
        },
    }


# --- E-mail ---------------------------------------------------------------------------------------


def _mail(notice: SiiNotice) -> None:
    parts = [
        notice.summary,
        "\n".join(f"- {action}" for action in notice.actions),
        f"Página: {notice.url}",
        "Reglas que citan lo mismo: " + ", ".join(rule["code"] for rule in notice.rules)
        if notice.rules
        else "",
        "Documentos que citan lo mismo: "
        + ", ".join(document["title"] for document in notice.documents)
        if notice.documents
        else "",
        f"Qué cambió:\n{notice.diff[:20_000]}",
        f"Clasificado por: {notice.get_classified_by_display()}.",
    ]
    subject = f"SII, impacto {notice.get_impact_display()}: {notice}"
    notifying.mail(subject, parts, settings.SII_MONITOR_EMAILS)


# --- The thread of a run --------------------------------------------------------------------------


class Courier:
    """Delivers beside a run; `finish` waits for what is soon due again, and for no longer."""

    def __init__(self) -> None:
        self._wake = threading.Event()
        self._ending: float | None = None
        self._thread = threading.Thread(target=self._work, name="sii-courier", daemon=True)

    def start(self) -> None:
        """Begin with what earlier runs left."""
        self._thread.start()
        self.wake()

    def wake(self) -> None:
        """Look for what is due now."""
        self._wake.set()

    def finish(self) -> None:
        """Deliver what can be delivered soon, and end."""
        self._ending = time.monotonic() + LINGER_SECONDS
        self.wake()
        self._thread.join(LINGER_SECONDS + 2 * WEBHOOK_SECONDS)

    def _work(self) -> None:
        try:
            while True:
                self._wake.wait(_seconds_until(_next_due()))
                self._wake.clear()
                deliver_due()
                if self._ending is not None:
                    soon = timezone.now() + timedelta(
                        seconds=max(0.0, self._ending - time.monotonic())
                    )
                    due = _next_due()
                    if due is None or due > soon:
                        return
        except Exception:  # the run must not notice; what is due stays due
            log.exception("sii.courier_failed")
        finally:
            connections.close_all()


def _next_due() -> datetime | None:
    pending = SiiDelivery.objects.filter(delivered_at=None, due_at__isnull=False)
    return pending.order_by("due_at").values_list("due_at", flat=True).first()


def _seconds_until(moment: datetime | None) -> float:
    return 60.0 if moment is None else max(0.0, (moment - timezone.now()).total_seconds())
