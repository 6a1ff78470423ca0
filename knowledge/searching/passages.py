"""Text and vectors of passages by id, those found lately kept in memory.

Passages never change, so a copy here cannot be wrong; and most questions find the same few.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Generic, NamedTuple, TypedDict, TypeVar

from knowledge.models import DocumentVersion, Embedding, Passage
from knowledge.searching import semantic

Value = TypeVar("Value")


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


class VersionFacts(TypedDict):
    """What a hit says of the version of a document that its passage is from."""

    document_id: str
    title: str
    module: str
    source: str
    source_path: str
    tags: tuple[str, ...]
    version: int
    date: str  # ISO: when it was last compared with its sources, else since when it holds


class PassageFacts(VersionFacts):
    """What a hit says of its passage."""

    section: str
    content: str
    anchor: str


class PassageCache:
    """The text and the vectors of passages, kept up to some 30 MB."""

    def __init__(self) -> None:
        self._texts: _Kept[_Text] = _Kept(_read_texts, limit=4_000)  # some 6 MB
        self._versions: _Kept[VersionFacts] = _Kept(_read_versions, limit=4_000)  # some 4 MB
        self._vectors: _Kept[bytes] = _Kept(_read_vectors, limit=20_000)  # some 17 MB

    def facts(self, ids: Sequence[int]) -> dict[int, PassageFacts]:
        """Return what a hit says of each passage that exists."""
        found = self._texts.get(ids)
        versions = self._versions.get([text.version_id for text in found.values()])
        return {
            key: {
                "section": text.section,
                "content": text.content,
                "anchor": text.anchor,
                **versions[text.version_id],
            }
            for key, text in found.items()
            if text.version_id in versions
        }

    def vectors(self, ids: Sequence[int]) -> list[bytes | None]:
        """Return each passage's stored vector, None where there is none yet."""
        found = self._vectors.get(ids)
        return [found.get(key) for key in ids]

    def forget(self) -> None:
        """Drop what is kept; for tests, where ids come back with other content."""
        self._texts.clear()
        self._versions.clear()
        self._vectors.clear()


class _Text(NamedTuple):
    version_id: int
    anchor: str
    section: str
    content: str


# One table a query: compiling a join of three costs more than the search itself.
def _read_texts(ids: list[int]) -> dict[int, _Text]:
    rows = Passage.objects.filter(id__in=ids).order_by()
    return {
        key: _Text(version_id, anchor, section, content)
        for key, version_id, anchor, section, content in rows.values_list(
            "id", "version_id", "anchor", "section", "content"
        )
    }


def _read_versions(ids: list[int]) -> dict[int, VersionFacts]:
    versions = DocumentVersion.objects.filter(id__in=set(ids)).order_by()
    return {
        version.id: {
            "document_id": version.document.slug,
            "title": version.title,
            "module": version.module,
            "source": version.source,
            "source_path": version.source_path,
            "tags": tuple(version.tags),
            "version": version.number,
            "date": day.isoformat() if (day := version.checked_on or version.valid_from) else "",
        }
        for version in versions.select_related("document").only(*_VERSION_FIELDS)
    }


def _read_vectors(ids: list[int]) -> dict[int, bytes]:
    found = Passage.objects.filter(id__in=ids).order_by()
    hashes = dict(found.values_list("id", "text_hash"))
    stored = dict(
        Embedding.objects.filter(
            model=semantic.MODEL, text_hash__in=set(hashes.values())
        ).values_list("text_hash", "vector")
    )
    return {key: bytes(stored[value]) for key, value in hashes.items() if value in stored}


_VERSION_FIELDS: Final = (
    "title",
    "module",
    "source",
    "source_path",
    "tags",
    "number",
    "checked_on",
    "valid_from",
    "document__slug",
)
