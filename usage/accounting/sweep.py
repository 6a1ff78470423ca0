"""What a crash left behind: settlements on disk are replayed, orphaned rows settled by what is known.

A row is an orphan when its process is dead: known so by its lock on this host, by its silence on another
(`beats`). A row of this process is one when the process knows nothing of it: the database took the
reservation and could not say so, or lost the settlement with a replica that was never told. A row of a
process that nobody knows is one when nobody can still be at it.

What its process noted of the call (`journal`) is what it is settled at; where there is no note, what was
thought likely when it was reserved (`UsageRecord.likely_usd`). The row says ``swept`` and incomplete, for
whoever compares it with the provider's bill and corrects it (`corrections`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.conf import settings
from django.utils import timezone

from usage.accounting import beats, journal, ledger, prices, process, spool
from usage.accounting.journal import Note
from usage.accounting.ledger import OpenCall, Settlement
from usage.models import IdempotentAnswer, Outcome, State, UsageRecord

log = structlog.get_logger(__name__)

# How much longer than its own deadline a call may look open before nobody can still be at it.
_MARGIN: Final = timedelta(minutes=10)
# How much longer than its provider may take to begin a call may be reserved and not sent.
_UNSENT_MARGIN: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did, and how many rows stay open because somebody is still at them."""

    replayed: int
    settled: int
    open: int
    oldest_open_seconds: float = 0.0


def sweep() -> Swept:
    """Replay the spool, then settle every orphan and give up what dead processes had claimed."""
    replayed = spool.replay()
    dead = {*process.dead(), *beats.watch.silent()}
    notes: dict[str, dict[UUID, Note]] = {}
    oldest = now = timezone.now()
    settled = left = 0
    for record in UsageRecord.objects.filter(state=State.OPEN).select_related("price", "api_key"):
        if not _is_orphan(record, dead, now):
            left += 1
            oldest = min(oldest, record.started_at)
            continue
        call = ledger.as_open_call(record)
        if record.process not in notes:
            notes[record.process] = journal.last_notes(record.process)
        note = notes[record.process].get(call.id)
        settled += ledger.settle(call, _settlement(call, note)).first
    IdempotentAnswer.objects.filter(process__in=dead, finished_at=None).delete()
    for process_id in dead:  # nothing of theirs is open any more
        journal.remove(process_id)
        process.forget(process_id)
        beats.forget(process_id)
    if settled:
        log.warning("swept", settled=settled, open=left)
    return Swept(replayed, settled, left, (now - oldest).total_seconds())


def _is_orphan(record: UsageRecord, dead: Collection[str], now: datetime) -> bool:
    if record.process in dead:
        return True
    if record.process == process.PROCESS_ID:
        unsent = timedelta(seconds=settings.ANTHROPIC_FIRST_EVENT_TIMEOUT) + _UNSENT_MARGIN
        return record.started_at < now - unsent and not journal.is_under_way(record.pk)
    longest = timedelta(seconds=settings.ANTHROPIC_TOTAL_TIMEOUT) + _MARGIN
    return record.started_at < now - longest


def _settlement(call: OpenCall, note: Note | None) -> Settlement:
    if note is None:
        return Settlement(Outcome.SWEPT, cost_usd=call.likely_usd, usage_complete=False)
    return Settlement(
        Outcome.SWEPT,
        note.usage,
        prices.cost(note.usage, call.price, inference_geo=settings.ANTHROPIC_INFERENCE_GEO),
        usage_complete=False,
        inference_geo=settings.ANTHROPIC_INFERENCE_GEO,
        provider_message_id=note.message_id,
        provider_request_id=note.request_id,
    )
