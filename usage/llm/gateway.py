"""One call from question to answer: attempts, one after the other, until one of them answers."""

import asyncio
import json
import random
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Final, NoReturn

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError

from usage import metrics
from usage.accounting.payer import payer_of
from usage.errors import BudgetExceeded, CallTooLarge, ModelRefused, ModelUnavailable
from usage.llm import counting, hearing, reply_cache, runtime
from usage.llm import plan as planning
from usage.llm.attempt import Attempt, AttemptError
from usage.llm.failures import LONGEST_WAIT, Failure
from usage.llm.health import is_configured
from usage.llm.plan import Plan
from usage.llm.reservation import TooCoarse
from usage.llm.texts import clean_value
from usage.llm.values import Companion, Prompt, Reply, TextDelta
from usage.models import ApiKey, Operation


async def ask(
    prompt: Prompt, *, api_key: ApiKey, operation: Operation, reuse_seconds: int = 0
) -> Reply:
    """Ask the model and return its whole answer.

    Args:
        prompt: What to ask.
        api_key: Whose budget pays.
        operation: What the answer is for.
        reuse_seconds: How long the same request of the same key may be given the same answer, at no
            cost, and whether it waits for one that is under way; 0 to ask every time.

    Raises:
        BudgetExceeded: The budget does not cover the call; nothing was sent.
        CallTooLarge: The call is over the limit of a single request; nothing was sent.
        ModelRefused: The model declined.
        ModelUnavailable: No answer can be had now; its code says why.
    """
    if not (reuse_seconds and is_configured()):
        return await _whole(prompt, api_key, operation)
    plan = _plan(prompt, settings.ANTHROPIC_MODEL, api_key, operation, uuid.uuid4())
    flights = runtime.current().flights(asyncio.get_running_loop())
    key = reply_cache.key_of(plan)

    async def once() -> Reply:
        async with reply_cache.alone(key) as known:
            if known is not None:
                return await reply_cache.again(known, api_key, operation)
            reply = await _whole(prompt, api_key, operation)
            await reply_cache.keep(key, reply, reuse_seconds)
            return reply

    reply, own = await flights.join(key, once)
    return reply if own else await reply_cache.again(reply, api_key, operation)


async def _whole(prompt: Prompt, api_key: ApiKey, operation: Operation) -> Reply:
    # Streamed inside as well: a whole answer that is lost with its connection would cost an unknown
    # amount, while a stream says at once what its input costs.
    parts = stream(prompt, api_key=api_key, operation=operation, whole=True)
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, Reply):
                return part
    raise ModelUnavailable


async def stream(
    prompt: Prompt,
    *,
    api_key: ApiKey,
    operation: Operation,
    companion: Companion | None = None,
    whole: bool = False,
) -> AsyncGenerator[TextDelta | Reply, None]:
    """Ask the model and yield its answer as it comes, the `Reply` last.

    Close the generator (`contextlib.aclosing`) to stop the answer; its row is settled then.

    Arguments and exceptions as for `ask`; what the companion stores is stored with the call; `whole` has
    the text come in one piece, for who cannot use it earlier. An answer that breaks off raises
    `ModelUnavailable` with code ``answer_cut`` after what was already yielded.
    """
    if not is_configured():
        raise ModelUnavailable(code="not_configured")
    clock = hearing.clock()
    first_event_by = clock.time() + settings.ANTHROPIC_FIRST_EVENT_TIMEOUT
    models = iter([settings.ANTHROPIC_MODEL, *settings.ANTHROPIC_FALLBACK_MODELS])
    call_id, number, retries = uuid.uuid4(), 1, settings.ANTHROPIC_RETRIES
    plan = _plan(prompt, next(models), api_key, operation, call_id)
    while True:
        attempt = Attempt(
            plan, number, first_event_by=first_event_by, companion=companion, whole=whole
        )
        try:
            async with attempt.under_way() as connection:
                while connection and (text := await connection.piece()) is not None:
                    if plan is not attempt.plan:  # from here on nothing is sent again
                        plan, prompt = attempt.plan, prompt.sent()
                    yield TextDelta(text)
            yield _reply(attempt, prompt)
            return
        except TooCoarse as coarse:
            # The local bound is coarse; near a limit the provider's own count decides.
            plan = await counting.counted(plan)
            if not plan.counted:
                _count(coarse.refusal)
                raise coarse.refusal from None
            continue
        except BudgetExceeded as refusal:
            _count(refusal)
            raise
        except (OperationalError, InterfaceError) as exc:
            # Money fails closed: what cannot be written down is not spent.
            raise ModelUnavailable(code="ledger_unavailable") from exc
        except AttemptError as failed:
            if attempt.spoke:
                raise ModelUnavailable(
                    "La respuesta se interrumpió antes de terminar.", code="answer_cut"
                ) from failed
            failure = failed.failure
        first_event_by = attempt.first_event_by
        if attempt.reading.began:
            first_event_by = clock.time() + settings.ANTHROPIC_FIRST_EVENT_TIMEOUT
        pause = _pause(failure, settings.ANTHROPIC_RETRIES - retries)
        if clock.time() >= first_event_by:
            raise _unavailable(failure)
        if retries > 0 and failure.retry and not failure.stay_away:
            retries -= 1
            await asyncio.sleep(pause)
        else:
            model = next(models, None) if _another_may_answer(failure) else None
            if model is None:
                raise _unavailable(failure)
            plan = _plan(prompt, model, api_key, operation, call_id)
            retries = settings.ANTHROPIC_RETRIES
        number += attempt.account is not None  # rows are counted


