"""One attempt to call the model: reserve, send, read, settle. Each is a row of the ledger."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from usage import metrics, tracing
from usage.accounting import journal, ledger
from usage.accounting.ledger import OpenCall
from usage.hops import finish, hop
from usage.llm import billing, breaker, failures, hearing, runtime
from usage.llm.billing import Bill, Ending
from usage.llm.breaker import Admission, Suspended
from usage.llm.connection import Connection
from usage.llm.failures import Failure
from usage.llm.plan import Plan
from usage.llm.reading import Reading, is_complete
from usage.llm.reservation import reserve
from usage.llm.settling import settle_or_spool
from usage.llm.values import Companion
from usage.models import Outcome

log = structlog.get_logger(__name__)

# How much of an answer may arrive before the journal is told; a note counts it as having come, so that
# no process that dies between two notes leaves less in the books than was billed.
NOTED_BYTES: Final = 100
# A provider that is asked at all has at least this long to begin its answer.
LEAST_SECONDS: Final = 1.0


class AttemptError(Exception):
    """The attempt came to nothing; its row is settled."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.type)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Account:
    """What a settled attempt was booked at, for the reply."""

    call: OpenCall
    bill: Bill
    provider_request_id: str


class Attempt:
    """One request to the provider and its row in the ledger."""

    def __init__(
        self,
        plan: Plan,
        number: int,
        *,
        first_event_by: float,
        companion: Companion | None = None,
        whole: bool = False,
    ) -> None:
        self.plan = plan
        self._whole = whole
        self._companion = companion
        self.number = number
        self.reading = Reading(one_hour_cache=plan.one_hour_cache)
        self.spoke = False  # there is text to hand on: the attempt cannot be repeated unnoticed
        self.account: Account | None = None
        self._runtime = runtime.current()
        self._breaker = self._runtime.breakers.of(plan.model)
        self.first_event_by = first_event_by  # by `hearing`
        self._started = time.monotonic()
        self._span = tracing.begin(
            f"chat {plan.model}",
            "CLIENT",
            gen_ai__operation__name="chat",
            gen_ai__provider__name="anthropic",
            gen_ai__request__model=plan.model,
            aiservice__operation=plan.operation.value,
        )
        self._reserving: asyncio.Future[OpenCall] | None = None
        self._call: OpenCall | None = None
        self._admission: Admission | None = None
        self._connection: Connection | None = None
        self._failure: Failure | None = None
        self._left = False
        self._first_text_ms: int | None = None
        self._noted = (False, -1)

    @asynccontextmanager
    async def under_way(self) -> AsyncIterator[Connection | None]:
        """Send the request, and settle it when who reads the answer ends or leaves.

        Yields:
            Where the text comes from; nothing if too many others are asking. Afterwards `account` and
            `reading` are complete.

        Raises:
            AttemptError: The provider failed or turned the request down, or may not be asked now.
            BudgetExceeded, CallTooLarge, TooCoarse: The reservation found no room; nothing was sent.
        """
        try:
            self._breaker.check()  # nothing is reserved while nothing may leave
            await self._open()
            yield self._connection
        except (asyncio.CancelledError, GeneratorExit):
            self._left = True
            raise
        except Suspended as suspended:
            self._failure = failures.suspended(suspended.seconds)
        finally:
            try:
                await finish(self._close())
            finally:
                self._end_span()
        if self._failure is not None:
            raise AttemptError(self._failure)

    async def _open(self) -> None:
        """Reserve, send, and wait until the provider has begun to answer."""
        loop, clock = asyncio.get_running_loop(), hearing.clock()
        arrived = clock.time()
        patience = max(0.0, self.first_event_by - arrived)
        async with self._runtime.prefixes(loop).turn(self.plan) as lead:
            self._call = call = await self._reserve()
            self._reserving = None  # done, and not kept while the answer lasts
            self._admission = await self._breaker.admit(patience)
            if self._admission is None:
                self._failure = failures.CROWDED
                return
            # What it waited for, an earlier call, money or its turn, is not the provider's silence.
            self.first_event_by += clock.time() - arrived
            self._connection = Connection(
                self._runtime.clients.get(),
                self.plan.arguments,
                self.reading,
                on_event=lambda: self._on_event(call),
                whole=self._whole,
            )
            self._note(call)  # before it leaves: from now on it may cost something
            self._connection.send(
                first_event_seconds=max(LEAST_SECONDS, self.first_event_by - clock.time())
            )
            await self._connection.begun()
            if self.reading.began:
                lead.began()

    async def _reserve(self) -> OpenCall:
        patience = self._runtime.patience(asyncio.get_running_loop())
        return await patience.until_granted(self.plan.api_key_id or 0, self._try_to_reserve)

    async def _try_to_reserve(self) -> OpenCall:
        # Shielded: a reservation that commits while its caller leaves must still be settled.
        work = hop(reserve, self.plan, self.number, self._companion)
        self._reserving = asyncio.ensure_future(work)
        return await asyncio.shield(self._reserving)

    def _note_text(self) -> None:
        self.spoke = True
        self.plan = self.plan.sent()
        self._first_text_ms = self._elapsed_ms()
        metrics.FIRST_TEXT_SECONDS.labels(operation=self.plan.operation.value).observe(
            self._first_text_ms / 1000
        )

    def _on_event(self, call: OpenCall) -> None:
        """Tell the breaker that the answer begins, and the journal how far it has come."""
        if self._admission is not None and self.reading.began:
            self._admission.began()
        if self.reading.spoke and not self.spoke:
            self._note_text()
        self._note(call)

    def _note(self, call: OpenCall) -> None:
        reading = self.reading
        known = (reading.knows_input, reading.received_bytes // NOTED_BYTES)
        if known != self._noted:
            self._noted = known
            journal.note(
                call.id,
                billing.usage_so_far(self.plan, reading, self._runtime.density, NOTED_BYTES),
                received_bytes=reading.received_bytes,
                message_id=reading.message_id,
                request_id=self._connection.request_id if self._connection else "",
            )

    def _elapsed_ms(self) -> int:
        return round((time.monotonic() - self._started) * 1000)

    async def _close(self) -> None:
        """Hang up, tell the breaker, settle: the one way out of every attempt."""
        call = await self._reserved()
        if self._connection is not None:
            await self._connection.hang_up(left=self._left)
            self._failure = self._failure or self._connection.failure
        if self._admission is not None:
            self._admission.ended(self._verdict())
        if call is not None:
            await self._settle(call)

    async def _reserved(self) -> OpenCall | None:
        if self._reserving is None:
            return self._call
        await asyncio.wait([self._reserving])
        if self._reserving.exception() is not None:
            return None  # raised to the caller by the await above
        return self._reserving.result()

    def _verdict(self) -> breaker.Verdict:
        failure = self._failure
        if failure is not None and failure.provider:
            return breaker.Verdict(False, failure.type, failure.stay_away)
        if failure is not None or self.reading.finished:
            return breaker.WELL
        return breaker.ABANDONED

    def _end_span(self) -> None:
        """End the span by what was settled; without a settlement, nothing was sent."""
        usage = self.account.bill.usage if self.account else None
        error = self._failure.type if self._failure else ""
        tracing.end(
            self._span,
            error,
            gen_ai__response__id=self.reading.message_id,
            gen_ai__response__finish_reasons=[self.reading.stop_reason]
            if self.reading.stop_reason
            else None,
            gen_ai__usage__input_tokens=usage.total - usage.output_tokens if usage else None,
            gen_ai__usage__output_tokens=usage.output_tokens if usage else None,
            aiservice__outcome=self.account.bill.outcome.value if self.account else "",
        )

    async def _settle(self, call: OpenCall) -> None:
        density, connection = self._runtime.density, self._connection
        ending = Ending(
            sent=connection is not None and connection.sent,
            left=self._left,
            failure=self._failure,
            underway_bytes=connection.underway_bytes if connection else 0.0,
        )
        booked = billing.bill(self.plan, self.reading, ending, density, call.price)
        billing.learn(self.plan, self.reading, density)
        request_id = connection.request_id if connection else ""
        request_id = request_id or (self._failure.request_id if self._failure else "")
        settlement = ledger.Settlement(
            outcome=booked.outcome,
            usage=booked.usage,
            cost_usd=booked.cost_usd,
            usage_complete=booked.complete,
            error_type=self._failure.type if self._failure else "",
            stop_reason=self.reading.stop_reason,
            inference_geo=self.reading.inference_geo,
            latency_ms=self._elapsed_ms(),
            first_token_ms=self._first_text_ms,
            provider_request_id=request_id,
            provider_message_id=self.reading.message_id,
        )
        metrics.SECONDS.labels(operation=self.plan.operation.value).observe(
            self._elapsed_ms() / 1000
        )
        if self._companion is None:
            await settle_or_spool(call, settlement)
        else:
            complete = booked.outcome is Outcome.ANSWERED and is_complete(settlement.stop_reason)
            attachment = self._companion.end(settlement.outcome, complete=complete)
            self._companion.ended(await settle_or_spool(call, settlement, attachment))
        self.account = Account(call, booked, request_id)
        self._report(settlement)

    def _report(self, settlement: ledger.Settlement) -> None:
        usage = settlement.usage
        if (
            settlement.usage_complete
            and self.reading.finished
            and "system" in self.plan.arguments
            and not (usage.cache_read_tokens or usage.cache_write_tokens)
        ):
            # A stable prefix that is too short for the model is silently not cached: say so.
            log.warning("prefix_not_cached", operation=self.plan.operation, model=self.plan.model)
        log.info(
            "model_call",
            usage_id=str(self.account.call.id) if self.account else "",
            operation=self.plan.operation.value,
            model=self.plan.model,
            attempt=self.number,
            outcome=settlement.outcome.value,
            error=settlement.error_type,
            ms=settlement.latency_ms,
        )
