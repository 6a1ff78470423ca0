"""Finding the passages that answer a question.

BM25 finds fifty candidates; where passages have vectors, half of the order is theirs. A question
that no passage comes near is answered with nothing, which is better than with something else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from django.urls import reverse
from django.utils import timezone

from knowledge.searching import live, passages, ranking, semantic
from knowledge.searching.postings import Array
from knowledge.searching.query import Query, analyse

DEFAULT_RESULTS: Final = 5
MAX_RESULTS: Final = 50
CANDIDATES: Final = 50

# Below these nothing fits. Measured with 276 questions to the SII and 1,200 of general knowledge,
# each against its own texts and the other's: 1-3 % of the fitting and 7-14 % (words) or 1-6 % (meaning)
# of the others fall on the wrong side.
LEXICAL_FLOOR: Final = 0.15
SEMANTIC_FLOOR: Final = 0.87
# How much agreement in words adds to the cosine. Alone, the cosine of one subject's questions with
# another subject's texts rises with the number of texts; the sum separates twice as well.
WORDS_IN_SEMANTIC: Final = 0.2


@dataclass(frozen=True)
class Hit:
    """A passage found, with what an answer needs to quote it."""

    document_id: str
    title: str
    module: str
    section: str
    content: str
    score: float  # 0 to 1
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
class Candidate:
    """A passage considered: why it stands where it stands."""

    passage_id: int
    lexical: float  # part of the best possible BM25 score
    cosine: float | None
    score: float


@dataclass(frozen=True)
class Search:
    """All that a search found out; the admin shows it."""

    query: Query
    candidates: tuple[Candidate, ...]
    refused: bool  # candidates there may be, but none near enough


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
    limit = min(top_k, MAX_RESULTS)
    found = explore(query, limit=limit, modules=modules, tags=tags)
    return [] if found.refused else hits(found.candidates)


def explore(
    query: str,
    *,
    limit: int = CANDIDATES,
    modules: Sequence[str] = (),
    tags: Sequence[str] = (),
) -> Search:
    """Search and return candidates with their figures, also those of a refused question."""
    snapshot = live.current()
    ranker = snapshot.ranker
    analysed = analyse(query, snapshot)
    scores = ranker.scores(analysed.terms)
    scores[~ranker.usable(timezone.localdate(), modules, tags)] = 0
    rows = ranking.best(scores, CANDIDATES)
    if not len(rows):
        return Search(query=analysed, candidates=(), refused=True)
    ids: list[int] = ranker.ids[rows].tolist()
    lexical = scores[rows]
    cosines = _cosines(analysed.respelled(query), ids)
    blended = _blend(lexical, cosines)
    by_words = np.isnan(cosines).all()
    candidates = tuple(
        Candidate(
            passage_id=ids[at],
            lexical=(part := round(analysed.relative(float(lexical[at])), 4)),
            cosine=None if np.isnan(cosines[at]) else round(float(cosines[at]), 4),
            score=part if by_words else round(float(blended[at]), 4),
        )
        for at in np.argsort(-blended, kind="stable")[:limit]
    )
    return Search(
        query=analysed, candidates=candidates, refused=_refuse(analysed, lexical, cosines)
    )


def hits(candidates: Sequence[Candidate]) -> list[Hit]:
    """Return candidates with their text."""
    facts = passages.facts([candidate.passage_id for candidate in candidates])
    return [
        Hit(score=candidate.score, **facts[candidate.passage_id])
        for candidate in candidates
        # A document deleted for good since the index was read is no error.
        if candidate.passage_id in facts
    ]


def status() -> dict[str, Any]:
    """Describe the index for the health report."""
    size = len(live.current().ranker)
    return {
        "status": "ok" if size else "empty",
        "passages": size,
        "semantic": semantic.status(),
    }


def _cosines(query: str, ids: Sequence[int]) -> Array:
    vector = semantic.query_vector(query)
    if vector is None:
        return np.full(len(ids), np.nan, np.float32)
    return semantic.similarities(vector, passages.vectors(ids))


def _blend(lexical: Array, cosines: Array) -> Array:
    """Mix both orders half and half, each stretched to 0..1 over the candidates.

    A passage without a vector keeps its place among the words: while a load still computes
    vectors, it must neither win nor lose by that.
    """
    words: Array = lexical / lexical.max()
    known = ~np.isnan(cosines)
    if not known.any():
        return words
    low, high = cosines[known].min(), cosines[known].max()
    meaning = words.copy()
    meaning[known] = (cosines[known] - low) / max(float(high - low), 1e-6)
    mixed: Array = 0.5 * words + 0.5 * meaning
    return mixed


def _refuse(query: Query, lexical: Array, cosines: Array) -> bool:
    """Decide whether even the nearest candidate is too far to be an answer."""
    words = query.relative(float(lexical[0])) * query.known
    if np.isnan(cosines[0]):
        return words < LEXICAL_FLOOR
    return bool(np.nanmax(cosines) + WORDS_IN_SEMANTIC * words < SEMANTIC_FLOOR)
