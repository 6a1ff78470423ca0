"""From a question to all that is needed to answer it: who answers, passages, what was said before.

Synchronous, and only read; `chat.answering.record` stores the question and its answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db.models import F, FilteredRelation, Q, QuerySet

from chat import plugins
from chat.answering import attachments, prompt
from chat.answering.attachments import Attached, File
from chat.answering.retrieval import find_passages
from chat.answering.turns import Action, NothingToContinue, Target, target_of
from chat.events import MODEL
from chat.models import Conversation, Message
from chat.plugins import Specialist
from knowledge import questions
from knowledge.questions import Reason
from knowledge.searching.search import Hit
from usage.hops import give_connections_back
from usage.llm import Turn
from usage.models import ApiKey
from usage.statements import Prepared

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
    action: Action = Action.SEND
    turn_id: str = ""
    again: int | None = None  # the question whose turn was lost, which this one takes up
    files: tuple[File, ...] = ()
    attachments: tuple[Attached, ...] = ()

    @property
    def stored_attachments(self) -> list[dict[str, str]]:
        """What was found out about its files, as it is stored with it."""
        return [one.as_dict() for one in self.attachments]


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
    """A question with all that is needed to answer it; nothing of it is stored yet.

    Attributes:
        target: The stored question that is answered anew or further, None for a new one.
    """

    question: Question
    opened_by: int  # the key that began the conversation, or begins it now
    user_context: Mapping[str, Any]
    specialist: Specialist
    choice_reason: str  # why this one, in Spanish
    opening: Specialist  # whose instructions the conversation began with; see `prompt.handover`
    hits: Sequence[Hit]
    history: Sequence[Turn]
    history_start: int
    history_end: int
    turn: str
    target: Target | None = None

    @property
    def passages(self) -> int:
        """How many there are to cite."""
        return len(self.target.citations) if self.target and self.continues else len(self.hits)

    @property
    def continues(self) -> bool:
        """Whether an answer that was cut goes on."""
        return self.question.action is Action.CONTINUE

    def asked(self) -> "Exchange":
        """Return the exchange without what only asking needs, which may be most of a conversation."""
        return replace(self, turn="", history=())

    @property
    def may_be_offline(self) -> bool:
        """Whether an answer without the model is better than what there is."""
        if self.question.action not in (Action.CONTINUE, Action.REGENERATE):
            return True
        return self.target is not None and self.target.llm_used != MODEL


def prepare(question: Question) -> Exchange:
    """Choose who answers, and gather passages and history.

    Raises:
        NotFound, NothingToDo, NothingToContinue: The action needs a question or an answer that is not there.
    """
    target = target_of(question.api_key, question.session_id, question.action, question.again)
    known = _read(question)
    give_connections_back()  # what follows may wait for the processor, which is longer than for a row
    if target is not None:
        if question.action is not Action.EDIT:
            question = replace(question, text=target.text)
        if not question.attachments:
            question = replace(question, attachments=attachments.stored(target.attachments))
        if question.action is not Action.CONTINUE:
            known.answered = [one for one in known.answered if one.pk != target.answer_id]
    earlier = trimmed(known.answered)
    if 0 < len(earlier) < len(known.answered):
        known.history_start = earlier[0].pk
    user_context = question.user_context or known.user_context
    if question.action is Action.CONTINUE:
        if target is None or not earlier or earlier[-1].pk != target.answer_id:
            raise NothingToContinue  # it is not sent any more
        author = plugins.by_name(target.specialist) or plugins.everyone()[-1]
        choice = plugins.Choice(author, "conversation")
        specialist, hits = choice.specialist, []
    else:
        choice = plugins.choose(question.text, user_context, known.specialist)
        specialist = choice.specialist
        hits = find_passages(
            question.text, specialist, previous=earlier[-1].question if earlier else ""
        )
        if not hits:
            questions.record(question.text, Reason.NOT_FOUND, module=specialist.module)
    opening = (plugins.by_name(earlier[0].specialist) if earlier else None) or specialist
    if question.action is Action.CONTINUE:
        turn = prompt.CONTINUE
    else:
        files = [(one.filename, one.text) for one in question.attachments]
        turn = prompt.user_turn(question.text, hits, user_context, files)
    if earlier and earlier[-1].specialist != specialist.name:
        turn = f"{prompt.handover(specialist, opening)}\n\n{turn}"
    return Exchange(
        question=question,
        opened_by=known.opened_by or question.api_key.pk,
        user_context=user_context,
        specialist=specialist,
        choice_reason=choice.explanation,
        opening=opening,
        hits=hits,
        history=[turn for answered in earlier for turn in answered.turns],
        history_start=known.history_start,
        history_end=earlier[-1].pk if earlier else 0,
        turn=turn,
        target=target,
    )


@dataclass
class _Known:
    """What is stored of a conversation; nothing yet of a new one."""

    opened_by: int = 0
    user_context: Mapping[str, Any] = field(default_factory=dict)
    specialist: str = ""
    history_start: int = 0
    answered: list[Answered] = field(default_factory=list)


def _read(question: Question) -> _Known:
    """Read a conversation with the answered questions that still go with a new one, oldest first.

    By order of the answers, so that a slow answer to an earlier question comes at the end and what
    was sent before stays a prefix of what is sent now.
    """
    known = _Known()
    found = _KNOWN.rows(question.api_key.account_id, question.session_id)
    # Of two with one name, as `Conversation.rank` orders them.
    own = min(((key != question.api_key.pk, pk) for pk, key, *_ in found), default=None)
    for pk, key, user_context, specialist, history_start, *answer in found:
        if own is None or pk != own[1]:
            continue
        known.opened_by, known.user_context, known.specialist = key, user_context, specialist
        known.history_start = history_start
        # Without a prompt it was withdrawn, or never sent; without an answer it stays so.
        if answer[0] is not None and answer[2] and answer[3].strip():
            known.answered.append(Answered(*answer))
    return known


def _known(account_id: int, session_id: str) -> QuerySet[Conversation, tuple[Any, ...]]:
    return (
        Conversation.objects.filter(api_key__account=account_id, session_id=session_id)
        .annotate(
            answer=FilteredRelation(
                "messages",
                condition=Q(
                    messages__role=Message.Role.ASSISTANT,
                    messages__pk__gte=F("history_start"),
                ),
            )
        )
        .order_by("answer__pk")
        .values_list(
            "pk",
            "api_key_id",
            "user_context",
            "specialist",
            "history_start",
            "answer__pk",
            "answer__reply_to__content",
            "answer__reply_to__prompt",
            "answer__content",
            "answer__specialist",
        )
    )


_KNOWN: Final = Prepared(_known, -7, "\N{SPEECH BALLOON}")


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
