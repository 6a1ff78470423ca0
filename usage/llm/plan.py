"""What one call to one model will ask for, and the most that it can cost."""

import hashlib
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from django.conf import settings

from usage.accounting import prices
from usage.accounting.payer import Payer
from usage.errors import CallTooLarge
from usage.llm import compose, estimate
from usage.llm.values import Prompt
from usage.models import ModelPrice, Operation
from usage.money import dollars, plain


@dataclass(frozen=True)
class Plan:
    """A request, ready to be reserved and sent."""

    arguments: dict[str, Any]
    payer: Payer | None  # None: a plan that is only looked at
    operation: Operation
    call_id: UUID
    request_id: str
    input_bytes: int  # a number of tokens that the input cannot exceed, whoever counts
    input_bound: int
    counted: bool = False  # the bound comes from the provider's own count

    @property
    def model(self) -> str:
        """The model asked."""
        return str(self.arguments["model"])

    @property
    def api_key_id(self) -> int | None:
        """The key that pays."""
        return None if self.payer is None else self.payer.api_key_id

    @property
    def max_tokens(self) -> int:
        """The most that the answer may have."""
        return int(self.arguments["max_tokens"])

    @property
    def one_hour_cache(self) -> bool:
        """Whether any of the input may be billed as a one-hour cache write."""
        return "system" in self.arguments and settings.PROMPT_CACHE_TTL == "1h"

    def cost_bound(self, price: ModelPrice) -> Decimal:
        """Return the most that the call may cost."""
        return prices.upper_bound(
            price,
            input_tokens=self.input_bound,
            output_tokens=self.max_tokens,
            one_hour=self.one_hour_cache,
            geo=settings.ANTHROPIC_INFERENCE_GEO,
        )

    @cached_property
    def prefix(self) -> str:
        """What tells the stable beginning of the request from others; empty where there is none."""
        system = self.arguments.get("system")
        if not system:
            return ""
        stable = json.dumps([self.model, self.arguments.get("output_config"), system])
        return hashlib.sha256(stable.encode()).hexdigest()

    def least(self) -> "Plan":
        """Return the plan as it would be with next to no input: what no count can go below."""
        return replace(self, input_bound=1)

    def sent(self) -> "Plan":
        """Return the plan without the texts of its request: it is answered, and not sent again."""
        texts: dict[str, Any] = {
            name: [] for name in ("messages", "system") if name in self.arguments
        }
        return replace(self, arguments=self.arguments | texts)

    def check(self, price: ModelPrice, bound: Decimal) -> None:
        """Refuse a call that is too large whatever the budget.

        Raises:
            CallTooLarge: With the number that is too high and its limit.
        """
        if self.max_tokens > price.max_output_tokens:
            _refuse("max_tokens", self.max_tokens, price.max_output_tokens)
        total = self.input_bound + self.max_tokens
        if total > price.context_tokens:
            _refuse("context", total, price.context_tokens)
        if total > settings.MAX_TOKENS_PER_REQUEST:
            _refuse("tokens", total, settings.MAX_TOKENS_PER_REQUEST)
        most = settings.MAX_ESTIMATED_COST_PER_REQUEST
        if most is not None and bound > most:
            raise CallTooLarge(
                f"La solicitud puede costar hasta {dollars(bound)} USD y el máximo para una sola es "
                f"{dollars(most)} USD.",
                estimated_cost_usd=plain(bound),
                limit_usd=plain(most),
            )

    def refined(self, counted_tokens: int) -> "Plan":
        """Return the plan with the provider's count in place of the local bound.

        The count "might differ by a small amount" from what is billed
        (https://platform.claude.com/docs/en/build-with-claude/token-counting): a margin is added.
        """
        bound = counted_tokens + counted_tokens // 20 + 64
        return replace(self, input_bound=min(bound, self.input_bound), counted=True)


def plan(
    prompt: Prompt,
    *,
    model: str,
    payer: Payer | None,
    operation: Operation,
    call_id: UUID,
    request_id: str,
) -> Plan:
    """Compose a call of a prompt to a model."""
    arguments = compose.parameters(prompt, model)
    size = estimate.input_bound(arguments)
    return Plan(
        arguments=arguments,
        payer=payer,
        operation=operation,
        call_id=call_id,
        request_id=request_id,
        input_bytes=size,
        input_bound=size,
    )


def _refuse(what: str, value: int, limit: int) -> None:
    raise CallTooLarge(
        f"La solicitud tiene hasta {value} tokens y el máximo es {limit}.",
        exceeds=what,
        estimated_tokens=value,
        limit_tokens=limit,
    )
