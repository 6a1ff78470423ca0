"""What is stored together with a settlement, for whoever asked for the call.

An answer and what it cost are one fact, so they are committed together. What is to be stored is plain
data under a name, not a closure: while the database is away it waits on disk with the settlement
(`spool`), and may be stored by another process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

Store = Callable[[UUID, dict[str, object], Callable[[], bool]], object]

_stores: dict[str, Store] = {}


def register(name: str, store: Store) -> None:
    """Say what stores the attachments of a name; once, when the application starts.

    Args:
        name: Stable: files on disk carry it.
        store: Takes the ledger row, the values, and what tells whether they may have been stored before,
            which is asked after a statement of its own, with which the settlement goes. Runs inside
            the settlement's transaction, and must not fail for what was deleted meanwhile.
    """
    _stores[name] = store


@dataclass(frozen=True, slots=True)
class Attachment:
    """Values that JSON can hold, and the name of what stores them."""

    name: str
    values: dict[str, object]

    def store(self, usage_id: UUID, *, again: Callable[[], bool]) -> object:
        """Store the values beside a settled row; return what the registered function returns."""
        return _stores[self.name](usage_id, self.values, again)
