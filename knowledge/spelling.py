"""Correcting a word that no passage has: the nearest words that some passage has.

Costs nothing while every word is known. With 150,000 known words two array comparisons leave a few
dozen candidates, and only those are measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from knowledge.analysis import SURFACE
from knowledge.postings import Array
from knowledge.ranking import Ranker

MIN_LETTERS: Final = 4
TWO_EDITS_FROM: Final = 6
MAX_SUGGESTIONS: Final = 2
MAX_CANDIDATES: Final = 200


@dataclass(frozen=True)
class Suggestion:
    """A known word near an unknown one."""

    word: str
    distance: int


class Speller:
    """Finds near words among those of an index. Immutable."""

    def __init__(self, ranker: Ranker) -> None:
        self._ranker = ranker
        terms = ranker.terms
        self._first = int(np.searchsorted(terms, np.bytes_(SURFACE.encode())))
        last = int(np.searchsorted(terms, np.bytes_(chr(ord(SURFACE) + 1).encode())))
        words = terms[self._first : last]
        self._lengths = np.strings.str_len(words).astype(np.uint8) - 1
        self._letters, self._pairs = _signatures(words)

    def suggest(self, word: str) -> Sequence[Suggestion]:
        """Return the one or two nearest known words, commoner ones first among equals."""
        if len(word) < MIN_LETTERS or not word.isascii() or not word.isalpha():
            return ()
        limit = 2 if len(word) >= TWO_EDITS_FROM else 1
        found = []
        for row in self._candidates(word, limit):
            known = self._ranker.terms[row].decode()[1:]
            near = distance(word, known, limit)
            if near <= limit and known.isalpha():
                found.append((near, -self._ranker.frequency(row), known))
        found.sort()
        # Something one edit away makes what is two away noise.
        closest = [item for item in found if item[0] == found[0][0]][:MAX_SUGGESTIONS]
        return [Suggestion(word=known, distance=near) for near, _, known in closest]

    def _candidates(self, word: str, limit: int) -> list[int]:
        """Return rows of words that may be within ``limit`` edits, the likeliest first.

        One edit changes the length by at most one, the set of letters by at most two and the set
        of letter pairs by at most six (a transposition).
        """
        letters, pairs = _signatures(np.array([SURFACE + word], dtype="S32"))
        gap = np.abs(self._lengths.astype(np.int16) - len(word))
        maybe = np.flatnonzero(
            (gap <= limit) & (np.bitwise_count(self._letters ^ letters[0]) <= 2 * limit)
        )
        differing = np.bitwise_count(self._pairs[maybe] ^ pairs[0])
        maybe, differing = maybe[differing <= 6 * limit], differing[differing <= 6 * limit]
        if len(maybe) > MAX_CANDIDATES:
            maybe = maybe[np.argsort(differing, kind="stable")[:MAX_CANDIDATES]]
        rows: list[int] = (maybe + self._first).tolist()
        return rows


def _signatures(words: Array) -> tuple[Array, Array]:
    """Return, for words with their mark, bit sets of their letters and of their letter pairs."""
    if not len(words):
        return np.empty(0, np.uint32), np.empty(0, np.uint64)
    codes = words.view(np.uint8).reshape(len(words), -1)[:, 1:]
    present = codes > 0
    bit = np.where(present, np.uint32(1) << (codes % 32).astype(np.uint32), np.uint32(0))
    letters = np.bitwise_or.reduce(bit, axis=1)
    first, second = codes[:, :-1].astype(np.uint64), codes[:, 1:].astype(np.uint64)
    hashed = (first * np.uint64(31) + second) % np.uint64(64)
    pairs = np.where(present[:, 1:], np.uint64(1) << hashed, np.uint64(0))
    return letters, np.bitwise_or.reduce(pairs, axis=1)


def distance(left: str, right: str, limit: int) -> int:
    """Return the edits between two words: insert, delete, replace, swap neighbours.

    Stops early with ``limit + 1`` when the words are further apart (optimal string alignment).
    """
    if abs(len(left) - len(right)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        last, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return row[-1]
