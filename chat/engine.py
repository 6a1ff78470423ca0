"""From a question to its answer, as a stream of events: the one function behind REST, SSE and WebSocket.

The database is reached in single steps before and after the model speaks, never while it does. Whoever
stops listening cancels the call: the gateway settles what it cost, and what was said so far is stored
as cut.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Final
from uuid import UUID

import structlog
from channels.db import database_sync_to_async

from chat.answering import offline, prompt
from chat.answering.citations import CitationFilter, cite
from chat.answering.confidence import confidence
from chat.answering.exchange import (
    Exchange,
    Question,
    forget_history,
    open_exchange,
    store_answer,
    store_offline_answer,
    withdraw,
)
from chat.events import MODEL, OFFLINE, Absence, Done, Event, Text
from chat.models import Message
from usage import llm
from usage.errors import BudgetExceeded, CallTooLarge, ModelRefused, ModelUnavailable, Refusal
from usage.hops import finish, hop
from usage.llm import Prompt, Reply, TextDelta
from usage.models import ApiKey, Operation

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
    exchange = await database_sync_to_async(open_exchange)(question)
    absence = Absence("not_configured")
    if llm.is_configured():
        spoken = False
        try:
            async with aclosing(_from_model(exchange, streaming=streaming)) as events:
                async for event in events:
                    spoken = True
                    yield event
            return
        except (BudgetExceeded, CallTooLarge, ModelUnavailable) as exc:
            if isinstance(exc, ModelRefused):
                # Sent again, it would be refused again, and whatever is asked after it.
                await finish(hop(withdraw, exchange))
            if spoken:
                raise
            absence = _absence(exc)
            log.warning("answered_offline", reason=absence.reason)
    async for event in _from_knowledge(exchange, absence):
        yield event


def _absence(exc: Refusal) -> Absence:
    return Absence(
        reason="refusal" if isinstance(exc, ModelRefused) else str(exc.get_codes()),
        stop_reason=str(exc.facts.get("stop_reason", "")),
        window_ends=exc.facts.get("window_ends"),
    )


async def _from_model(exchange: Exchange, *, streaming: bool) -> AsyncGenerator[Event, None]:
    """Answer with the model, without the earlier conversation where that makes the call impossible."""
    spoken = False
    try:
        async with aclosing(_spoken(exchange, streaming=streaming)) as events:
            async for event in events:
                spoken = True
                yield event
        return
    except (CallTooLarge, ModelUnavailable) as exc:
        if spoken or not exchange.history or exc.get_codes() not in _OF_HISTORY:
            raise
        log.warning("history_dropped", turns=len(exchange.history), reason=exc.get_codes())
    shorter = replace(exchange, history=())
    async with aclosing(_spoken(shorter, streaming=streaming)) as events:
        async for event in events:
            yield event


async def _spoken(exchange: Exchange, *, streaming: bool) -> AsyncGenerator[Event, None]:
    request = prompt.build(exchange.opening, exchange.history, exchange.turn)
    call = llm.stream if streaming else _whole
    citations = CitationFilter(len(exchange.hits))
    spoken: list[str] = []
    reply: Reply | None = None
    try:
        parts = call(request, api_key=exchange.question.api_key, operation=Operation.CHAT_REPLY)
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, Reply):
                    reply = part
                elif text := citations.feed(part.text):
                    spoken.append(text)
                    yield Text(text)
    finally:
        # Without a reply the client left or the model failed half-way: what was said is kept.
        if reply is None and "".join(spoken).strip():
            await _store(exchange, "".join(spoken), cut=True)
    rest = citations.flush()
    text = "".join([*spoken, rest])
    if reply is None or not text.strip():
        raise ModelUnavailable(code="empty_answer")
    done = await _finish(exchange, text, reply, citations.removed)
    if rest:  # after the answer is stored: the client may leave at any piece
        yield Text(rest)
    yield done


async def _finish(exchange: Exchange, text: str, reply: Reply, removed: int) -> Done:
    message = await _store(exchange, text, usage_id=reply.usage_id, cut=not reply.complete)
    history_dropped = exchange.history_end > 0 and not exchange.history
    if history_dropped:
        await finish(hop(forget_history, exchange))
    log.info(
        "answered",
        specialist=exchange.specialist.name,
        passages=len(exchange.hits),
        history=len(exchange.history),
        confidence=message.confidence,
        invented_citations=removed,
        stop_reason=reply.stop_reason,
        usage_id=str(reply.usage_id),
    )
    return Done(exchange.question.session_id, message, reply, history_dropped=history_dropped)


async def _whole(
    request: Prompt, *, api_key: ApiKey, operation: Operation
) -> AsyncGenerator[TextDelta | Reply, None]:
    """Ask for the answer in one piece, in the shape of a stream."""
    reply = await llm.ask(request, api_key=api_key, operation=operation)
    yield TextDelta(reply.text)
    yield reply


async def _store(
    exchange: Exchange, text: str, *, usage_id: UUID | None = None, cut: bool
) -> Message:
    citations = cite(exchange.hits, text)
    # The client may have left, and the request's own thread with it.
    message: Message = await finish(
        hop(
            store_answer,
            exchange,
            text,
            llm_used=MODEL,
            citations=citations,
            confidence=confidence(citations, llm_used=MODEL),
            usage_id=usage_id,
            cut=cut,
        )
    )
    return message


async def _from_knowledge(exchange: Exchange, absence: Absence) -> AsyncGenerator[Event, None]:
    hits = offline.worth_quoting(exchange.hits)
    text = offline.compose(hits)
    citations = cite(hits)
    message = await database_sync_to_async(store_offline_answer)(
        exchange,
        text,
        citations=citations,
        confidence=confidence(citations, llm_used=OFFLINE),
    )
    for block in offline.pieces(text):
        yield Text(block)
    yield Done(exchange.question.session_id, message, absence=absence)
