"""BM25 over postings: which passages match a set of weighted terms best."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

import numpy as np

from knowledge.searching.postings import BLOCK, Array, Postings

# At the optimum on Spanish tax text; quality is flat around it (k1 .9-1.2, b .75-.9).
K1: Final = 1.2
B: Final = 0.75
_SLICE: Final = 1_000_000


class Ranker:
    """Scores passages. Immutable, so that many threads may search with one."""

    def __init__(self, postings: Postings) -> None:
        self.size = len(postings)
        self.ids = postings.ids
        self._terms = postings.terms
        self._starts = postings.starts
        self._rows = postings.rows
        self._days = postings.days
        self._modules = postings.modules
        self._tag_rows = postings.tag_rows
        self._tag_names = postings.tag_names
        self._number_of_name = {name: number for number, name in enumerate(postings.names)}
        self._frequencies = _frequencies(postings)
        self._weights = _weights(postings)

    def __len__(self) -> int:
        return self.size

    @property
    def terms(self) -> Array:
        """All terms, sorted."""
        return self._terms

    def row_of(self, term: str) -> int | None:
        """Return the number of a term, or None when no passage has it."""
        key = np.bytes_(term.encode())
        at = int(np.searchsorted(self._terms, key))
        return at if at < len(self._terms) and self._terms[at] == key else None

    def frequency(self, row: int) -> int:
        """Return in how many passages a term stands."""
        return int(self._frequencies[row])

    def idf(self, frequency: int) -> float:
        """Return the weight of a term's rarity; with frequency 0, of a term nobody has."""
        return float(np.log1p((self.size - frequency + 0.5) / (frequency + 0.5)))

    def scores(self, terms: Iterable[tuple[int, float]]) -> Array:
        """Return every passage's score for weighted terms."""
        total = np.zeros(self.size, np.float32)
        weighted = list(terms)
        for block, starts in enumerate(self._starts):
            passages = total[block * BLOCK : (block + 1) * BLOCK]
            for row, weight in weighted:
                part = slice(starts[row], starts[row + 1])
                scores = self._weights[part].astype(np.float32) * np.float32(weight)
                passages[self._rows[part]] += scores
        return total

    def usable(self, day: date, modules: Sequence[str] = (), tags: Sequence[str] = ()) -> Array:
        """Return which passages are valid on a day and pass the filters (any of each kind)."""
        ordinal = day.toordinal()
        mask: Array = (self._days[0] <= ordinal) & (ordinal <= self._days[1])
        if modules:
            mask &= np.isin(self._modules, self._numbers(modules))
        if tags:
            tagged = np.zeros(self.size, bool)
            tagged[self._tag_rows[np.isin(self._tag_names, self._numbers(tags))]] = True
            mask &= tagged
        return mask

    def of_module(self, module: str) -> Array:
        """Return which passages belong to a module."""
        mask: Array = np.isin(self._modules, self._numbers([module]))
        return mask

    def modules(self) -> frozenset[str]:
        """Return the modules that have passages."""
        numbers = set(np.unique(self._modules).tolist())
        return frozenset(n for n, number in self._number_of_name.items() if number in numbers)

    def _numbers(self, names: Sequence[str]) -> list[int]:
        return [self._number_of_name.get(name, -1) for name in names]


def best(scores: Array, count: int) -> Array:
    """Return the rows of the highest positive scores, best first; equal ones in index order."""
    if len(scores) > count:
        floor = np.partition(scores, -count)[-count]
        candidates = np.flatnonzero((scores >= floor) & (scores > 0))
    else:
        candidates = np.flatnonzero(scores > 0)
    order: Array = candidates[np.argsort(-scores[candidates], kind="stable")]
    return order[:count]


def _frequencies(postings: Postings) -> Array:
    """Count in how many passages each term stands."""
    frequencies: Array = np.diff(postings.starts, axis=1).sum(axis=0)
    return frequencies


def _weights(postings: Postings) -> Array:
    """Compute every posting's BM25 weight once, in slices so that memory stays flat.

    Half precision loses nothing measurable and halves what a worker holds.
    """
    size = len(postings)
    frequencies = _frequencies(postings)
    idf = np.log1p((size - frequencies + 0.5) / (frequencies + 0.5)).astype(np.float32)
    mean = float(postings.lengths.mean()) if size else 1.0
    norm = (K1 * (1 - B + B * postings.lengths / (mean or 1.0))).astype(np.float32)
    weights = np.empty(len(postings.rows), np.float16)
    for first in range(0, len(weights), _SLICE):
        part = slice(first, first + _SLICE)
        term_of, passage_of = postings.places(part)
        counts = postings.counts[part].astype(np.float32)
        weights[part] = idf[term_of] * counts * (K1 + 1) / (counts + norm[passage_of])
    return weights
