"""What the server does for its books in the background: sweep, replay, watch the budgets."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

import structlog
from django.db import DatabaseError, InterfaceError, connections
from django.utils import timezone

from usage import metrics
from usage.accounting import beats, rollup, spool, warnings
from usage.accounting.sweep import sweep
from usage.http import idempotency

log = structlog.get_logger(__name__)

EVERY_SECONDS: Final = 30.0
_LATE_AFTER: Final = 5 * EVERY_SECONDS


class Upkeep:
    """The steps, each done although another one fails, and when all of them last went well."""

    def __init__(self) -> None:
        self._began: datetime | None = None
        self._last_beat: datetime | None = None
        self._failing: dict[str, str] = {}
        self._steps: dict[str, Callable[[], object]] = {
            "beat": beats.beat,
            "sweep": _sweep,
            "budgets": lambda: warnings.watch(timezone.now()),
            "idempotency": idempotency.forget_old,
            "rollup": rollup.fold,
            "spool": _count_files,
        }

    def once(self) -> None:
        """Do everything that is due; what fails is tried again next time."""
        self._began = self._began or timezone.now()
        self._failing = {
            name: error for name, step in self._steps.items() if (error := _attempt(name, step))
        }
        connections.close_all()
        if not self._failing:
            self._last_beat = timezone.now()
            metrics.UPKEEP_BEAT.set(self._last_beat.timestamp())

    def status(self) -> dict[str, Any]:
        """Return the state for ``/health``: when all went well last, and what does not."""
        if self._began is None:
            return {"status": "not_started"}
        silent = (timezone.now() - (self._last_beat or self._began)).total_seconds()
        found: dict[str, Any] = {
            "status": "ok" if silent < _LATE_AFTER else "down",
            "last_beat": self._last_beat and self._last_beat.isoformat(timespec="seconds"),
            "spooled": len(spool.waiting()),
            "damaged": len(spool.damaged()),
        }
        if self._failing:
            found["failing"] = dict(self._failing)
        return found


def _attempt(name: str, step: Callable[[], object]) -> str:
    """Do a step; return what kind of error it ended in, empty if it went well."""
    try:
        step()
    except (DatabaseError, InterfaceError) as exc:
        log.warning("upkeep_failed", step=name, error=type(exc).__name__)
        return type(exc).__name__
    except Exception as exc:  # the thread must outlive whatever goes wrong in it
        log.exception("upkeep_failed", step=name)
        return type(exc).__name__
    return ""


def _sweep() -> None:
    found = sweep()
    metrics.OPEN_CALLS.set(found.open)
    metrics.OLDEST_OPEN.set(found.oldest_open_seconds)


def _count_files() -> None:
    metrics.SPOOLED.set(len(spool.waiting()))
    metrics.SPOOL_DAMAGED.set(len(spool.damaged()))


_upkeep: Final = Upkeep()
once = _upkeep.once
status = _upkeep.status


def start() -> None:
    """Begin at once, and go on until the process ends."""
    threading.Thread(target=_run, name="upkeep", daemon=True).start()


def _run() -> None:
    while True:
        once()
        time.sleep(EVERY_SECONDS)
