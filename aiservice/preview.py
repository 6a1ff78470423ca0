"""The request a question would become, for the knowledge base's 'try a question' page.

Here, because it joins the chat's prompt with the gateway's count, which the knowledge base must not
know; settings name it.
"""

from collections.abc import Sequence
from decimal import ROUND_UP, Decimal

from asgiref.sync import async_to_sync

from chat import plugins
from chat.answering import prompt
from knowledge.searching.search import Hit
from knowledge.tryout import PromptPreview
from usage import llm


def preview(question: str, hits: Sequence[Hit]) -> PromptPreview:
    """Build the first request of a conversation that begins with a question; nothing is paid.

    Args:
        question: What a user would ask.
        hits: The passages that would go with it.
    """
    specialist = plugins.choose(question).specialist
    request = prompt.build(specialist, [], prompt.user_turn(question, hits, {}))
    appraisal = async_to_sync(llm.appraise)(request, api_key=None, count=True)
    parts = [*request.system, *(turn.text for turn in request.turns)]
    return PromptPreview(
        text="\n\n――――――――――\n\n".join(parts),
        model=appraisal.model,
        tokens=appraisal.input_tokens,
        counted=appraisal.counted,
        cost_usd=_cents_of_cents(appraisal.max_cost_usd),
    )


def _cents_of_cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.0001"), rounding=ROUND_UP)
