"""What a reply is made of, and how it looks on the wire.

The same objects go out as SSE (``data: {…}``) and as WebSocket messages::

    {"type": "text", "content": "…"}                     any number, concatenated they are the answer
    {"type": "done", "metadata": {…}}                    the last one when the answer is complete
    {"type": "error", "code": …, "detail": …, "content": …, "status": …}     the last one otherwise

``sources`` are plain titles, which clients print as they are; ``citations`` say the same passage by
passage, numbered as the answer cites them.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import structlog
from rest_framework.exceptions import APIException

from chat import plugins
from chat.models import Message, unique_titles
from usage.errors import error_body
from usage.llm import TokenUsage

log = structlog.get_logger(__name__)

OFFLINE: Final = "offline"
MODEL: Final = "anthropic"


@dataclass(frozen=True)
class Text:
    """A piece of the answer."""

    content: str

    def as_dict(self) -> dict[str, Any]:
        """Return the object sent to the client."""
        return {"type": "text", "content": self.content}


@dataclass(frozen=True)
class Done:
    """The answer is complete and stored; what is known about it."""

    session_id: str
    message: Message
    model: str = ""
    tokens: TokenUsage | None = None
    truncated: bool = False

    @property
    def metadata(self) -> dict[str, Any]:
        """Return what accompanies the answer, in REST and in the final event alike."""
        return {
            "sources": unique_titles(self.message.citations),
            "citations": self.message.citations,
            "confidence": self.message.confidence,
            "tokens_used": tokens_used(self.tokens),
            "llm_used": self.message.llm_used,
            "model": self.model,
            "plugin_used": self.message.specialist,
            "plugin_title": plugins.title_of(self.message.specialist),
            "session_id": self.session_id,
            "message_id": self.message.pk,
            "truncated": self.truncated,
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the object sent to the client."""
        return {"type": "done", "metadata": self.metadata}


@dataclass(frozen=True)
class Failed:
    """The answer could not be given, or not to its end."""

    body: dict[str, Any]
    status: int

    @classmethod
    def from_refusal(cls, exc: APIException) -> "Failed":
        """Describe a refusal with the body a REST caller would get."""
        return cls(error_body(exc), exc.status_code)

    def as_dict(self) -> dict[str, Any]:
        """Return the object sent to the client; ``content`` is for clients that only show that."""
        return {
            "type": "error",
            "content": self.body["detail"],
            "status": self.status,
            **self.body,
        }


Event = Text | Done | Failed


async def guarded(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """Pass events on and turn whatever goes wrong into the last one: a stream never just stops."""
    try:
        async with aclosing(events):
            async for event in events:
                yield event
    except APIException as exc:
        yield Failed.from_refusal(exc)
    except Exception:
        log.exception("stream_failed")
        yield Failed.from_refusal(APIException(code="internal_error"))


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
