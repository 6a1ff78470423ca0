"""What the server does for its books in the background: sweep, replay, watch the budgets."""

import threading
import time
from typing import Final

import structlog
from django.db import DatabaseError, InterfaceError, connections
from django.utils import timezone

from usage import metrics
from usage.accounting import budgets, spool
from usage.accounting.sweep import sweep
from usage.http import idempotency

log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 30.0


def start() -> None:
    """Begin at once, and go on until the process ends."""
    threading.Thread(target=_run, name="upkeep", daemon=True).start()


def _run() -> None:
    while True:
        once()
        time.sleep(EVERY_SECONDS)


def once() -> None:
    """Do everything that is due; a database that is away is tried again next time."""
    try:
        swept = sweep()
        metrics.OPEN_CALLS.set(swept.open)
        budgets.watch(timezone.now())
        idempotency.forget_old()
    except (DatabaseError, InterfaceError) as exc:
        log.warning("upkeep_failed", error=type(exc).__name__)
    finally:
        metrics.SPOOLED.set(len(spool.waiting()))
        connections.close_all()
