"""Holding the upper bound of a planned call; synchronous, for one database hop."""

from django.db import IntegrityError, transaction
from django.utils import timezone

from usage.accounting import budgets, ledger, prices, remembered
from usage.accounting.ledger import OpenCall, Reservation
from usage.errors import BudgetExceeded, CallTooLarge, ModelUnavailable
from usage.llm import billing, runtime
from usage.llm.plan import Plan
from usage.llm.values import Companion
from usage.models import ModelPrice


class TooCoarse(Exception):  # noqa: N818  # not an error: there is more to be tried
    """The local bound does not fit; the provider's own count might."""

    def __init__(self, refusal: BudgetExceeded | CallTooLarge) -> None:
        super().__init__(refusal)
        self.refusal = refusal


def reserve(plan: Plan, attempt: int, companion: Companion | None = None) -> OpenCall:
    """Check the call's size, store what its caller stores before it, and reserve its upper bound.

    All of it is one transaction: a refusal leaves nothing behind.

    Raises:
        CallTooLarge: The call is over a limit of the model or of a single request.
        BudgetExceeded: It does not fit into what is left.
        TooCoarse: One of the two, unless the provider counts less.
        ModelUnavailable: The model has no price.
    """
    try:
        call = _reserve(plan, attempt, companion)
    except IntegrityError:  # the price that is remembered was deleted meanwhile
        remembered.forget()
        call = _reserve(plan, attempt, companion)
    if companion is not None:
        companion.begun()
    return call


def _reserve(plan: Plan, attempt: int, companion: Companion | None) -> OpenCall:
    price = prices.current(plan.model)
    if price is None or plan.payer is None:
        raise ModelUnavailable(code="model_unpriced")
    bound = plan.cost_bound(price)
    reservation = Reservation(
        payer=plan.payer,
        operation=plan.operation,
        model=plan.model,
        price=price,
        held_usd=bound,
        likely_usd=min(bound, billing.if_lost(plan, runtime.current().density, price)),
        call_id=plan.call_id,
        attempt=attempt,
        request_id=plan.request_id,
    )
    try:
        plan.check(price, bound)
        with transaction.atomic():
            if companion is not None and not companion.is_begun:
                companion.begin()
            return ledger.reserve(reservation)  # last: the windows of all keys are locked by it
    except (BudgetExceeded, CallTooLarge) as refusal:
        if plan.counted or not _could_fit(plan.least(), price):
            raise
        raise TooCoarse(refusal) from refusal


def _could_fit(plan: Plan, price: ModelPrice) -> bool:
    bound = plan.cost_bound(price)
    try:
        plan.check(price, bound)
    except CallTooLarge:
        return False
    assert plan.payer is not None  # noqa: S101  # it was to be reserved
    return not budgets.first_without_room(plan.payer, bound, timezone.now())
