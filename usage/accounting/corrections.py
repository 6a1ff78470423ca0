"""Correcting a row whose cost was estimated, once the provider's bill says what it was."""

from dataclasses import asdict
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from usage.accounting import prices, windows
from usage.accounting.payer import payer_of_row
from usage.models import Correction, State, UsageRecord
from usage.models.correction import tokens_of
from usage.tokens import TokenUsage


def is_correctable(record: UsageRecord) -> bool:
    """Tell whether a row is an estimate, or was one: what the provider reported stands."""
    if record.state != State.SETTLED or record.price_id is None:
        return False
    return not record.usage_complete or record.corrections.exists()


def correct(record_id: UUID, usage: TokenUsage, *, reason: str, by: User) -> Correction:
    """Give a row its true tokens; its cost follows from its price, and the budgets from its cost.

    Raises:
        ValidationError: The row is not an estimate.
    """
    with transaction.atomic():
        record = UsageRecord.objects.select_for_update(of=("self",)).get(pk=record_id)
        price = record.price
        if price is None or not is_correctable(record):
            raise ValidationError("Solo se corrige un registro liquidado con uso incompleto.")
        cost = prices.cost(usage, price, inference_geo=record.inference_geo)
        correction = Correction(
            record=record,
            corrected_by=by,
            reason=reason,
            cost_before_usd=record.cost_usd,
            cost_after_usd=cost,
            tokens_before=tokens_of(record),
        )
        for name, tokens in asdict(usage).items():
            setattr(record, name, tokens)
        record.total_tokens = usage.total
        record.cost_usd, record.usage_complete = cost, True
        record.save()
        correction.tokens_after = tokens_of(record)
        correction.save()
        change = cost - correction.cost_before_usd
        windows.turn(payer_of_row(record), record.started_at, spent=change)
    return correction
