"""What a call would cost, said before it is made; nothing is paid for asking."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

from django.conf import settings
from django.utils import timezone

from usage.accounting import budgets
from usage.errors import CallTooLarge, ModelUnavailable
from usage.hops import hop
from usage.llm import plan as planning
from usage.llm.gateway import counted as count_by_provider
from usage.llm.health import is_configured
from usage.llm.plan import Plan
from usage.llm.values import Prompt
from usage.models import ApiKey, ModelPrice, Operation


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


async def appraise(prompt: Prompt, *, api_key: ApiKey, count: bool) -> Appraisal:
    """Appraise a call.

    Args:
        prompt: What would be asked.
        api_key: Who would pay.
        count: Ask the provider for its count (free) instead of relying on the local bound alone.

    Raises:
        ModelUnavailable: The model has no price.
    """
    plan = planning.plan(
        prompt,
        model=settings.ANTHROPIC_MODEL,
        api_key_id=api_key.pk,
        operation=Operation.CHAT_REPLY,
        call_id=uuid4(),
        request_id="",
    )
    if count and is_configured():
        plan = await count_by_provider(plan)
    return await hop(_judge, plan)


def _judge(plan: Plan) -> Appraisal:
    price = ModelPrice.objects.current(plan.model, timezone.localdate())
    if price is None:
        raise ModelUnavailable(code="model_unpriced")
    bound = plan.cost_bound(price)
    try:
        plan.check(price, bound)
        reason = budgets.first_without_room(plan.api_key_id, bound, timezone.now())
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
