"""Finding the passages that answer a question."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.urls import reverse
from django.utils import timezone

from knowledge import live, ranking
from knowledge.live import Snapshot
from knowledge.models import Passage
from knowledge.query import Query, analyse

DEFAULT_RESULTS: Final = 5
MAX_RESULTS: Final = 50
CANDIDATES: Final = 50


@dataclass(frozen=True)
class Hit:
    """A passage found, with what an answer needs to quote it."""

    document_id: str
    title: str
    module: str
    section: str
    content: str
    score: float  # 0 to 1: how much of the best possible match this is
    source: str
    source_path: str
    tags: tuple[str, ...]
    version: int
    anchor: str

    @property
    def url(self) -> str:
        """Where the public API serves the section."""
        return reverse("knowledge-section", args=[self.document_id, self.anchor])


@dataclass(frozen=True)
class Result:
    """All that a search found out."""

    query: Query
    hits: tuple[Hit, ...]
    stamp: str  # the index searched; equal stamps and questions give equal results


def search(
    query: str,
    *,
    top_k: int = DEFAULT_RESULTS,
    modules: Sequence[str] = (),
    tags: Sequence[str] = (),
) -> list[Hit]:
    """Return the passages that answer a question, best first; none when nothing fits.

    Args:
        query: A question in Spanish, as people type it.
        top_k: How many passages at most.
        modules: Only documents of one of these modules.
        tags: Only documents with one of these tags.
    """
    return list(find(query, top_k=top_k, modules=modules, tags=tags).hits)


def find(
    query: str,
    *,
    top_k: int = DEFAULT_RESULTS,
    modules: Sequence[str] = (),
    tags: Sequence[str] = (),
) -> Result:
    """Like :func:`search`, with the analysis of the question."""
    snapshot = live.current()
    analysed = analyse(query, snapshot)
    ranker = snapshot.ranker
    scores = ranker.scores(analysed.terms)
    scores[~ranker.usable(timezone.localdate(), modules, tags)] = 0
    rows = ranking.best(scores, min(top_k, MAX_RESULTS))
    found = [
        (int(ranker.ids[row]), _relative(float(scores[row]), analysed.ceiling)) for row in rows
    ]
    return Result(query=analysed, hits=tuple(_hits(found)), stamp=str(snapshot.stamp))


def status() -> dict[str, Any]:
    """Describe the index for the health report."""
    snapshot: Snapshot = live.current()
    return {
        "status": "ok" if len(snapshot.ranker) else "empty",
        "passages": len(snapshot.ranker),
    }


def _relative(score: float, ceiling: float) -> float:
    return round(min(1.0, score / ceiling), 4) if ceiling else 0.0


class _Passages:
    """Recently found passages by id. They never change, so a copy here cannot be wrong."""

    LIMIT: Final = 4_000

    def __init__(self) -> None:
        self._known: dict[int, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def get(self, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return what a hit says of each passage, reading only those not seen lately."""
        wanted = list(ids)
        known = self._known
        found = {key: known[key] for key in wanted if key in known}
        missing = [key for key in wanted if key not in found]
        if missing:
            fresh = {passage.id: _facts(passage) for passage in _read(missing)}
            found |= fresh
            with self._lock:
                if len(self._known) + len(fresh) > self.LIMIT:
                    self._known = {}
                self._known |= fresh
        return found

    def clear(self) -> None:
        """Forget everything; for tests, where ids come back with other content."""
        self._known = {}


passages = _Passages()


def _hits(found: Sequence[tuple[int, float]]) -> Iterable[Hit]:
    facts = passages.get(key for key, _ in found)
    for key, score in found:
        if key in facts:  # a document deleted for good since the index was read is no error
            yield Hit(score=score, **facts[key])


def _read(ids: Sequence[int]) -> Iterable[Passage]:
    return (
        Passage.objects.filter(id__in=ids)
        .select_related("version__document")
        .only(
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
    )


def _facts(passage: Passage) -> dict[str, Any]:
    version = passage.version
    return {
        "document_id": version.document.slug,
        "title": version.title,
        "module": version.module,
        "section": passage.section,
        "content": passage.content,
        "source": version.source,
        "source_path": version.source_path,
        "tags": tuple(version.tags),
        "version": version.number,
        "anchor": passage.anchor,
    }
