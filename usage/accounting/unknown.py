"""What to book for a call that was sent and of which nothing is known.

Nothing came back before its process died, or before its caller gave up: the provider may have billed it
or not. One rule for all of them: the largest share of its hold that any of the latest complete calls of
the same operation and model came to. The hold itself is no estimate: it takes every byte of the input
for a token, none of it for cached, and the longest answer there can be, so it is many times the bill;
nothing at all would be less than the bill whenever there is one.
"""

from decimal import ROUND_UP, Decimal
from typing import TYPE_CHECKING, Final

from usage.models import Outcome, UsageRecord

if TYPE_CHECKING:
    from usage.accounting.ledger import OpenCall

_LATEST: Final = 200
_ENOUGH: Final = 20  # with fewer to go by, the whole hold
_PICO: Final = Decimal(1).scaleb(-12)


def likely_cost(call: "OpenCall") -> Decimal:
    """Return what the call is booked at: at least what was billed, in all likelihood."""
    known = (
        UsageRecord.objects.filter(
            operation=call.operation,
            model=call.model,
            outcome=Outcome.ANSWERED,
            usage_complete=True,
            held_usd__gt=0,
        )
        .order_by("-started_at")
        .values_list("cost_usd", "held_usd")[:_LATEST]
    )
    shares = [cost / held for cost, held in known]
    if len(shares) < _ENOUGH:
        return call.held_usd
    return min(call.held_usd, (call.held_usd * max(shares)).quantize(_PICO, ROUND_UP))
