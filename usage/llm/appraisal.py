"""What a call would cost, said before it is made; nothing is paid for asking."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

from django.conf import settings
from django.utils import timezone

from usage.accounting import budgets, prices
from usage.accounting.payer import payer_of
from usage.errors import CallTooLarge, ModelUnavailable
from usage.hops import hop
from usage.llm import counting
from usage.llm import plan as planning
from usage.llm.health import is_configured
from usage.llm.plan import Plan
from usage.llm.values import Prompt
from usage.models import ApiKey, Operation


@dataclass(frozen=True, slots=True)
class Appraisal:
    """The upper bounds of a call, and whether it would be let through now."""

    model: str
    input_tokens: int
    counted: bool  # by the provider; otherwise a local upper bound
    max_output_tokens: int
    max_cost_usd: Decimal
    allowed: bool
    reason: str


async def appraise(prompt: Prompt, *, api_key: ApiKey | None, count: bool) -> Appraisal:
    """Appraise a call.

    Args:
        prompt: What would be asked.
        api_key: Who would pay; without one, no budget is looked at.
        count: Ask the provider for its count (free) instead of relying on the local bound alone.

    Raises:
        ModelUnavailable: The model has no price.
    """
    plan = planning.plan(
        prompt,
        model=settings.ANTHROPIC_MODEL,
        payer=payer_of(api_key) if api_key else None,
        operation=Operation.CHAT_REPLY,
        call_id=uuid4(),
        request_id="",
    )
    if count and is_configured():
        plan = await counting.counted(plan)
    return await hop(_judge, plan)


def _judge(plan: Plan) -> Appraisal:
    price = prices.current(plan.model)
    if price is None:
        raise ModelUnavailable(code="model_unpriced")
    bound = plan.cost_bound(price)
    reason = ""
    try:
        plan.check(price, bound)
        if plan.payer is not None:
            reason = budgets.first_without_room(plan.payer, bound, timezone.now())
    except CallTooLarge as refusal:
        reason = str(refusal.detail)
    return Appraisal(
        model=plan.model,
        input_tokens=plan.input_bound,
        counted=plan.counted,
        max_output_tokens=plan.max_tokens,
        max_cost_usd=bound,
        allowed=not reason,
        reason=reason,
    )
