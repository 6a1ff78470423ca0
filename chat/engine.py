"""From a question to its answer, as a stream of events: the one function behind REST, SSE and WebSocket.

The database is reached in single steps before and after the model speaks, never while it does: the
question is stored with the call's reservation, the answer with its settlement (`Record`). Whoever stops
listening cancels the call: the gateway settles what it cost, and what was said so far is stored as cut.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import structlog
from django.db import DatabaseError, InterfaceError

from chat import metrics
from chat.answering import offline, prompt
from chat.answering.exchange import Exchange, Question, prepare
from chat.answering.record import Record
from chat.answering.turns import TurnTaken
from chat.events import Absence, Done, Event, Text
from usage import llm
from usage.errors import BudgetExceeded, CallTooLarge, ModelRefused, ModelUnavailable, Refusal
from usage.hops import finish, hop
from usage.llm import Reply
from usage.models import Operation
from usage.threads import in_thread

log = structlog.get_logger(__name__)

# Refusals for which what was said before may be to blame.
_OF_HISTORY: Final = frozenset({"call_too_large", "request_invalid"})


async def answer(question: Question, *, streaming: bool) -> AsyncGenerator[Event, None]:
    """Answer a question, from the model or, where it cannot be had, from the knowledge base.

    Args:
        question: What is asked, by whom, in which session.
        streaming: Whether the caller can use the answer piece by piece. If not it comes in one
            piece, and a failure half-way is still answered from the knowledge base.

    Yields:
        `Text` any number of times, then one `Done`.

    Raises:
        ModelUnavailable: The model failed after part of its answer had been passed on.
    """
    exchange = await in_thread(prepare, question)
    record = Record(exchange, streaming=streaming)
    async with aclosing(give(record, streaming=streaming)) as events:
        async for event in events:
            yield event


async def give(record: Record, *, streaming: bool) -> AsyncGenerator[Event, None]:
    """Answer a question that is prepared, as `answer` does; it needs no thread of a request."""
    counted = metrics.Counted()
    try:
        async with aclosing(_answer(record, streaming=streaming)) as events:
            async for event in events:
                if isinstance(event, Done):
                    reason = event.absence.reason if event.absence else ""
                    counted.answered(event.message.specialist, event.message.llm_used, reason)
                yield event
    except Exception:
        counted.failed()
        raise
    finally:
        counted.ended()
        if not record.is_begun:  # whatever failed, and whoever left: the question is not lost
            await finish(hop(_store_question, record))


def _store_question(record: Record) -> None:
    if record.exchange.target is not None:
        return  # it is stored
    try:
        record.store_question()
    except TurnTaken:
        return  # by whoever answers it
    except (DatabaseError, InterfaceError) as exc:
        log.error("question_lost", error=type(exc).__name__)


async def _answer(record: Record, *, streaming: bool) -> AsyncGenerator[Event, None]:
    absence = Absence("not_configured")
    while llm.is_configured():
        spoken = False
        try:
            async with aclosing(_from_model(record, streaming=streaming)) as events:
                async for event in events:
                    spoken = True
                    yield event
            return
        except (BudgetExceeded, CallTooLarge, ModelUnavailable) as exc:
            if not spoken and _can_do_without_history(record.exchange, exc):
                log.warning(
                    "history_dropped",
                    turns=len(record.exchange.history),
                    reason=exc.get_codes(),
                )
                record.drop_history()
                continue
            if spoken or not record.exchange.may_be_offline:
                raise
            absence = _absence(exc)
            log.warning("answered_offline", reason=absence.reason)
            break
    if not record.exchange.may_be_offline:
        raise ModelUnavailable(code=absence.reason)
    text, message = await hop(record.answer_offline)
    for block in offline.pieces(text):
        yield Text(block)
    exchange = record.exchange
    yield Done(
        exchange.question.session_id,
        message,
        absence=absence,
        choice_reason=exchange.choice_reason,
        attachments=exchange.question.stored_attachments,
    )


def _can_do_without_history(exchange: Exchange, exc: Refusal) -> bool:
    """Tell whether the call may be possible without the earlier conversation."""
    has_spare = bool(exchange.history) and not exchange.continues
    return has_spare and exc.get_codes() in _OF_HISTORY


def _absence(exc: Refusal) -> Absence:
    return Absence(
        reason="refusal" if isinstance(exc, ModelRefused) else str(exc.get_codes()),
        stop_reason=str(exc.facts.get("stop_reason", "")),
        window_ends=exc.facts.get("window_ends"),
    )


def _prompt_of(exchange: Exchange) -> llm.Prompt:
    return prompt.build(exchange.opening, exchange.history, exchange.turn)


async def _from_model(record: Record, *, streaming: bool) -> AsyncGenerator[Event, None]:
    history = len(record.exchange.history)
    reply: Reply | None = None
    parts = llm.stream(
        _prompt_of(record.exchange),
        api_key=record.exchange.question.api_key,
        operation=Operation.CHAT_REPLY,
        companion=record,
        whole=not streaming,
    )
    async with aclosing(parts):
        async for part in parts:
            if isinstance(part, Reply):
                reply = part
            elif (text := record.feed(part.text)) and streaming:
                yield Text(text)
    if reply is None or record.answer is None:
        raise ModelUnavailable(code="empty_answer")
    exchange = record.exchange
    log.info(
        "answered",
        specialist=exchange.specialist.name,
        passages=len(exchange.hits),
        history=history,
        confidence=record.answer.confidence,
        invented_citations=record.invented_citations,
        stop_reason=reply.stop_reason,
        usage_id=str(reply.usage_id),
    )
    # After the answer is stored: the client may leave at any piece.
    if rest := record.rest if streaming else record.text:
        yield Text(rest)
    yield Done(
        exchange.question.session_id,
        record.answer,
        reply,
        history_dropped=record.history_dropped,
        choice_reason=exchange.choice_reason,
        attachments=exchange.question.stored_attachments,
    )