def _count(refusal: BudgetExceeded | CallTooLarge) -> None:
    """Count a call refused for want of budget, once: not each time that it asked again."""
    if isinstance(refusal, BudgetExceeded):
        scope, period = (refusal.facts.get(name, "") for name in ("scope", "window"))
        metrics.BUDGET_REFUSALS.labels(scope or "global", period or "day").inc()


def _plan(
    prompt: Prompt, model: str, api_key: ApiKey, operation: Operation, call_id: uuid.UUID
) -> Plan:
    context = structlog.contextvars.get_contextvars()
    return planning.plan(
        prompt,
        model=model,
        payer=payer_of(api_key),
        operation=operation,
        call_id=call_id,
        request_id=str(context.get("request_id", "")),
    )


def _pause(failure: Failure, retried: int) -> float:
    backoff = 0.5 * 2**retried * random.uniform(0.75, 1)  # noqa: S311  # not a secret
    return min(LONGEST_WAIT, failure.retry_after or backoff)


def _another_may_answer(failure: Failure) -> bool:
    """Tell whether another model would not turn the request down as well."""
    return failure.provider or failure.type == "not_found_error"


def _reply(attempt: Attempt, prompt: Prompt) -> Reply:
    reading, account = attempt.reading, attempt.account
    if account is None:
        raise ModelUnavailable
    if reading.stop_reason == "refusal":
        raise ModelRefused(stop_reason=reading.stop_reason)
    if not reading.text.strip():
        code = "thinking_only" if reading.thought else "empty_answer"
        raise ModelUnavailable(code=code, stop_reason=reading.stop_reason)
    reply = Reply(
        text=reading.text,
        data=None,
        stop_reason=reading.stop_reason,
        model=reading.model or attempt.plan.model,
        usage=account.bill.usage,
        cost_usd=account.bill.cost_usd,
        usage_id=account.call.id,
        provider_request_id=account.provider_request_id,
    )
    return reply if prompt.schema is None else replace(reply, data=_data(reply))


def _data(reply: Reply) -> Any:
    invalid = ModelUnavailable(code="invalid_answer", stop_reason=reply.stop_reason)
    if not reply.complete:
        raise invalid
    try:
        return clean_value(json.loads(reply.text, parse_constant=_no_number))
    except (ValueError, RecursionError) as exc:
        raise invalid from exc


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


# What a caller is told, where it is neither the provider's state nor a request that it turned down.
_REASONS: Final = {
    "breaker": "breaker_open",
    "silent": "timeout",
    "deadline": "timeout",
    "crowded": "timeout",
    "unreachable": "unreachable",
}


def _unavailable(failure: Failure) -> ModelUnavailable:
    code = "request_invalid" if failure.invalid else _REASONS.get(failure.type)
    if code is None:
        code = "provider_failed" if failure.provider else "provider_refused"
    wait = failure.stay_away or failure.retry_after
    if not wait:
        return ModelUnavailable(code=code)
    unavailable = ModelUnavailable(code=code, retry_after=round(wait, 3))
    unavailable.wait = wait
    return unavailable
