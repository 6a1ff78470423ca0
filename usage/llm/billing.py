"""What a call is booked at: usage, cost and outcome, from what was read of it. No I/O.

One rule for all that is not known: at least what the provider may have billed, and the row is marked as
incomplete. Input that was never reported is estimated from its size, at the dearest it can be; output
from what arrived; where not even that is known, because the process and its journal are gone, it is as
long as the longest of the latest answers (`if_lost`).
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from django.conf import settings

from usage.accounting import prices
from usage.llm.estimate import Density
from usage.llm.failures import Failure
from usage.llm.plan import Plan
from usage.llm.reading import Reading
from usage.models import ModelPrice, Outcome
from usage.tokens import TokenUsage

# A refusal before any output is billed for these categories only
# (https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons).
_BILLED_REFUSALS: Final = frozenset({"bio", "frontier_llm", "reasoning_extraction"})


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt came to its end.

    Attributes:
        sent: Whether the request may have reached the provider.
        left: Whether the caller left.
        failure: What went wrong.
        underway_bytes: What may have been sent and was not read any more.
    """

    sent: bool
    left: bool = False
    failure: Failure | None = None
    underway_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Bill:
    """What an attempt is booked at."""

    outcome: Outcome
    usage: TokenUsage
    cost_usd: Decimal
    complete: bool


def bill(plan: Plan, reading: Reading, ending: Ending, density: Density, price: ModelPrice) -> Bill:
    """Return what an attempt is booked at."""
    usage, complete = _usage(plan, reading, ending, density)
    return Bill(_outcome(reading, ending), usage, _cost(usage, reading, price), complete)


def usage_so_far(
    plan: Plan, reading: Reading, density: Density, underway_bytes: float = 0.0
) -> TokenUsage:
    """Return what an answer that ends now, before its proper end, would be booked at."""
    usage = reading.usage
    if not reading.knows_input:
        usage = replace(usage, **_unknown_input(plan, density))
    received = density.tokens(plan.model, reading.received_bytes + underway_bytes)
    return replace(usage, output_tokens=max(usage.output_tokens, received))


def if_lost(plan: Plan, density: Density, price: ModelPrice) -> Decimal:
    """Return what a call is booked at of which nothing is ever heard again, not even by the journal."""
    length = density.length(plan.model, plan.operation, plan.max_tokens)
    usage = TokenUsage(output_tokens=length, **_unknown_input(plan, density))
    return prices.cost(usage, price, inference_geo=settings.ANTHROPIC_INFERENCE_GEO)


def learn(plan: Plan, reading: Reading, density: Density) -> None:
    """Take note of an answer whose usage is known to the end."""
    if reading.finished and reading.knows_input and reading.knows_output:
        usage = reading.usage
        density.learn_length(plan.model, plan.operation, usage.output_tokens)
        density.learn(plan.model, reading.received_bytes, usage.output_tokens)
        density.learn_input(plan.model, plan.input_bytes, usage.prompt)


def _usage(
    plan: Plan, reading: Reading, ending: Ending, density: Density
) -> tuple[TokenUsage, bool]:
    if reading.finished and reading.knows_input and reading.knows_output:
        return reading.usage, True
    unheard = ending.sent and (ending.failure is None or ending.failure.billed)
    if reading.began or unheard:
        return usage_so_far(plan, reading, density, ending.underway_bytes), False
    return TokenUsage(), True


def _unknown_input(plan: Plan, density: Density) -> dict[str, int]:
    tokens = min(plan.input_bound, density.input_tokens(plan.model, plan.input_bytes))
    written = "cache_write_1h_tokens" if plan.one_hour_cache else "cache_write_5m_tokens"
    return {"input_tokens": 0, "cache_read_tokens": 0, written: tokens}


def _cost(usage: TokenUsage, reading: Reading, price: ModelPrice) -> Decimal:
    refused_unheard = reading.stop_reason == "refusal" and not reading.received_bytes
    if refused_unheard and reading.refusal_category not in _BILLED_REFUSALS:
        return Decimal(0)
    return prices.cost(usage, price, inference_geo=reading.inference_geo)


def _outcome(reading: Reading, ending: Ending) -> Outcome:
    failure = ending.failure
    if failure is not None:
        cut = reading.began and failure.outcome is Outcome.FAILED
        return Outcome.CUT if cut else failure.outcome
    if ending.left or not reading.finished:
        return Outcome.CANCELLED
    if reading.stop_reason == "refusal":
        return Outcome.REFUSED
    return Outcome.ANSWERED if reading.text.strip() else Outcome.EMPTY
