"""What a crash left behind: settlements on disk are replayed, orphaned rows settled by what is known.

A row whose process noted how far it had come (`journal`) is settled at that, the rest by the one rule
for what is unknown (`unknown`). The row says ``swept`` and incomplete, for whoever compares it with the
provider's bill and corrects it (`corrections`).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from django.conf import settings
from django.utils import timezone

from usage.accounting import journal, ledger, prices, process, spool
from usage.accounting.journal import Note
from usage.accounting.ledger import OpenCall, Settlement
from usage.models import IdempotentAnswer, Outcome, State, UsageRecord

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
    """Replay the spool, then settle every orphan and give up what dead processes had claimed."""
    replayed = spool.replay()
    dead = {process_id: journal.last_notes(process_id) for process_id in process.dead()}
    stale_before = timezone.now() - timedelta(seconds=settings.ANTHROPIC_TOTAL_TIMEOUT) - _MARGIN
    settled = left = 0
    for record in UsageRecord.objects.filter(state=State.OPEN).select_related("price"):
        if record.process not in dead and record.started_at > stale_before:
            left += 1
            continue
        call = ledger.as_open_call(record)
        note = dead.get(record.process, {}).get(call.id)
        settled += ledger.settle(call, _settlement(call, note)).first
    IdempotentAnswer.objects.filter(process__in=dead, finished_at=None).delete()
    for process_id in dead:  # nothing of theirs is open any more
        journal.remove(process_id)
        process.forget(process_id)
    if settled:
        log.warning("swept", settled=settled, open=left)
    return Swept(replayed, settled, left)


def _settlement(call: OpenCall, note: Note | None) -> Settlement:
    if note is None:
        return Settlement(Outcome.SWEPT, unknown=True)
    return Settlement(
        Outcome.SWEPT,
        note.usage,
        prices.cost(note.usage, call.price, inference_geo=settings.ANTHROPIC_INFERENCE_GEO),
        usage_complete=False,
        inference_geo=settings.ANTHROPIC_INFERENCE_GEO,
        provider_message_id=note.message_id,
        provider_request_id=note.request_id,
    )
