"""Correcting a word that no passage has: the nearest words that some passage has.

Costs nothing while every word is known. With 150,000 known words two array comparisons leave a few
hundred candidates, and only those are measured, all at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from rapidfuzz.distance import OSA
from rapidfuzz.process import cdist

from knowledge.searching.analysis import SURFACE
from knowledge.searching.postings import Array
from knowledge.searching.ranking import Ranker

MIN_LETTERS: Final = 4
TWO_EDITS_FROM: Final = 6
MAX_SUGGESTIONS: Final = 2
MAX_CANDIDATES: Final = 300


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
        self._words = terms[self._first : last]
        self._lengths = (np.strings.str_len(self._words) - 1).astype(np.int8)
        self._letters, self._pairs = _signatures(self._words)

    def suggest(self, word: str) -> Sequence[Suggestion]:
        """Return the one or two nearest known words, commoner ones first among equals."""
        if len(word) < MIN_LETTERS or not word.isascii() or not word.isalpha():
            return ()
        limit = 2 if len(word) >= TWO_EDITS_FROM else 1
        rows = self._candidates(word, limit)
        if not len(rows):
            return ()
        # Slips of typing: insert, delete, replace, swap neighbours. Both sides carry the mark.
        edits = cdist([(SURFACE + word).encode()], self._words[rows].tolist(), scorer=OSA.distance)[
            0
        ]
        # Something one edit away makes what is two away noise.
        nearest = int(edits.min())
        if nearest > limit:
            return ()
        found = [int(row) for row in rows[edits == nearest]]
        found.sort(key=lambda row: -self._ranker.frequency(self._first + row))
        known = [self._words[row].decode()[1:] for row in found]
        return [Suggestion(word=near, distance=nearest) for near in known if near.isalpha()][
            :MAX_SUGGESTIONS
        ]

    def _candidates(self, word: str, limit: int) -> Array:
        """Return rows of words that may be within ``limit`` edits, at most a few hundred.

        One edit changes the length by at most one, the set of letters by at most two and the set
        of letter pairs by at most six (a transposition).
        """
        letters, pairs = _signatures(np.array([SURFACE + word], dtype=self._words.dtype))
        gap = np.abs(self._lengths - np.int8(len(word)))
        maybe = np.flatnonzero(
            (gap <= limit) & (np.bitwise_count(self._letters ^ letters[0]) <= 2 * limit)
        )
        differing = np.bitwise_count(self._pairs[maybe] ^ pairs[0])
        near = differing <= 6 * limit
        maybe, differing = maybe[near], differing[near]
        if len(maybe) > MAX_CANDIDATES:
            maybe = maybe[np.argsort(differing, kind="stable")[:MAX_CANDIDATES]]
        rows: Array = maybe
        return rows


def _codes(words: Array) -> Array:
    """Return the letters of words, without their mark, as numbers."""
    codes: Array = np.ascontiguousarray(words).view(np.uint8).reshape(len(words), -1)
    return codes[:, 1:]


def _signatures(words: Array) -> tuple[Array, Array]:
    """Return, for words with their mark, bit sets of their letters and of their letter pairs."""
    if not len(words):
        return np.empty(0, np.uint32), np.empty(0, np.uint64)
    letters = np.zeros(len(words), np.uint32)
    pairs = np.zeros(len(words), np.uint64)
    codes = _codes(words)
    # Column by column: all at once would take hundreds of bytes per word while reading an index.
    for at in range(codes.shape[1]):
        code = codes[:, at]
        present = code > 0
        if not present.any():
            break
        letters |= np.where(present, np.uint32(1) << (code % 32).astype(np.uint32), np.uint32(0))
        if at:
            pair = (codes[:, at - 1].astype(np.uint64) * np.uint64(31) + code) % np.uint64(64)
            pairs |= np.where(present, np.uint64(1) << pair, np.uint64(0))
    return letters, pairs
