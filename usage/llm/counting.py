"""The provider's free count of a request, where the local bound is too coarse to decide."""

from typing import Final

import structlog

from usage.llm import compose, runtime
from usage.llm.breaker import BreakerState
from usage.llm.plan import Plan

log = structlog.get_logger(__name__)

COUNT_SECONDS: Final = 2.0  # the count may delay a call by this much at most


async def counted(plan: Plan) -> Plan:
    """Return the plan with the provider's count, or as it is if that cannot be had quickly."""
    from usage.llm import sdk

    known = runtime.current()
    if known.breakers.of(plan.model).condition.state is not BreakerState.CLOSED:
        return plan
    try:
        count = await known.clients.get().messages.count_tokens(
            **compose.countable(plan.arguments), timeout=COUNT_SECONDS
        )
    except sdk.EXPECTED as exc:
        log.warning("count_failed", error=sdk.classify(exc).type)
        return plan
    return plan.refined(count.input_tokens)
