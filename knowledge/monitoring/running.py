"""A run over all sources: one at a time on all hosts, in this thread or behind a request."""

import threading
from collections.abc import Callable

import structlog
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from knowledge.models import SiiRun, SiiSource
from knowledge.models.sii import LOCK
from knowledge.monitoring import status
from knowledge.monitoring.checking import CheckResult, LostLockError, check
from knowledge.monitoring.fetching import Fetcher
from knowledge.monitoring.notifying import Courier

log = structlog.get_logger(__name__)

Listener = Callable[[SiiSource, CheckResult], None]


class BusyError(Exception):
    """Another run is active.

    Attributes:
        run: That run; None if it has just ended.
    """

    def __init__(self, run: SiiRun | None) -> None:
        super().__init__("another run is active")
        self.run = run


def acquire(*, force: bool) -> SiiRun:
    """Begin a run.

    Args:
        force: What the run will do, for the record.

    Raises:
        BusyError: Another one is active, and has shown itself lately.
    """
    now = timezone.now()
    SiiRun.objects.filter(active=True, expires_at__lt=now).update(active=None)
    try:
        with transaction.atomic():
            return SiiRun.objects.create(forced=force, expires_at=now + LOCK)
    except IntegrityError:
        raise BusyError(SiiRun.objects.filter(active=True).first()) from None


def run(
    run: SiiRun,
    *,
    fetcher: Fetcher | None = None,
    tell: Listener | None = None,
) -> None:
    """Look at every active source once, then let the next run begin.

    Args:
        run: What `acquire` returned.
        fetcher: What fetches; one with the settings' limits by default.
        tell: Called after each source.
    """
    fetcher = fetcher or Fetcher()
    courier = Courier()
    courier.start()
    try:
        for source in SiiSource.objects.filter(is_active=True):
            if not run.beat():
                raise LostLockError
            outcome = _check(source, run, fetcher)
            status.refresh()
            if outcome.notice is not None:
                courier.wake()
            if tell is not None:
                tell(source, outcome)
    except LostLockError:
        log.warning("sii.lock_lost", run=run.pk)
    finally:
        fetcher.close()
        run.end()
        status.refresh()
        courier.finish()


def _check(source: SiiSource, run: SiiRun, fetcher: Fetcher) -> CheckResult:
    try:
        return check(source, run, fetcher, force=run.forced)
    except LostLockError:
        raise
    except Exception:  # one page must not keep the others from being looked at
        log.exception("sii.check_failed", source=source.slug)
        outcome = CheckResult("failed", "La revisión falló; el registro del servicio dice por qué.")
        SiiSource.objects.filter(pk=source.pk).update(
            last_result=outcome.result, last_detail=outcome.detail, last_checked_at=timezone.now()
        )
        run.count(failed=True, noticed=False)
        return outcome


def in_background(started: SiiRun) -> threading.Thread:
    """Do a run behind the request that asked for it; if the process ends, the lock expires."""

    def work() -> None:
        try:
            run(started)
        except Exception:
            log.exception("sii.run_failed", run=started.pk)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name="sii-monitor", daemon=True)
    thread.start()
    return thread
