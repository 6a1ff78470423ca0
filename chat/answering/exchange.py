"""One question and its answer in the database: what is read before the model, what is written after.

Every function is synchronous and made to be crossed into once, so that no connection is held while
tokens flow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from chat import plugins
from chat.answering import prompt
from chat.answering.retrieval import find_passages
from chat.events import OFFLINE
from chat.models import Conversation, Message
from chat.plugins import Specialist
from knowledge import questions
from knowledge.questions import Reason
from knowledge.searching.search import Hit
from usage.accounting import ledger
from usage.llm import Turn
from usage.models import ApiKey, Operation, UsageRecord

OPERATION: Final = Operation.CHAT_REPLY

# Characters of history sent with a question. When they pass the first number, the oldest exchanges
# are dropped until the second holds: a window that slid with every turn would change the beginning of
# the prompt each time, and nothing after a change is read from the provider's cache.
HISTORY_MAX: Final = 160_000
HISTORY_KEPT: Final = 60_000


@dataclass(frozen=True)
class Question:
    """What a caller asks."""

    api_key: ApiKey
    session_id: str
    text: str
    user_context: Mapping[str, Any]


@dataclass(frozen=True)
class Answered:
    """An earlier question with its answer: as it was asked, as it was sent, as it was answered."""

    pk: int
    question: str
    prompt: str
    answer: str
    specialist: str = ""

    @property
    def size(self) -> int:
        """Characters it takes in a request."""
        return len(self.prompt) + len(self.answer)

    @property
    def turns(self) -> tuple[Turn, Turn]:
        """The exchange as it goes to the model again."""
        return Turn("user", self.prompt), Turn("assistant", self.answer)


@dataclass(frozen=True)
class Exchange:
    """A question that is stored, with all that is needed to answer it."""

    question: Question
    conversation_id: int
    message_id: int
    asked_at: datetime
    specialist: Specialist
    opening: Specialist  # whose instructions the conversation began with; see `prompt.handover`
    hits: Sequence[Hit]
    history: Sequence[Turn]
    history_end: int
    turn: str


def open_exchange(question: Question) -> Exchange:
    """Store the question, choose who answers, and gather passages and history."""
    conversation = _conversation(question)
    message = Message(conversation=conversation, role=Message.Role.USER, content=question.text)
    try:
        earlier = _answered(conversation)
        specialist = plugins.choose(
            question.text, conversation.user_context, conversation.specialist
        ).specialist
        previous = earlier[-1].question if earlier else ""
        hits = find_passages(question.text, specialist, previous=previous)
        if not hits:
            questions.record(question.text, Reason.NOT_FOUND, module=specialist.module)
        opening = (plugins.by_name(earlier[0].specialist) if earlier else None) or specialist
        turn = prompt.user_turn(question.text, hits, conversation.user_context)
        if earlier and earlier[-1].specialist != specialist.name:
            turn = f"{prompt.handover(specialist, opening)}\n\n{turn}"
        message.prompt = turn
        message.specialist = specialist.name
    finally:
        message.save(force_insert=True)  # whatever failed: the user's message is never lost
    return Exchange(
        question=question,
        conversation_id=conversation.pk,
        message_id=message.pk,
        asked_at=message.created_at,
        specialist=specialist,
        opening=opening,
        hits=hits,
        history=[turn for answered in earlier for turn in answered.turns],
        history_end=earlier[-1].pk if earlier else 0,
        turn=message.prompt,
    )


def _conversation(question: Question) -> Conversation:
    conversation, created = Conversation.objects.get_or_create(
        api_key=question.api_key,
        session_id=question.session_id,
        defaults={"user_context": dict(question.user_context)},
    )
    if question.user_context and not created:
        conversation.user_context = dict(question.user_context)
        conversation.save(update_fields=["user_context"])
    return conversation


def _answered(conversation: Conversation) -> list[Answered]:
    """Return the answered questions that still go with a new one, oldest answer first.

    By order of the answers, so that a slow answer to an earlier question comes at the end and what
    was sent before stays a prefix of what is sent now.
    """
    rows = (
        conversation.messages.filter(
            role=Message.Role.ASSISTANT, pk__gte=conversation.history_start
        )
        .exclude(content="")
        .exclude(reply_to__prompt="")  # withdrawn, or never sent
        .order_by("pk")
        .values_list("pk", "reply_to__content", "reply_to__prompt", "content", "specialist")
    )
    answered = [item for item in (Answered(*row) for row in rows) if item.answer.strip()]
    kept = trimmed(answered)
    if len(kept) < len(answered):
        start = answered[len(answered) - len(kept)].pk
        Conversation.objects.filter(pk=conversation.pk).update(history_start=start)
    return kept


def withdraw(exchange: Exchange) -> None:
    """See to it that a question does not go to the model again with later ones."""
    Message.objects.filter(pk=exchange.message_id).update(prompt="")


def forget_history(exchange: Exchange) -> Exchange:
    """Return the exchange without what was said before, and send that no more in later ones."""
    Conversation.objects.filter(pk=exchange.conversation_id).update(
        history_start=exchange.history_end + 1
    )
    return replace(exchange, history=())


def trimmed(answered: Sequence[Answered]) -> list[Answered]:
    """Return the latest exchanges that fit; all of them until they pass `HISTORY_MAX`."""
    if sum(item.size for item in answered) <= HISTORY_MAX:
        return list(answered)
    kept: list[Answered] = []
    room = HISTORY_KEPT
    for item in reversed(answered):
        room -= item.size
        if kept and room < 0:
            break
        kept.append(item)
    return kept[::-1]


@transaction.atomic
def store_answer(
    exchange: Exchange,
    content: str,
    *,
    llm_used: str,
    citations: list[dict[str, Any]],
    confidence: float,
    usage_id: UUID | None = None,
    cut: bool = False,
) -> Message:
    """Store the answer, unless the conversation was deleted meanwhile; then it comes back unsaved.

    Args:
        exchange: The question.
        content: The answer, or what there is of it.
        llm_used: Who answered.
        citations: Its passages.
        confidence: 0 to 100.
        usage_id: What it cost; unknown for an answer that was cut, whose row is looked up.
        cut: Whether the answer is incomplete.
    """
    # Holds the row until the commit, so that a deletion waits and then takes the answer with it.
    alive = Conversation.objects.filter(pk=exchange.conversation_id).update(
        updated_at=timezone.now(), specialist=exchange.specialist.name
    )
    answer = Message(
        conversation_id=exchange.conversation_id,
        role=Message.Role.ASSISTANT,
        content=content,
        reply_to_id=exchange.message_id,
        citations=citations,
        confidence=confidence,
        llm_used=llm_used,
        specialist=exchange.specialist.name,
        usage_id=usage_id or _latest_usage(exchange),
        cut=cut,
    )
    if alive:
        answer.save(force_insert=True)
    return answer


def store_offline_answer(exchange: Exchange, content: str, **fields: Any) -> Message:
    """Store an answer given without the model, with a usage row of its own at no cost."""
    usage = ledger.record_offline(exchange.question.api_key, OPERATION)
    return store_answer(exchange, content, llm_used=OFFLINE, usage_id=usage.pk, **fields)


def _latest_usage(exchange: Exchange) -> UUID | None:
    """Return the row of the call made for this question, by the request it was made in."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    if not request_id:
        return None
    calls = UsageRecord.objects.filter(
        api_key=exchange.question.api_key,
        operation=OPERATION,
        request_id=request_id,
        started_at__gte=exchange.asked_at,
    )
    return calls.order_by("-started_at").values_list("pk", flat=True).first()
