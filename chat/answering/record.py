"""One question and its answer in the database, stored in the transactions of the call between them.

The question is committed with the reservation, the answer with the settlement; an answer without the
model is one transaction with its question.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from io import StringIO
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from chat.answering import citations, offline
from chat.answering.confidence import confidence, grounding
from chat.answering.disclosure import DisclosureFilter
from chat.answering.exchange import Exchange
from chat.answering.turns import Action, Target, TurnTaken
from chat.events import MODEL, OFFLINE
from chat.models import Conversation, Message
from knowledge.searching.search import Hit
from usage import statements
from usage.accounting import ledger, process
from usage.accounting.attachments import Attachment
from usage.direct import Pending
from usage.models import Operation, Outcome

log = structlog.get_logger(__name__)

ATTACHMENT: Final = "chat.answer"


class Record:
    """What is stored of one exchange; the `usage.llm.Companion` of its call.

    Args:
        exchange: The question.
        streaming: Whether the answer is passed on as it comes: then what was said of one that breaks
            off is kept, for somebody has read it.
    """

    def __init__(self, exchange: Exchange, *, streaming: bool) -> None:
        self.exchange = exchange
        self.history_dropped = False
        self.is_begun = False
        self.answer: Message | None = None
        self._streaming = streaming
        self._conversation_id = 0
        self._taken_up: int | None = None  # a stored question that is answered anew or further
        self._asked: Pending | None = None
        self._filter = citations.CitationFilter(exchange.passages)
        self._guard = DisclosureFilter()
        self._spoken = StringIO()
        self.rest = ""  # of the text, what the filter held back until the end

    def drop_history(self) -> None:
        """Ask again without what was said before, and once that is answered send it no more."""
        self.exchange = replace(self.exchange, history=())
        self.history_dropped = True

    # --- The text, as it comes ---

    def feed(self, text: str) -> str:
        """Take in a piece of the answer; return what can be passed on of it."""
        if self.exchange.turn:
            self.exchange = self.exchange.asked()
        passed_on = self._filter.feed(self._guard.feed(text))
        self._spoken.write(passed_on)
        return passed_on

    @property
    def text(self) -> str:
        """The answer so far, what is held back excluded until it has ended."""
        return self._spoken.getvalue() + self.rest

    @property
    def invented_citations(self) -> int:
        """How many citations were left out because there is no such passage."""
        return self._filter.removed

    # --- The transactions of the call ---

    def begin(self) -> None:
        """Store the question; one statement for its conversation, whether that is new or not."""
        exchange, question = self.exchange, self.exchange.question
        conversation = statements.send(
            Conversation,
            {
                "api_key_id": exchange.opened_by,
                "session_id": question.session_id,
                "end_user": question.api_key.end_user,
                "user_context": dict(exchange.user_context),
                "history_start": exchange.history_start,
            },
            conflict=["api_key", "session_id"],
            update=["user_context", "history_start", "updated_at"],
        )
        ((self._conversation_id,),) = conversation.result().rows
        if exchange.target is not None:
            self._taken_up = self._take_up(exchange.target)
            return
        self._asked = statements.send(
            Message,
            {
                "conversation_id": self._conversation_id,
                "role": Message.Role.USER,
                "content": question.text,
                "prompt": exchange.turn,
                "specialist": exchange.specialist.name,
                "turn_id": question.turn_id,
                "process": process.announce() if question.turn_id else "",
                "attachments": question.stored_attachments,
            },
            refusal=TurnTaken,  # its turn began elsewhere at this moment
        )

    @property
    def _message_id(self) -> int:
        """The question's row."""
        if self._taken_up is not None:
            return self._taken_up
        if self._asked is None:
            raise RuntimeError("the question is not stored")
        ((pk,),) = self._asked.result().rows
        return int(pk)

    def _take_up(self, target: Target) -> int:
        """Answer a stored question anew or further, unless somebody else has just begun to."""
        exchange, question = self.exchange, self.exchange.question
        changes: dict[str, Any] = {"turn_id": question.turn_id, "process": process.announce()}
        if not exchange.continues:
            changes |= {"content": question.text, "prompt": exchange.turn}
            changes["attachments"] = question.stored_attachments
        unchanged = Message.objects.filter(
            pk=target.pk, turn_id=target.turn_id, process=target.process
        )
        if not unchanged.update(**changes):
            raise TurnTaken
        if question.action is Action.EDIT:  # what was answered to another question
            Message.objects.filter(reply_to=target.pk).delete()
        return target.pk

    def begun(self) -> None:
        """Take note that the question is committed."""
        self.is_begun = True

    @property
    def attachments(self) -> list[dict[str, str]]:
        """What was found out about the files of the question."""
        return self.exchange.question.stored_attachments

    @property
    def is_stored(self) -> bool:
        """Whether there is an answer of this turn in the database."""
        return self.answer is not None and self.answer.pk is not None

    def give_up(self) -> None:
        """Leave the question to whoever asks again: there is no answer, and nobody is at one."""
        if self.is_begun:
            mine = Message.objects.filter(pk=self._message_id, process=process.PROCESS_ID)
            mine.filter(turn_id=self.exchange.question.turn_id).update(process="")

    def end(self, outcome: Outcome, *, complete: bool) -> Attachment | None:
        """Return the answer for its settlement, or what there is of it."""
        answered = outcome is Outcome.ANSWERED
        if answered:
            self.rest = self._filter.feed(self._guard.flush()) + self._filter.flush()
            if self._guard.disclosed:
                log.warning("rules_disclosed", specialist=self.exchange.specialist.name)
        kept = (answered or self._streaming) and bool(self.text.strip())
        if outcome is Outcome.REFUSED:
            # Sent again, it would be refused again, and whatever is asked after it.
            return self._attachment(self.text if kept else "", cut=True, withdrawn=True)
        if not kept:
            return None
        return self._attachment(self.text, cut=not complete)

    def ended(self, stored: Message | None) -> None:
        """The answer is stored, or waits on the disk until it can be."""
        if stored is not None:
            self.answer = stored

    def _attachment(self, text: str, *, cut: bool, withdrawn: bool = False) -> Attachment:
        target = self.exchange.target if self.exchange.continues else None
        if target is None:
            found = citations.cite(self.exchange.hits, text)
        else:
            text = target.answer + text
            found = citations.cited_again(target.citations, text)
        values = self._values(text, self.exchange.hits, found, llm_used=MODEL)
        dropped = self.exchange.history_end + 1 if self.history_dropped else None
        values |= {"cut": cut, "withdrawn": withdrawn, "history_start": dropped}
        values["replaces"] = self.exchange.target is not None
        if target is not None:
            del values["grounding"]  # the passages are those of the turn before
            values |= {"continues": target.answer_id, "turn_start": len(target.answer.encode())}
        self.answer = _message(None, values)
        return Attachment(ATTACHMENT, values)

    def _values(
        self, text: str, hits: Sequence[Hit], found: list[dict[str, Any]], *, llm_used: str
    ) -> dict[str, Any]:
        specialist = self.exchange.specialist.name
        return {
            "conversation_id": self._conversation_id,
            "reply_to_id": self._message_id,
            "turn_id": self.exchange.question.turn_id,
            "content": text,
            "citations": found,
            "confidence": confidence(text, found, llm_used=llm_used, plugin_used=specialist),
            "grounding": grounding(text, hits, found, llm_used=llm_used)
            if len(hits) == len(found)
            else None,
            "llm_used": llm_used,
            "specialist": specialist,
            "created_at": timezone.now().isoformat(),
        }

    # --- Without a call ---

    def store_question(self) -> None:
        """Store the question of an exchange whose call was never reserved."""
        with transaction.atomic():
            self.begin()
        self.begun()

    def answer_offline(self) -> tuple[str, Message]:
        """Answer from the passages, with a usage row at no cost, and store it."""
        hits = offline.worth_quoting(self.exchange.hits)
        text = offline.compose(hits, self.exchange.question.text)
        with transaction.atomic():
            if not self.is_begun:
                self.begin()
            usage = ledger.record_offline(self.exchange.question.api_key, Operation.CHAT_REPLY)
            values = self._values(text, hits, citations.cite(hits), llm_used=OFFLINE)
            values["replaces"] = self.exchange.target is not None
            answer = store(usage.pk, values, lambda: False)
        self.begun()
        return text, answer


