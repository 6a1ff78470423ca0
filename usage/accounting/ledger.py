"""The ledger: an open row is committed before a request leaves, and settled once on every way out."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import structlog
from django.db import transaction
from django.utils import timezone

from usage import metrics, statements, tracing
from usage.accounting import budgets, journal, process
from usage.accounting.attachments import Attachment
from usage.accounting.payer import Payer, payer_of_row
from usage.models import ApiKey, ModelPrice, Operation, Outcome, State, UsageRecord
from usage.tokens import TokenUsage

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reservation:
    """What must be known of a call before it leaves."""

    payer: Payer
    operation: Operation
    model: str
    price: ModelPrice
    held_usd: Decimal
    likely_usd: Decimal  # what it is booked at if nothing more becomes known of it
    call_id: uuid.UUID
    attempt: int = 1
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A committed open row, by what its settlement needs."""

    id: uuid.UUID
    payer: Payer
    operation: Operation
    model: str
    price: ModelPrice
    held_usd: Decimal
    likely_usd: Decimal
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a call ended and what it cost."""

    outcome: Outcome
    usage: TokenUsage = field(default_factory=TokenUsage)
    cost_usd: Decimal = Decimal(0)
    usage_complete: bool = True
    error_type: str = ""
    stop_reason: str = ""
    inference_geo: str = ""
    latency_ms: int | None = None
    first_token_ms: int | None = None
    provider_request_id: str = ""
    provider_message_id: str = ""
    settled_at: datetime = field(default_factory=timezone.now)


def reserve(reservation: Reservation) -> OpenCall:
    """Write an open row and hold its upper bound, both or neither; the last step of a transaction.

    Raises:
        BudgetExceeded: No room; nothing was written, and a transaction around it can go on.
    """
    now, record_id = timezone.now(), uuid.uuid4()
    span = tracing.span("ledger.reserve", gen_ai__request__model=reservation.model)
    # No savepoint inside a caller's transaction: a refusal undoes itself, and any error ends it all.
    with span, transaction.atomic(savepoint=False):
        statements.send(
            UsageRecord,
            {
                "id": record_id,
                "api_key_id": reservation.payer.api_key_id,
                "end_user": reservation.payer.end_user,
                "operation": reservation.operation,
                "model": reservation.model,
                "price_id": reservation.price.pk,
                "held_usd": reservation.held_usd,
                "likely_usd": reservation.likely_usd,
                "call_id": reservation.call_id,
                "attempt": reservation.attempt,
                "request_id": reservation.request_id,
                "started_at": now,
                "process": process.announce(),
            },
        )
        refusal = budgets.hold(reservation.payer, reservation.held_usd, now)
        if refusal is not None:
            UsageRecord.objects.filter(pk=record_id).delete()
    if refusal is not None:
        raise refusal
    return OpenCall(
        record_id,
        reservation.payer,
        reservation.operation,
        reservation.model,
        reservation.price,
        reservation.held_usd,
        reservation.likely_usd,
        now,
    )


@dataclass(frozen=True, slots=True)
class Settled:
    """What a settlement did."""

    first: bool  # this call settled the row; otherwise it was settled before and is as it was
    stored: object = None  # what storing the attachment returned


def settle(call: OpenCall, settlement: Settlement, attachment: Attachment | None = None) -> Settled:
    """Settle an open row with its budgets, and store what goes with it, in one transaction.

    A row that is settled already keeps its numbers; the attachment is stored all the same.
    """
    stored = None
    with tracing.span("ledger.settle", aiservice__outcome=settlement.outcome), transaction.atomic():
        change = statements.send_update(
            UsageRecord,
            {"id": call.id, "state": State.OPEN},
            {"state": State.SETTLED, **_columns(settlement)},
        )
        if attachment is not None:
            stored = attachment.store(call.id, again=lambda: not change.result().number)
        settled = change.result().number
        if settled:
            budgets.settle(call.payer, call.held_usd, settlement.cost_usd, call.started_at)
    journal.forget(call.id)
    if settled:
        metrics.count_call(call.operation, call.model, settlement.outcome)
        metrics.count_cost(call.operation, call.model, settlement.usage, settlement.cost_usd)
    return Settled(bool(settled), stored)


def _columns(settlement: Settlement) -> dict[str, object]:
    usage = settlement.usage
    return {
        "outcome": settlement.outcome,
        "cost_usd": settlement.cost_usd,
        "input_tokens": usage.input_tokens,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total,
        "usage_complete": settlement.usage_complete,
        "error_type": settlement.error_type[:60],
        "stop_reason": settlement.stop_reason[:40],
        "inference_geo": settlement.inference_geo[:20],
        "latency_ms": settlement.latency_ms,
        "first_token_ms": settlement.first_token_ms,
        "provider_request_id": settlement.provider_request_id[:80],
        "provider_message_id": settlement.provider_message_id[:80],
        "settled_at": settlement.settled_at,
    }


def record_offline(
    api_key: ApiKey, operation: Operation, *, outcome: Outcome = Outcome.OFFLINE, model: str = ""
) -> UsageRecord:
    """Write the settled row, at no cost, of an answer given without calling the model."""
    record = offline_row(api_key, operation, outcome=outcome, model=model)
    statements.insert(record)
    count_offline(record)
    return record


def offline_row(
    api_key: ApiKey, operation: Operation, *, outcome: Outcome = Outcome.OFFLINE, model: str = ""
) -> UsageRecord:
    """Return that row for who writes it with others, and says so with `count_offline`."""
    now = timezone.now()
    context = structlog.contextvars.get_contextvars()
    return UsageRecord(
        api_key=api_key,
        end_user=api_key.end_user,
        operation=operation,
        model=model,
        state=State.SETTLED,
        outcome=outcome,
        started_at=now,
        settled_at=now,
        request_id=str(context.get("request_id", "")),
        process=process.PROCESS_ID,
    )


def count_offline(record: UsageRecord) -> None:
    """Count such a row, now that it is written."""
    metrics.count_call(record.operation, record.model, record.outcome)


def find_call(record_id: uuid.UUID) -> OpenCall | None:
    """Return a row as its settlement needs it, settled or not; None when there is no such row."""
    record = UsageRecord.objects.filter(pk=record_id).select_related("price", "api_key").first()
    return None if record is None else as_open_call(record)


def as_open_call(record: UsageRecord) -> OpenCall:
    """Return a row as its settlement needs it."""
    if record.price is None:
        raise ValueError("a row without a price was never open")
    return OpenCall(
        record.id,
        payer_of_row(record),
        Operation(record.operation),
        record.model,
        record.price,
        record.held_usd,
        record.held_usd if record.likely_usd is None else record.likely_usd,
        record.started_at,
    )
