"""What the tests of the ledger hold and read back."""

from decimal import Decimal
from uuid import uuid4

from django.utils import timezone

from usage.accounting.ledger import Reservation
from usage.accounting.payer import payer_of
from usage.models import BudgetWindow, ModelPrice, Operation

CENT = Decimal("0.01")
LIKELY = CENT / 4  # what is booked for a call that is never heard of again


def reservation(key, held=CENT, likely=LIKELY):
    return Reservation(
        payer=payer_of(key),
        operation=Operation.CHAT_REPLY,
        model="claude-sonnet-5-5",
        price=ModelPrice.objects.current("claude-sonnet-5-5", timezone.localdate()),
        held_usd=held,
        likely_usd=min(held, likely),
        call_id=uuid4(),
    )


def windows(key):
    found = BudgetWindow.objects.values_list("api_key", "period", "spent_usd", "held_usd")
    return {(scope is not None, period): (spent, held) for scope, period, spent, held in found}
