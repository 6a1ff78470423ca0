"""One call from question to answer: limits, reservation, breaker, attempts, fallback."""

import asyncio
import json
import random
import uuid
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError

from usage.errors import BudgetExceeded, CallTooLarge, ModelRefused, ModelUnavailable
from usage.llm import counting, failures, reply_cache, runtime
from usage.llm import plan as planning
from usage.llm.attempt import Attempt, AttemptError
from usage.llm.failures import LONGEST_WAIT, Failure
from usage.llm.health import is_configured
from usage.llm.plan import Plan
from usage.llm.values import Prompt, Reply, TextDelta
from usage.models import ApiKey, Operation

log = structlog.get_logger(__name__)


async def ask(
    prompt: Prompt, *, api_key: ApiKey, operation: Operation, reuse_seconds: int = 0
) -> Reply:
    """Ask the model and return its whole answer.

    Args:
        prompt: What to ask.
        api_key: Whose budget pays.
        operation: What the answer is for.
        reuse_seconds: How long the same request of the same key may be given the same answer, at no
            cost; 0 to ask every time.

    Raises:
        BudgetExceeded: The budget does not cover the call; nothing was sent.
        CallTooLarge: The call is over the limit of a single request; nothing was sent.
        ModelRefused: The model declined.
        ModelUnavailable: No answer can be had now.
    """
    # Streamed inside as well: a whole answer that is lost with its connection would cost an unknown
    # amount, while a stream says at once what its input costs.
    if reuse_seconds:
        request = _plan(prompt, settings.ANTHROPIC_MODEL, api_key, operation, uuid.uuid4())
        if known := await reply_cache.find(request, api_key):
            return known
    reply: Reply | None = None
    async with aclosing(stream(prompt, api_key=api_key, operation=operation)) as parts:
        async for part in parts:
            if isinstance(part, Reply):
                reply = part
    if reply is None:
        raise ModelUnavailable
    if reuse_seconds:
        await reply_cache.keep(request, reply, reuse_seconds)
    return reply


async def stream(
    prompt: Prompt, *, api_key: ApiKey, operation: Operation
) -> AsyncGenerator[TextDelta | Reply, None]:
    """Ask the model and yield its answer as it comes, the `Reply` last.

    Close the generator (`contextlib.aclosing`) to stop the answer; its row is settled then.

    Args and exceptions as for `ask`. An answer that breaks off raises `ModelUnavailable` with code
    ``answer_cut`` after what was already yielded.
    """
    if not is_configured():
        raise ModelUnavailable
    call_id = uuid.uuid4()
    failure: Failure | None = None
    for model in [settings.ANTHROPIC_MODEL, *settings.ANTHROPIC_FALLBACK_MODELS]:
        plan = _plan(prompt, model, api_key, operation, call_id)
        try:
            async with aclosing(_call(plan, prompt)) as parts:
                async for part in parts:
                    yield part
            return
        except AttemptError as failed:
            failure = failed.failure
            if not (failure.provider or failure.type == "not_found_error"):
                break  # another model would turn the request down as well
    raise _unavailable(failure)


def _plan(
    prompt: Prompt, model: str, api_key: ApiKey, operation: Operation, call_id: uuid.UUID
) -> Plan:
    context = structlog.contextvars.get_contextvars()
    return planning.plan(
        prompt,
        model=model,
        api_key_id=api_key.pk,
        operation=operation,
        call_id=call_id,
        request_id=str(context.get("request_id", "")),
    )


async def _call(plan: Plan, prompt: Prompt) -> AsyncGenerator[TextDelta | Reply, None]:
    """Call one model, again if that may help."""
    for number in range(1, settings.ANTHROPIC_RETRIES + 2):
        _enter(plan)
        attempt = Attempt(plan, number)
        try:
            async with aclosing(attempt.texts()) as texts:
                async for text in texts:
                    yield text
        except (BudgetExceeded, CallTooLarge):
            if plan.counted:
                raise
            # The local bound is coarse; near a limit the provider's own count decides.
            plan = await counting.counted(plan)
            if not plan.counted:
                raise
            async with aclosing(_call(plan, prompt)) as parts:
                async for part in parts:
                    yield part
            return
        except (OperationalError, InterfaceError) as exc:
            # Money fails closed: what cannot be written down is not spent.
            raise ModelUnavailable(code="ledger_unavailable") from exc
        except AttemptError as failed:
            if attempt.spoke:
                raise ModelUnavailable(
                    "La respuesta se interrumpió antes de terminar.", code="answer_cut"
                ) from failed
            if (
                not failed.failure.retry
                or failed.failure.stay_away
                or number > settings.ANTHROPIC_RETRIES
            ):
                raise
            await asyncio.sleep(_pause(failed.failure, number))
            continue
        yield _reply(attempt, prompt)
        return


def _enter(plan: Plan) -> None:
    wait = runtime.current().breakers.of(plan.model).wait_seconds()
    if wait > 0:
        raise AttemptError(failures.suspended(wait))


def _pause(failure: Failure, number: int) -> float:
    backoff = 0.5 * 2 ** (number - 1) * random.uniform(0.75, 1)  # noqa: S311  # not a secret
    return min(LONGEST_WAIT, failure.retry_after or backoff)


def _reply(attempt: Attempt, prompt: Prompt) -> Reply:
    reading, account = attempt.reading, attempt.account
    if account is None:
        raise ModelUnavailable
    if reading.stop_reason == "refusal":
        raise ModelRefused
    if not reading.text.strip():
        raise ModelUnavailable(code="empty_answer")
    return Reply(
        text=reading.text,
        data=_data(reading.text) if prompt.schema is not None else None,
        stop_reason=reading.stop_reason,
        model=reading.model or attempt.plan.model,
        usage=account.usage,
        cost_usd=account.cost_usd,
        usage_id=account.usage_id,
        provider_request_id=account.provider_request_id,
    )


def _data(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as exc:  # cut by max_tokens
        raise ModelUnavailable(code="invalid_answer") from exc


def _unavailable(failure: Failure | None) -> ModelUnavailable:
    if failure is None:
        return ModelUnavailable()
    wait = failure.stay_away or failure.retry_after
    if not wait:
        return ModelUnavailable()
    unavailable = ModelUnavailable(retry_after=round(wait, 3))
    unavailable.wait = wait
    return unavailable
