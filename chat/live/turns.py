"""What names a turn, and a place in it."""

import hashlib
import re
import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Final

TURN_ID: Final = r"[A-Za-z0-9_-]{8,64}"
_EVENT_ID: Final = re.compile(rf"({TURN_ID}):(\d{{1,9}})")


def new_turn_id() -> str:
    """Return an id for a turn whose caller named none."""
    return uuid.uuid4().hex


def turn_id_of(idempotency_key: str) -> str:
    """Return the id of the turn that a request with an Idempotency-Key asks for, each time the same."""
    return "ik-" + hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]


def parse(event_id: str) -> tuple[str, int] | None:
    """Return the turn and the number in it of an event's id; None for what is none."""
    found = _EVENT_ID.fullmatch(event_id)
    return None if found is None else (found[1], int(found[2]))


@dataclass(frozen=True)
class Turn:
    """A turn of somebody's conversation; callers choose ids, so an id alone names nothing.

    Attributes:
        owner: Whose, from `chat.models.owner_of`.
    """

    owner: int
    session_id: str
    turn_id: str

    @cached_property
    def name(self) -> str:
        """What names it among those of everybody."""
        text = f"{self.owner}\n{self.turn_id}\n{self.session_id}"
        return hashlib.sha256(text.encode()).hexdigest()[:40]

    @property
    def conversation(self) -> tuple[int, str]:
        """What names its conversation."""
        return self.owner, self.session_id

    def event_id(self, number: int) -> str:
        """Return the id of an event."""
        return f"{self.turn_id}:{number}"
