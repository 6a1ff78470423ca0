"""Turns in the database: what has ended, and what another process is at. Synchronous."""

from dataclasses import dataclass
from typing import Any

from chat.costs import cost_of
from chat.events import Done, Failed, Last, Sent, Text, stopped
from chat.live.turns import Turn
from chat.models import Conversation, Message, owner_of
from usage.errors import ModelUnavailable
from usage.models import ApiKey, Outcome


@dataclass(frozen=True)
class Stored:
    """What is stored of a turn.

    Attributes:
        answer: None while there is none of this turn.
    """

    turn: Turn
    question: Message
    answer: Message | None

    @property
    def is_whole(self) -> bool:
        """Whether the model answered to the end: asking again is of no use."""
        answer = self.answer
        return answer is not None and not answer.cut and answer.llm_used != "offline"

    def sent_after(self, position: int) -> list[Sent]:
        """Return what a reader who has seen so much has not seen yet."""
        if self.answer is None:
            return []
        said = self.answer.content.encode()[self.answer.turn_start :]
        sent: list[Sent] = []
        end = len(said)
        if position < end:
            rest = said[position:].decode(errors="ignore")
            sent.append(Text(rest, self.turn.event_id(end), end))
        if position <= end:
            body = _ending(self.turn.session_id, self.question, self.answer)
            sent.append(Last(body, self.turn.event_id(end + 1), end + 1))
        return sent


def find(api_key: ApiKey, turn: Turn) -> Stored | None:
    """Return what is stored of a turn; None if its question is not.

    Raises:
        NotFound: The key has no such session.
    """
    conversation = Conversation.objects.of(api_key, turn.session_id)
    return _of(turn, _questions(conversation).filter(turn_id=turn.turn_id).first())


def find_anywhere(api_key: ApiKey, turn: Turn) -> Stored | None:
    """Return what is stored of a turn; None also if there is no such session."""
    conversation = Conversation.objects.named(api_key, turn.session_id)
    if conversation is None:
        return None
    return _of(turn, _questions(conversation).filter(turn_id=turn.turn_id).first())


def latest(api_key: ApiKey, owner: int, session_id: str) -> Stored | None:
    """Return what is stored of the last turn of a conversation.

    Raises:
        NotFound: The key has no such session.
    """
    conversation = Conversation.objects.of(api_key, session_id)
    question = _questions(conversation).order_by("-id").first()
    if question is None:
        return None
    return _of(Turn(owner, session_id, question.turn_id), question)


def unanswered(
    api_key: ApiKey, conversation: Conversation, messages: list[Message]
) -> Stored | None:
    """Return the last turn of a conversation whose messages were read, if it has no answer."""
    asked = [one for one in messages if one.role == Message.Role.USER]
    if not asked or not asked[-1].process:
        return None
    question = asked[-1]
    turn = Turn(owner_of(api_key), conversation.session_id, question.turn_id)
    if any(one.turn_id == question.turn_id and one.reply_to_id for one in messages):
        return None
    return Stored(turn, question, None)


def _questions(conversation: Conversation) -> Any:
    questions = conversation.messages.filter(role=Message.Role.USER)
    return questions.select_related("reply__usage").defer("prompt", "reply__prompt")


def _of(turn: Turn, question: Message | None) -> Stored | None:
    if question is None:
        return None
    answer: Message | None = getattr(question, "reply", None)
    if answer is not None and answer.turn_id != question.turn_id:
        answer = None  # of what this turn is to replace
    return Stored(turn, question, answer)


def _ending(session_id: str, question: Message, answer: Message) -> dict[str, Any]:
    outcome = answer.usage.outcome if answer.usage else Outcome.ANSWERED
    if answer.cut and outcome == Outcome.CANCELLED:
        body = stopped(session_id, answer.turn_id, answer, question.attachments)
    elif answer.cut and outcome != Outcome.ANSWERED:
        cut = ModelUnavailable("La respuesta se interrumpió antes de terminar.", code="answer_cut")
        return Failed.from_refusal(cut).as_dict()
    else:
        body = Done(session_id, answer, attachments=question.attachments).as_dict()
    body["metadata"] |= {"truncated": answer.cut, **cost_of(answer)}
    if answer.usage is not None:
        body["metadata"]["stop_reason"] = answer.usage.stop_reason
    return body
