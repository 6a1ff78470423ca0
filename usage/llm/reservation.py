"""Holding the upper bound of a planned call; synchronous, for one database hop."""

from usage.accounting import ledger, prices
from usage.accounting.ledger import OpenCall, Reservation
from usage.errors import ModelUnavailable
from usage.llm.plan import Plan
from usage.models import ModelPrice


def price_of(plan: Plan) -> ModelPrice | None:
    """Return what the model costs today."""
    return prices.current(plan.model)


def reserve(plan: Plan, attempt: int) -> OpenCall:
    """Check the call's size and reserve its upper bound.

    Raises:
        CallTooLarge: The call is over a limit of the model or of a single request.
        BudgetExceeded: It does not fit into what is left.
        ModelUnavailable: The model has no price.
    """
    price = price_of(plan)
    if price is None or plan.api_key_id is None:
        raise ModelUnavailable(code="model_unpriced")
    bound = plan.cost_bound(price)
    plan.check(price, bound)
    return ledger.reserve(
        Reservation(
            api_key_id=plan.api_key_id,
            operation=plan.operation,
            model=plan.model,
            price=price,
            held_usd=bound,
            call_id=plan.call_id,
            attempt=attempt,
            request_id=plan.request_id,
        )
    )
