"""One attempt to call the model: reserve, send, read, settle.

The bill starts with ``message_start``: it says what the input cost. A caller who leaves earlier is let
go at once, but the request is kept for a moment in the background until that event came, so that the
ledger knows the numbers; then the connection is closed, which makes the provider stop.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import structlog
from anthropic import AsyncStream
from django.conf import settings

from usage import metrics
from usage.accounting import ledger, prices
from usage.accounting.ledger import OpenCall, Settlement
from usage.hops import finish, hop
from usage.llm import failures, runtime
from usage.llm.failures import Failure
from usage.llm.plan import Plan
from usage.llm.reading import Reading
from usage.llm.reservation import reserve
from usage.llm.settling import settle_or_spool
from usage.llm.values import TextDelta
from usage.models import ModelPrice, Outcome
from usage.tokens import TokenUsage

log = structlog.get_logger(__name__)

# How long a request whose caller left may still wait for the provider's first event.
PARTING_SECONDS: Final = 3.0

# Reading on what the provider had sent before the caller stopped listening: until nothing more comes
# for a moment, and no longer than this. What is generated meanwhile is a few tokens.
ARRIVED_IDLE_SECONDS: Final = 0.05
ARRIVED_SECONDS: Final = 0.5

# A refusal before any output is billed for these categories only
# (https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons).
_BILLED_REFUSALS: Final = frozenset({"bio", "frontier_llm", "reasoning_extraction"})


class AttemptError(Exception):
    """The attempt came to nothing; its row is settled."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.type)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Account:
    """What a settled attempt cost, for the reply."""

    usage_id: UUID
    usage: TokenUsage
    cost_usd: Decimal
    provider_request_id: str


