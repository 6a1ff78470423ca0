"""What may be done with the last question of a conversation, besides asking another."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from rest_framework import status

from chat.models import Conversation, Message
from usage.errors import Refusal
from usage.models import ApiKey


class Action(StrEnum):
    """What is asked for."""

    SEND = "send"
    REGENERATE = "regenerate"
    EDIT = "edit"
    CONTINUE = "continue"

    @classmethod
    def values(cls) -> list[str]:
        """Return them as callers write them."""
        return [action.value for action in cls]


class NothingToDo(Refusal):
    """The last question of the conversation is not as the action needs it."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "La conversación no tiene una pregunta que rehacer."
    default_code = "nothing_to_regenerate"


class NothingToContinue(NothingToDo):
    """The last answer of the conversation is whole, or too long ago to be sent again."""

    default_detail = "La última respuesta no quedó cortada: no hay nada que continuar."
    default_code = "nothing_to_continue"


class TurnTaken(Refusal):
    """Somebody else is answering this question at the same time."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "Ya se está respondiendo una pregunta en esta conversación."
    default_code = "busy"
    wait = 1.0


@dataclass(frozen=True)
class Target:
    """A stored question that is to be answered anew, or whose answer is to go on."""

    pk: int
    text: str
    turn_id: str
    process: str
    answer_id: int | None
    answer: str
    specialist: str
    llm_used: str
    citations: list[dict[str, Any]]
    attachments: list[dict[str, str]]


def target_of(api_key: ApiKey, session_id: str, action: Action, again: int | None) -> Target | None:
    """Return the question that an action is about; None for a new question.

    Args:
        api_key: The caller.
        session_id: The conversation.
        action: What is asked for.
        again: The question of a turn that was lost, which is answered without a second copy of it.

    Raises:
        NotFound: The caller has no such session.
        NothingToDo: There is no such question, or no answer that was cut.
    """
    if action is Action.SEND and again is None:
        return None
    conversation = Conversation.objects.of(api_key, session_id)
    questions = conversation.messages.filter(role=Message.Role.USER).select_related("reply")
    if action is Action.SEND and again is not None:
        questions = questions.filter(pk=again)
    question = questions.order_by("-id").first()
    if question is None:
        raise NothingToDo
    answer: Message | None = getattr(question, "reply", None)
    if action is Action.CONTINUE and (answer is None or not answer.cut):
        raise NothingToContinue
    return Target(
        pk=question.pk,
        text=question.content,
        turn_id=question.turn_id,
        process=question.process,
        answer_id=answer.pk if answer else None,
        answer=answer.content if answer else "",
        specialist=answer.specialist if answer else question.specialist,
        llm_used=answer.llm_used if answer else "",
        citations=answer.citations if answer else [],
        attachments=question.attachments,
    )
