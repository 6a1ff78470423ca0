"""Text and vectors of passages by id, those found lately kept in memory.

Passages never change, so a copy here cannot be wrong; and most questions find the same few.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from knowledge import semantic
from knowledge.models import Embedding, Passage

Value = TypeVar("Value")

_FIELDS: Final = (
    "id",
    "anchor",
    "section",
    "content",
    "version__title",
    "version__module",
    "version__tags",
    "version__source",
    "version__source_path",
    "version__number",
    "version__document__slug",
)


class _Kept(Generic[Value]):
    """Values by id, read in one query for all that are not known yet."""

    def __init__(self, read: Callable[[list[int]], Mapping[int, Value]], limit: int) -> None:
        self._read = read
        self._limit = limit
        self._known: dict[int, Value] = {}
        self._lock = threading.Lock()

    def get(self, ids: Sequence[int]) -> dict[int, Value]:
        known = self._known
        found = {key: known[key] for key in ids if key in known}
        missing = [key for key in ids if key not in found]
        if missing:
            fresh = self._read(missing)
            found |= fresh
            with self._lock:
                if len(self._known) >= self._limit:
                    self._known = {}  # simpler than counting uses, and costs a few queries
                self._known.update(fresh)
        return found

    def clear(self) -> None:
        self._known = {}


def facts(ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Return what a hit says of each passage that exists."""
    return _facts.get(ids)


def vectors(ids: Sequence[int]) -> list[bytes | None]:
    """Return each passage's stored vector, None where there is none yet."""
    found = _vectors.get(ids)
    return [found.get(key) for key in ids]


def forget() -> None:
    """Drop what is kept; for tests, where ids come back with other content."""
    _facts.clear()
    _vectors.clear()


def _read_facts(ids: list[int]) -> dict[int, dict[str, Any]]:
    rows = Passage.objects.filter(id__in=ids).values(*_FIELDS)
    return {
        row["id"]: {
            "document_id": row["version__document__slug"],
            "title": row["version__title"],
            "module": row["version__module"],
            "section": row["section"],
            "content": row["content"],
            "source": row["version__source"],
            "source_path": row["version__source_path"],
            "tags": tuple(row["version__tags"]),
            "version": row["version__number"],
            "anchor": row["anchor"],
        }
        for row in rows
    }


def _read_vectors(ids: list[int]) -> dict[int, bytes]:
    hashes = dict(Passage.objects.filter(id__in=ids).values_list("id", "text_hash"))
    stored = dict(
        Embedding.objects.filter(
            model=semantic.MODEL, text_hash__in=set(hashes.values())
        ).values_list("text_hash", "vector")
    )
    return {key: bytes(stored[value]) for key, value in hashes.items() if value in stored}


_facts: _Kept[dict[str, Any]] = _Kept(_read_facts, limit=4_000)  # some 8 MB
_vectors: _Kept[bytes] = _Kept(_read_vectors, limit=20_000)  # some 17 MB
