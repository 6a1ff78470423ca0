"""What goes into a model call and what comes out: plain values, no rows and no SDK types."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, Protocol
from uuid import UUID

from usage.accounting.attachments import Attachment
from usage.llm.reading import is_complete
from usage.models import Outcome
from usage.money import plain
from usage.tokens import TokenUsage


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a conversation.

    A conversation grows at its end only: what was sent for a turn, passages included, is sent again
    unchanged in later calls, so that the provider finds it in its cache.
    """

    role: Literal["user", "assistant"]
    text: str
    passages: tuple[str, ...] = ()  # what was retrieved for this turn; goes before its text


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request to the model, stable parts first.

    Attributes:
        system: Blocks that are the same for many calls: instructions, rules, digest of knowledge.
        turns: The conversation; the last turn is the user's.
        max_tokens: The most the answer may have, the model's thinking included.
        schema: JSON schema that the answer must follow; then the reply carries `data`.
        continues: Whether the conversation is likely to go on from here; then its end is cached too,
            which costs a quarter more for what is new and nearly nothing for what is not.
        effort: How much the model may think; the model's own default when None.
    """

    system: tuple[str, ...]
    turns: tuple[Turn, ...]
    max_tokens: int
    schema: dict[str, object] | None = None
    effort: Literal["low", "medium", "high"] | None = None
    continues: bool = True

    def sent(self) -> "Prompt":
        """Return the prompt without its texts, for while it is being answered."""
        return replace(self, system=(), turns=())


class Companion(Protocol):
    """What a caller stores in the same transactions as its call: one before it, one after it."""

    def begin(self) -> None:
        """Store what belongs before the call, inside the transaction that reserves it; synchronous.

        Called again if that transaction was rolled back, because there was no room.
        """

    def begun(self) -> None:
        """Take note that it was committed: from now on only `end` is called, once for each attempt."""

    @property
    def is_begun(self) -> bool:
        """Whether `begun` was called."""

    def end(self, outcome: Outcome, *, complete: bool) -> Attachment | None:
        """Return what is stored with the settlement of an attempt, now or once the database is back.

        Args:
            outcome: How the attempt ended.
            complete: Whether the model said all that it wanted to say.
        """

    def ended(self, stored: Any) -> None:
        """Take note of what storing the attachment returned; None if it waits for the database."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer, as it arrives."""

    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished answer and its account.

    Attributes:
        cached: Whether it was given before, to an identical call, and costs nothing now.
    """

    text: str
    data: object
    stop_reason: str
    model: str
    usage: TokenUsage
    cost_usd: Decimal
    usage_id: UUID
    provider_request_id: str = ""
    cached: bool = False

    @property
    def complete(self) -> bool:
        """Whether the model said all that it wanted to say."""
        return is_complete(self.stop_reason)

    @property
    def cache_read_share(self) -> float:
        """The part of the input that the provider read from its prompt cache, 0 to 1."""
        return self.usage.cache_read_tokens / self.usage.prompt if self.usage.prompt else 0.0

    @property
    def account(self) -> dict[str, object]:
        """What an answer says of its cost, in the words of the API."""
        return {
            "cost_usd": plain(self.cost_usd),
            "cached": self.cached,
            "cache_read_share": round(self.cache_read_share, 3),
        }
