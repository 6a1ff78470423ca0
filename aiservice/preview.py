"""The request a question would become, for the knowledge base's 'try a question' page.

Here, because it joins the chat's prompt with the gateway's count, which the knowledge base must not
know; settings name it.
"""

from collections.abc import Sequence
from decimal import ROUND_UP, Decimal
from uuid import uuid4

from asgiref.sync import async_to_sync
from django.conf import settings
from django.utils import timezone

from chat import plugins
from chat.answering import prompt
from knowledge.searching.search import Hit
from knowledge.tryout import PromptPreview
from usage.llm import is_configured
from usage.llm import plan as planning
from usage.llm.gateway import counted
from usage.models import ModelPrice, Operation


def preview(question: str, hits: Sequence[Hit]) -> PromptPreview:
    """Build the first request of a conversation that begins with a question; nothing is paid.

    Args:
        question: What a user would ask.
        hits: The passages that would go with it.
    """
    specialist = plugins.choose(question)
    request = prompt.build(specialist, [], prompt.user_turn(question, hits, {}))
    plan = planning.plan(
        request,
        model=settings.ANTHROPIC_MODEL,
        api_key_id=0,  # nobody's: a plan that is never reserved
        operation=Operation.CHAT_REPLY,
        call_id=uuid4(),
        request_id="",
    )
    if is_configured():
        plan = async_to_sync(counted)(plan)
    price = ModelPrice.objects.current(plan.model, timezone.localdate())
    parts = [*request.system, *(turn.text for turn in request.turns)]
    return PromptPreview(
        text="\n\n――――――――――\n\n".join(parts),
        model=plan.model,
        tokens=plan.input_bound,
        counted=plan.counted,
        cost_usd=_cents_of_cents(plan.cost_bound(price)) if price else None,
    )


def _cents_of_cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.0001"), rounding=ROUND_UP)
