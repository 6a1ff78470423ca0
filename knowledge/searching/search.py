"""Finding the passages that answer a question.

BM25 finds fifty candidates; where words leave doubt, meaning has a say in their order. A question that
is not ours, or that no passage answers, gets nothing, which is better than something else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypedDict

import numpy as np
from django.urls import reverse
from django.utils import timezone

from knowledge import metrics
from knowledge.searching import ranking, semantic
from knowledge.searching.engine import engine
from knowledge.searching.live import Snapshot
from knowledge.searching.postings import Array
from knowledge.searching.query import Query, analyse
from knowledge.searching.relevance import FLOOR, Evidence
from usage import tracing
from usage.hops import give_connections_back

DEFAULT_RESULTS: Final = 5
MAX_RESULTS: Final = 50
CANDIDATES: Final = 50
WEIGHT_OF_WORDS: Final = 0.5  # in the order of candidates, the rest being meaning's

# Where words are as clear as this, the vector of the question, nine tenths of a search's time, is not
# asked for: a sure answer well ahead of the next, or a question clearly nearer to what is not ours. Those are
# three fifths of our own 674 questions, of which meaning for all finds as many at five, one less at one, and
# refuses as many; and of 600 of SQuAD-es, of which it finds two and four more.
CLEAR_RELEVANCE: Final = 0.8
CLEAR_LEAD: Final = 0.15
CLEARLY_OUTSIDE: Final = 0.3


@dataclass(frozen=True)
class Hit:
    """A passage found, with what an answer needs to quote it."""

    document_id: str
    title: str
    module: str
    section: str
    content: str
    score: float  # 0 to 1, see `Candidate`
    source: str
    source_path: str
    tags: tuple[str, ...]
    version: int
    anchor: str
    date: str = ""

    @property
    def url(self) -> str:
        """Where the public API serves the section."""
        return _url(self.document_id, self.anchor)

    @property
    def document_url(self) -> str:
        """Where the public API serves the whole document."""
        return _document_url(self.document_id)


@lru_cache(maxsize=10_000)
def _url(document_id: str, anchor: str) -> str:
    return reverse("knowledge-section", args=[document_id, anchor])


@lru_cache(maxsize=10_000)
def _document_url(document_id: str) -> str:
    return reverse("knowledge-document", args=[document_id])


@dataclass(frozen=True)
class Candidate:
    """A passage considered: why it stands where it stands.

    The first one's score is the relevance of what was found, the same measure for every question; the
    others' is that in proportion to how well they match beside it.
    """

    passage_id: int
    lexical: float  # part of the best possible BM25 score
    cosine: float | None
    score: float


@dataclass(frozen=True)
class Search:
    """All that a search found out; the admin shows it."""

    query: Query
    candidates: tuple[Candidate, ...]
    relevance: float  # 0 to 1; at `relevance.FLOOR` answering and refusing are equally right

    @property
    def refused(self) -> bool:
        """Whether nothing is near enough; candidates there may be."""
        return not self.candidates or self.relevance < FLOOR


class Status(TypedDict):
    """The index as the health report describes it."""

    status: str
    passages: int
    semantic: dict[str, str]


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
    with metrics.SEARCH_SECONDS.time(), tracing.span("retrieve passages"):
        found = explore(query, limit=limit, modules=modules, tags=tags)
        passages = [] if found.refused else hits(found.candidates)
    metrics.SEARCHES.labels("found" if passages else "nothing").inc()
    return passages


def explore(
    query: str,
    *,
    limit: int = CANDIDATES,
    modules: Sequence[str] = (),
    tags: Sequence[str] = (),
) -> Search:
    """Search and return candidates with their figures, also those of a refused question."""
    snapshot = engine.index.current()
    ranker = snapshot.ranker
    analysed = analyse(query, snapshot)
    scores = ranker.scores(analysed.terms)
    day = timezone.localdate()
    usable = ranker.usable(day)
    outside = np.where(snapshot.outside & usable, scores, 0)
    if modules or tags:
        usable = ranker.usable(day, modules, tags)
    scores[snapshot.outside | ~usable] = 0
    rows = ranking.best(scores, CANDIDATES)
    if not len(rows):
        return Search(query=analysed, candidates=(), relevance=0.0)
    lexical = scores[rows]
    evidence = Evidence(
        words=analysed.relative(float(lexical[0])) * analysed.known,
        words_outside=(analysed.relative(float(outside.max())) if snapshot.outside.any() else None),
    )
    if _is_clear(lexical, evidence):
        cosines = np.full(len(rows), np.nan, np.float32)
    else:
        cosines, evidence = _ask_meaning(analysed, snapshot, rows, evidence)
    blended = _blend(lexical, cosines)
    order = np.argsort(-blended, kind="stable")
    best, relevance = float(blended[order[0]]), evidence.relevance
    return Search(
        query=analysed,
        candidates=tuple(
            Candidate(
                passage_id=int(ranker.ids[rows[at]]),
                lexical=round(analysed.relative(float(lexical[at])), 4),
                cosine=None if np.isnan(cosines[at]) else round(float(cosines[at]), 4),
                score=round(relevance * float(blended[at]) / best, 4),
            )
            for at in order[:limit]
        ),
        relevance=relevance,
    )


def hits(candidates: Sequence[Candidate]) -> list[Hit]:
    """Return candidates with their text."""
    facts = engine.passages.facts([candidate.passage_id for candidate in candidates])
    return [
        Hit(score=candidate.score, **facts[candidate.passage_id])
        for candidate in candidates
        # A document deleted for good since the index was read is no error.
        if candidate.passage_id in facts
    ]


def status() -> Status:
    """Describe the index for the health report."""
    size = len(engine.index.current().ranker)
    return {
        "status": "ok" if size else "empty",
        "passages": size,
        "semantic": engine.encoder.status(),
    }


def _is_clear(lexical: Array, by_words: Evidence) -> bool:
    """Say whether words alone settle the question."""
    relevance = by_words.relevance
    if by_words.words_outside is not None and relevance < CLEARLY_OUTSIDE:
        return True
    second = float(lexical[1]) if len(lexical) > 1 else 0.0
    ahead = 1 - second / float(lexical[0])
    return relevance >= CLEAR_RELEVANCE and ahead >= CLEAR_LEAD


def _ask_meaning(
    query: Query, snapshot: Snapshot, rows: Array, by_words: Evidence
) -> tuple[Array, Evidence]:
    """Return the cosines of candidates and the evidence with them; unknown ones are NaN."""
    give_connections_back()  # questions stand in line for the model, and a burst of them for nothing else
    vector = engine.encoder.query_vector(query.respelled)
    if vector is None:
        return np.full(len(rows), np.nan, np.float32), by_words
    ids = snapshot.ranker.ids
    cosines = _cosines(vector, ids[rows].tolist())
    if np.isnan(cosines[0]):  # the best in words has no vector yet: meaning cannot judge
        return cosines, by_words
    outside = _cosines(vector, ids[snapshot.outside].tolist())
    return cosines, Evidence(
        words=by_words.words,
        words_outside=by_words.words_outside,
        cosine=float(np.nanmax(cosines)),
        cosine_outside=float(np.nanmax(outside, initial=0.0)),
    )


def _cosines(vector: Array, ids: Sequence[int]) -> Array:
    return semantic.similarities(vector, engine.passages.vectors(ids))


def _blend(lexical: Array, cosines: Array) -> Array:
    """Mix both orders, each stretched to 0..1 over the candidates.

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
    mixed: Array = WEIGHT_OF_WORDS * words + (1 - WEIGHT_OF_WORDS) * meaning
    return mixed
