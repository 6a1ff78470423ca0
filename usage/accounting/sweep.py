"""What a crash left behind: settlements on disk are replayed, orphaned rows settled at their bound."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from django.conf import settings
from django.utils import timezone

from usage.accounting import ledger, process, spool
from usage.accounting.ledger import OpenCall, Settlement
from usage.models import Outcome, State, UsageRecord

log = structlog.get_logger(__name__)

# How much longer than its own deadline a call may look open before nobody can still be at it.
_MARGIN: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did, and how many rows stay open because somebody is still at them."""

    replayed: int
    settled: int
    open: int


def sweep() -> Swept:
    """Replay the spool, then settle every orphan at its upper bound.

    The provider may have billed anything up to the bound, so the bound is what the ledger takes; the
    row says ``swept`` and incomplete, for whoever compares it with the provider's bill.
    """
    replayed = spool.replay()
    stale_before = timezone.now() - timedelta(seconds=settings.ANTHROPIC_TOTAL_TIMEOUT) - _MARGIN
    dead: dict[str, bool] = {}
    settled = left = 0
    for record in UsageRecord.objects.filter(state=State.OPEN).select_related("price"):
        if record.process not in dead:
            dead[record.process] = process.has_died(record.process)
        if not dead[record.process] and record.started_at > stale_before:
            left += 1
            continue
        call = ledger.as_open_call(record)
        settled += ledger.settle(call, _upper_bound(call))
    process.forget_the_dead()
    if settled:
        log.warning("swept", settled=settled, open=left)
    return Swept(replayed, settled, left)


def _upper_bound(call: OpenCall) -> Settlement:
    return Settlement(outcome=Outcome.SWEPT, cost_usd=call.held_usd, usage_complete=False)
