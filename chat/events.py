"""What a reply is made of, and how it looks on the wire.

The same objects go out as SSE (``data: {…}``) and as WebSocket messages::

    {"type": "text", "content": "…"}                     any number, concatenated they are the answer
    {"type": "done", "metadata": {…}}                    the last one when the answer is complete
    {"type": "stopped", "metadata": {…}}                 the last one when it was stopped
    {"type": "error", "code": …, "detail": …, "content": …, "status": …}     the last one otherwise
    {"type": "ping"}                                     nothing yet; a comment in SSE

All but the ping carry ``id`` and ``seq``, by which a client resumes (`chat.live.turns`).

``sources`` are plain titles, which clients print as they are; ``citations`` say the same passage by
passage, numbered as the answer cites them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from django.db import InterfaceError, OperationalError
from rest_framework.exceptions import APIException

from chat import plugins
from chat.models import Message, unique_titles
from usage.errors import DatabaseUnavailable, Refusal, error_body
from usage.llm import Reply, TokenUsage

log = structlog.get_logger(__name__)

OFFLINE: Final = "offline"
MODEL: Final = "anthropic"

# Of a file; the rest of what is stored is for the model.
_TOLD: Final = ("filename", "kind", "verdict", "summary")


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer.

    Attributes:
        id: Where the turn stands after it, for a client that resumes; see `chat.live.turns`.
        seq: The number in it.
    """

    content: str
    id: str = ""
    seq: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the object sent to the client."""
        numbered = {"id": self.id, "seq": self.seq} if self.id else {}
        return {"type": "text", "content": self.content, **numbered}


@dataclass(frozen=True)
class Ping:
    """Nothing yet, but somebody is at work."""

    def as_dict(self) -> dict[str, Any]:
        """Return the object sent to the client."""
        return {"type": "ping"}


@dataclass(frozen=True)
class Absence:
    """Why an answer was given without the model.

    Attributes:
        reason: A stable name: ``not_configured``, ``budget_exceeded``, ``call_too_large``,
            ``breaker_open``, ``timeout``, ``refusal``, ``thinking_only``, or another code of
            `usage.errors.ModelUnavailable`.
        stop_reason: How the model stopped, if it had said anything.
        window_ends: When a used-up budget begins anew, as ISO 8601.
    """

    reason: str
    stop_reason: str = ""
    window_ends: str | None = None


@dataclass(frozen=True)
class Done:
    """The answer is complete and stored; what is known about it.

    Attributes:
        reply: What the model gave, None for an answer without it.
        absence: Why it was given without the model.
        history_dropped: Whether what was said before could not go with the question.
        choice_reason: Why this specialist answers, in Spanish.
        attachments: What was found out about the files of the question, as it is stored.
    """

    session_id: str
    message: Message
    reply: Reply | None = None
    absence: Absence | None = None
    history_dropped: bool = False
    choice_reason: str = ""
    attachments: Sequence[Mapping[str, str]] = ()

    @property
    def truncated(self) -> bool:
        """Whether the model stopped before it had said everything."""
        return self.reply is not None and not self.reply.complete

    @property
    def metadata(self) -> dict[str, Any]:
        """Return what accompanies the answer, in REST and in the final event alike."""
        return {
            "sources": unique_titles(self.message.citations),
            "citations": self.message.citations,
            "confidence": self.message.confidence,
            "grounding": self.message.grounding,
            "llm_used": self.message.llm_used,
            "plugin_used": self.message.specialist,
            "plugin_title": plugins.title_of(self.message.specialist),
            "plugin_reason": self.choice_reason,
            "session_id": self.session_id,
            "message_id": self.message.pk,
            "turn_id": self.message.turn_id,
            "continued": self.message.turn_start > 0,
            "truncated": self.truncated,
            "history_dropped": self.history_dropped,
            "attachments": [{name: one[name] for name in _TOLD} for one in self.attachments],
            **_cost(self.reply),
            **_absence(self.absence, self.reply),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the object sent to the client."""
        return {"type": "done", "metadata": self.metadata}