class Attempt:
    """One request to the provider and its row in the ledger."""

    def __init__(self, plan: Plan, number: int) -> None:
        self.plan = plan
        self.number = number
        self.reading = Reading(one_hour_cache=plan.one_hour_cache)
        self.spoke = False  # text was handed on: the attempt cannot be repeated unnoticed
        self.account: Account | None = None
        self._breaker = runtime.current().breakers.of(plan.model)
        self._failure: Failure | None = None
        self._cancelled = False
        self._sent = False
        self._reserving: asyncio.Future[OpenCall] | None = None
        self._opening: asyncio.Future[None] | None = None
        self._events: AsyncStream[Any] | None = None
        self._started = time.monotonic()
        self._first_text_ms: int | None = None

    async def texts(self) -> AsyncGenerator[TextDelta, None]:
        """Send the request and yield its text; afterwards `account` and `reading` are complete.

        Raises:
            AttemptError: The provider failed or turned the request down.
            BudgetExceeded: The reservation found no room; nothing was sent.
        """
        try:
            # Shielded: a reservation that commits while its caller leaves must still be settled.
            self._reserving = asyncio.ensure_future(hop(reserve, self.plan, self.number))
            await asyncio.shield(self._reserving)
            self._opening = asyncio.ensure_future(self._open())
            await asyncio.shield(self._opening)
            while (text := await self._next_text()) is not None:
                self._note_text()
                yield TextDelta(text)
            if not self.reading.finished:
                self._failure = failures.TRUNCATED
        except (asyncio.CancelledError, GeneratorExit):
            self._cancelled = True
            raise
        except failures.EXPECTED as exc:
            self._failure = failures.classify(exc)
        finally:
            await finish(self._close())
        if self._failure is not None:
            raise AttemptError(self._failure)

    def _note_text(self) -> None:
        if not self.spoke:
            self.spoke = True
            self._first_text_ms = self._elapsed_ms()
            metrics.FIRST_TEXT_SECONDS.labels(operation=self.plan.operation.value).observe(
                self._first_text_ms / 1000
            )

    def _elapsed_ms(self) -> int:
        return round((time.monotonic() - self._started) * 1000)

    async def _open(self) -> None:
        """Send the request and read on until the provider has said what the input costs."""
        prefixes = runtime.current().prefixes(asyncio.get_running_loop())
        async with prefixes.turn(self.plan), asyncio.timeout(settings.ANTHROPIC_TIMEOUT):
            self._sent = True
            self._events = (
                await runtime.current()
                .clients.get()
                .messages.create(**self.plan.arguments, stream=True)
            )
            while not self.reading.began:
                event = await anext(self._events, None)
                if event is None:
                    return
                self.reading.feed(event)

    async def _next_text(self) -> str | None:
        """Return the next piece of text, None at the end.

        The SDK hides pings, so every event seen here is progress; a stream that only pings runs into
        the deadline.
        """
        if self._events is None or not self.reading.began:
            return None
        loop = asyncio.get_running_loop()
        end = self._started + settings.ANTHROPIC_TOTAL_TIMEOUT - time.monotonic() + loop.time()
        async with asyncio.timeout_at(end) as deadline:
            while True:
                deadline.reschedule(min(end, loop.time() + settings.ANTHROPIC_TIMEOUT))
                event = await anext(self._events, None)
                if event is None:
                    return None
                if text := self.reading.feed(event):
                    return text

    async def _read_what_arrived(self, events: AsyncStream[Any]) -> None:
        """Take in what is already in the buffers of an answer that nobody wants any more."""
        loop = asyncio.get_running_loop()
        end = loop.time() + ARRIVED_SECONDS
        try:
            async with asyncio.timeout_at(end) as deadline:
                deadline.reschedule(min(end, loop.time() + ARRIVED_IDLE_SECONDS))
                while (event := await anext(events, None)) is not None:
                    self.reading.feed(event)
                    deadline.reschedule(min(end, loop.time() + ARRIVED_IDLE_SECONDS))
        except failures.EXPECTED:
            return

    async def _close(self) -> None:
        """Hang up, tell the breaker, settle: the one way out of every attempt."""
        call = await self._reserved()
        if call is None:
            self._breaker.abandoned()
            return
        await self._hang_up()
        self._tell_breaker()
        settlement = self._settlement(call)
        metrics.SECONDS.labels(operation=self.plan.operation.value).observe(
            self._elapsed_ms() / 1000
        )
        await settle_or_spool(call, settlement)
        self._watch_cache(settlement.usage)
        self.account = Account(
            call.id, settlement.usage, settlement.cost_usd, settlement.provider_request_id
        )
        log.info(
            "model_call",
            usage_id=str(call.id),
            operation=self.plan.operation.value,
            model=self.plan.model,
            attempt=self.number,
            outcome=settlement.outcome.value,
            error=settlement.error_type,
            ms=settlement.latency_ms,
        )

    def _watch_cache(self, usage: TokenUsage) -> None:
        """A stable prefix that is too short for the model is silently not cached: say so."""
        uncached = not (usage.cache_read_tokens or usage.cache_write_tokens)
        if uncached and self.reading.finished and "system" in self.plan.arguments:
            log.warning("prefix_not_cached", operation=self.plan.operation, model=self.plan.model)

    async def _reserved(self) -> OpenCall | None:
        if self._reserving is None:
            return None
        await asyncio.wait([self._reserving])
        if self._reserving.exception() is not None:
            return None  # raised to the caller by the await above
        return self._reserving.result()

    async def _hang_up(self) -> None:
        if self._opening is not None and not self._opening.done():
            if self._sent:
                await asyncio.wait([self._opening], timeout=PARTING_SECONDS)
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._opening is not None and not self._opening.cancelled():
            self._opening.exception()  # seen; it reached the caller if there still was one
        if self._events is not None:
            if self._cancelled:
                await self._read_what_arrived(self._events)
            try:
                await self._events.close()
            except failures.EXPECTED as exc:
                log.debug("hang_up", error=type(exc).__name__)

    def _tell_breaker(self) -> None:
        failure = self._failure
        if failure is not None and failure.provider:
            self._breaker.failed(stay_away=failure.stay_away)
        elif failure is not None or self.reading.finished:
            self._breaker.succeeded()
        else:
            self._breaker.abandoned()

    def _settlement(self, call: OpenCall) -> Settlement:
        usage, complete = self._usage()
        failure = self._failure
        return ledger.Settlement(
            outcome=self._outcome(),
            usage=usage,
            cost_usd=self._cost(usage, call.price),
            usage_complete=complete,
            error_type=failure.type if failure else "",
            stop_reason=self.reading.stop_reason,
            inference_geo=self.reading.inference_geo,
            latency_ms=self._elapsed_ms(),
            first_token_ms=self._first_text_ms,
            provider_request_id=self._provider_request_id(),
            provider_message_id=self.reading.message_id,
        )

    def _usage(self) -> tuple[TokenUsage, bool]:
        reading, density = self.reading, runtime.current().density
        if reading.finished:
            usage = reading.usage
            density.learn(self.plan.model, reading.received_bytes, usage.output_tokens)
            return usage, True
        if reading.began:
            return density.cut_short(self.plan.model, reading.usage, reading.received_bytes), False
        unknown = self._sent if self._failure is None else self._failure.billed
        return TokenUsage(), not unknown

    def _cost(self, usage: TokenUsage, price: ModelPrice) -> Decimal:
        reading = self.reading
        refused_unheard = reading.stop_reason == "refusal" and not reading.received_bytes
        if refused_unheard and reading.refusal_category not in _BILLED_REFUSALS:
            return Decimal(0)
        return prices.cost(usage, price, inference_geo=reading.inference_geo)

    def _outcome(self) -> Outcome:
        if self._failure is not None:
            cut = self.reading.began and self._failure.outcome is Outcome.FAILED
            return Outcome.CUT if cut else self._failure.outcome
        if self._cancelled or not self.reading.finished:
            return Outcome.CANCELLED
        if self.reading.stop_reason == "refusal":
            return Outcome.REFUSED
        return Outcome.ANSWERED if self.reading.text.strip() else Outcome.EMPTY

    def _provider_request_id(self) -> str:
        if self._events is not None:
            return str(self._events.response.headers.get("request-id", ""))
        return self._failure.request_id if self._failure else ""
