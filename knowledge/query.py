"""A question as the index sees it: its words, what they were taken for, and how well all could match."""

from dataclasses import dataclass
from typing import Final

from knowledge import analysis
from knowledge.live import Snapshot

MAX_WORDS: Final = 48
CORRECTED: Final = 0.8  # how much a corrected word counts against one that was found as typed


@dataclass(frozen=True)
class QueryWord:
    """One word of a question."""

    word: str
    passages: int  # how many passages have it or a word of its stem
    corrections: tuple[str, ...] = ()


@dataclass(frozen=True)
class Query:
    """An analysed question."""

    words: tuple[QueryWord, ...]
    terms: tuple[tuple[int, float], ...]  # index row and weight
    ceiling: float  # the score of a passage that had every word often; unknown words included

    @property
    def corrected(self) -> dict[str, tuple[str, ...]]:
        """Words that no passage has, and what they were taken for."""
        return {word.word: word.corrections for word in self.words if word.corrections}


def analyse(text: str, snapshot: Snapshot) -> Query:
    """Turn a question into weighted terms of an index.

    A word that no passage has in any form is replaced by the nearest known ones.
    """
    ranker = snapshot.ranker
    weights: dict[int, float] = {}
    words: list[QueryWord] = []
    ceiling = 0.0
    for word in _distinct(text):
        rows = _rows(word, snapshot)
        corrections: tuple[str, ...] = ()
        if not rows:
            corrections = tuple(near.word for near in snapshot.speller.suggest(word))
        for row in rows:
            weights[row] = 1.0
        for row in (row for near in corrections for row in _rows(near, snapshot)):
            weights.setdefault(row, CORRECTED)
        found = rows or [row for near in corrections for row in _rows(near, snapshot)]
        frequency = max((ranker.frequency(row) for row in found), default=0)
        words.append(QueryWord(word=word, passages=frequency, corrections=corrections))
        ceiling += ranker.idf(frequency)
    return Query(words=tuple(words), terms=tuple(weights.items()), ceiling=ceiling)


def _distinct(text: str) -> list[str]:
    """Return the words that count; of a question of only stop words, all of them."""
    every = list(dict.fromkeys(analysis.words(text)))
    return [word for word in every if analysis.is_content(word)][:MAX_WORDS]


def _rows(word: str, snapshot: Snapshot) -> list[int]:
    found = (snapshot.ranker.row_of(term) for term in analysis.terms_of(word))
    return [row for row in found if row is not None]