def _cost(reply: Reply | None) -> dict[str, Any]:
    if reply is None:
        return {
            "model": "",
            "tokens_used": tokens_used(None),
            "cost_usd": "0",
            "cached": False,
            "cache_read_share": 0.0,
        }
    return {
        "model": reply.model,
        "tokens_used": tokens_used(reply.usage),
        **reply.account,
    }


def _absence(absence: Absence | None, reply: Reply | None) -> dict[str, Any]:
    if absence is None:
        stop_reason = reply.stop_reason if reply else ""
        return {"stop_reason": stop_reason, "reason": None, "window_ends": None}
    return {
        "stop_reason": absence.stop_reason,
        "reason": absence.reason,
        "window_ends": absence.window_ends,
    }


@dataclass(frozen=True)
class Failed:
    """The answer could not be given, or not to its end."""

    body: dict[str, Any]
    status: int

    @classmethod
    def from_refusal(cls, exc: APIException) -> "Failed":
        """Describe a refusal with the body a REST caller would get."""
        return cls(error_body(exc), exc.status_code)

    @classmethod
    def from_fault(cls, exc: Exception) -> "Failed":
        """Describe whatever went wrong while an answer was given: a stream never just stops."""
        if isinstance(exc, APIException):
            return cls.from_refusal(exc)
        if isinstance(exc, (OperationalError, InterfaceError)):
            log.warning("stream_without_database", error=type(exc.__cause__ or exc).__name__)
            return cls.from_refusal(DatabaseUnavailable())
        log.error("stream_failed", exc_info=exc)
        return cls.from_refusal(APIException(code="internal_error"))

    def as_dict(self) -> dict[str, Any]:
        """Return the object sent to the client; ``content`` is for clients that only show that."""
        return {
            "type": "error",
            "content": self.body["detail"],
            "status": self.status,
            **self.body,
        }


class AnswerFailed(Refusal):
    """The event that ended a turn, for callers who get their answer in one piece.

    Args:
        body: Of the event, from `Failed.as_dict`.
    """

    def __init__(self, body: dict[str, Any]) -> None:
        told = ("type", "content", "status", "detail", "code")
        super().__init__(
            body["detail"], body["code"], **{k: v for k, v in body.items() if k not in told}
        )
        self.status_code = body["status"]
        self.wait = body.get("retry_after")


def stopped(
    session_id: str, turn_id: str, answer: Message | None, attachments: Sequence[Mapping[str, str]]
) -> dict[str, Any]:
    """Return the event that ends a turn which somebody stopped, or that nobody read any more."""
    done = Done(session_id, answer, attachments=attachments) if answer is not None else None
    metadata = done.metadata if done is not None else {}
    return {
        "type": "stopped",
        "metadata": {"session_id": session_id, "message_id": None, "turn_id": turn_id, **metadata},
    }


@dataclass(frozen=True, slots=True)
class Begun:
    """The turn has begun: nothing to show, but from here on it can be resumed."""

    id: str


@dataclass(frozen=True, slots=True)
class Last:
    """The end of a turn as its readers get it: ``done``, ``stopped`` or ``error``, numbered."""

    body: dict[str, Any]
    id: str = ""
    seq: int = 0

    @property
    def kind(self) -> str:
        """The type of the event."""
        return str(self.body["type"])

    def as_dict(self) -> dict[str, Any]:
        """Return the object sent to the client."""
        return {**self.body, "id": self.id, "seq": self.seq}


Event = Text | Done
Sent = Begun | Text | Last | Ping


def tokens_used(tokens: TokenUsage | None) -> dict[str, int]:
    """Return token counts under the names that clients read; all zero without the model."""
    if tokens is None:
        tokens = TokenUsage()
    return {
        "input_tokens": tokens.input_tokens,
        "output_tokens": tokens.output_tokens,
        "total_tokens": tokens.total,
        "cache_read_tokens": tokens.cache_read_tokens,
        "cache_creation_tokens": tokens.cache_write_5m_tokens + tokens.cache_write_1h_tokens,
    }