def store(usage_id: UUID, values: dict[str, Any], again: Callable[[], bool]) -> Message:
    """Store an answer, unless its conversation was deleted meanwhile; then it comes back unsaved.

    Args:
        usage_id: What it cost.
        values: From `Record`, or from the disk.
        again: Tells whether it may have been stored before.
    """
    answer = _message(usage_id, values)
    changes: dict[str, Any] = {"updated_at": timezone.now(), "specialist": answer.specialist}
    if (start := values.get("history_start")) is not None:
        changes["history_start"] = start
    # Holds the row until the commit, so that a deletion waits and then takes the answer with it.
    change = statements.send_update(Conversation, {"id": answer.conversation_id}, changes)
    alive = change.result().number
    if values.get("withdrawn"):
        Message.objects.filter(pk=values["reply_to_id"]).update(prompt="")
    turn_id = values.get("turn_id", "")
    if again() and Message.objects.filter(reply_to=answer.reply_to_id, turn_id=turn_id).exists():
        return answer
    if not (alive and answer.content):
        return answer
    if (continued := values.get("continues")) is not None:
        return _go_on(continued, answer)
    if values.get("replaces"):
        Message.objects.filter(reply_to=answer.reply_to_id).delete()
    statements.send_instance(answer)
    return answer


def _go_on(pk: int, answer: Message) -> Message:
    """Store what an answer has become that was cut and went on."""
    known = Message.objects.filter(pk=pk).first()
    if known is None:
        return answer
    answer.pk, answer.grounding, answer.rating = known.pk, known.grounding, known.rating
    answer.created_at = known.created_at
    answer.save(force_update=True)
    return answer


def _message(usage_id: UUID | None, values: dict[str, Any]) -> Message:
    return Message(
        conversation_id=values["conversation_id"],
        role=Message.Role.ASSISTANT,
        reply_to_id=values["reply_to_id"],
        content=values["content"],
        citations=values["citations"],
        confidence=values["confidence"],
        grounding=values.get("grounding"),
        llm_used=values["llm_used"],
        specialist=values["specialist"],
        cut=values.get("cut", False),
        turn_id=values.get("turn_id", ""),
        turn_start=values.get("turn_start", 0),
        created_at=datetime.fromisoformat(values["created_at"]),
        usage_id=usage_id,
    )
