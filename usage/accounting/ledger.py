"""The ledger: an open row is committed before a request leaves, and settled once on every way out."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import structlog
from django.db import transaction
from django.utils import timezone

from usage import metrics
from usage.accounting import budgets, process
from usage.models import ApiKey, ModelPrice, Operation, Outcome, State, UsageRecord
from usage.tokens import TokenUsage

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reservation:
    """What must be known of a call before it leaves."""

    api_key_id: int
    operation: Operation
    model: str
    price: ModelPrice
    held_usd: Decimal
    call_id: uuid.UUID
    attempt: int = 1
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A committed open row, by what its settlement needs."""

    id: uuid.UUID
    api_key_id: int
    operation: Operation
    model: str
    price: ModelPrice
    held_usd: Decimal
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
    """Commit an open row and hold its upper bound, both or neither.

    Raises:
        BudgetExceeded: No room; nothing was written.
    """
    now = timezone.now()
    with transaction.atomic():
        record = UsageRecord.objects.create(
            api_key_id=reservation.api_key_id,
            operation=reservation.operation,
            model=reservation.model,
            price=reservation.price,
            held_usd=reservation.held_usd,
            call_id=reservation.call_id,
            attempt=reservation.attempt,
            request_id=reservation.request_id,
            started_at=now,
            process=process.announce(),
        )
        budgets.hold(reservation.api_key_id, reservation.held_usd, now)
    return OpenCall(
        record.id,
        reservation.api_key_id,
        reservation.operation,
        reservation.model,
        reservation.price,
        reservation.held_usd,
        now,
    )


def settle(call: OpenCall, settlement: Settlement) -> bool:
    """Settle an open row and its budgets; a row that is settled already is left alone.

    Returns:
        Whether this call was the one that settled it.
    """
    with transaction.atomic():
        settled = UsageRecord.objects.filter(pk=call.id, state=State.OPEN).update(
            state=State.SETTLED, **_columns(settlement)
        )
        if not settled:
            return False
        budgets.settle(call.api_key_id, call.held_usd, settlement.cost_usd, call.started_at)
    metrics.count_call(call.operation, call.model, settlement.outcome)
    metrics.count_cost(call.operation, call.model, settlement.usage, settlement.cost_usd)
    return True


def _columns(settlement: Settlement) -> dict[str, object]:
    usage = settlement.usage
    return {
        "outcome": settlement.outcome,
        "input_tokens": usage.input_tokens,
        "cache_write_5m_tokens": usage.cache_write_5m_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total,
        "cost_usd": settlement.cost_usd,
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
    api_key: ApiKey, operation: str, *, outcome: Outcome = Outcome.OFFLINE, model: str = ""
) -> UsageRecord:
    """Write the settled row, at no cost, of an answer given without calling the model."""
    now = timezone.now()
    context = structlog.contextvars.get_contextvars()
    record = UsageRecord.objects.create(
        api_key=api_key,
        operation=Operation(operation),
        model=model,
        state=State.SETTLED,
        outcome=outcome,
        started_at=now,
        settled_at=now,
        request_id=str(context.get("request_id", "")),
        process=process.PROCESS_ID,
    )
    metrics.count_call(operation, model, outcome)
    return record


def open_call(record_id: uuid.UUID) -> OpenCall | None:
    """Return an open row as its settlement needs it, None when it is settled."""
    record = (
        UsageRecord.objects.filter(pk=record_id, state=State.OPEN).select_related("price").first()
    )
    return None if record is None else as_open_call(record)


def as_open_call(record: UsageRecord) -> OpenCall:
    """Return an open row as its settlement needs it."""
    if record.price is None:
        raise ValueError("a row without a price was never open")
    return OpenCall(
        record.id,
        record.api_key_id,
        Operation(record.operation),
        record.model,
        record.price,
        record.held_usd,
        record.started_at,
    )
