"""What people in the trade write, and what it means: ``NC``, ``rebotó``, ``folios quemados``.

Editors keep the list in the admin. A question is read with the meaning beside what was typed; the
documents are indexed as they are written.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from knowledge.searching import analysis


@dataclass(frozen=True)
class Found:
    """An expression of the list in a text."""

    start: int
    end: int
    meaning: str


class Jargon:
    """Finds expressions by the stems of their words, the longest first. Immutable."""

    def __init__(self, entries: Iterable[tuple[str, str]] = ()) -> None:
        """Take pairs of an expression and its meaning."""
        self._meanings = {stems: meaning for text, meaning in entries if (stems := _stems(text))}
        self._longest = max(map(len, self._meanings), default=0)

    def find(self, text: str) -> Iterator[Found]:
        """Yield the expressions in a text, in order, none overlapping another."""
        words = list(analysis.spans(text))
        stems = [analysis.stem(word) for word, _, _ in words]
        at = 0
        while at < len(words):
            for length in range(min(self._longest, len(words) - at), 0, -1):
                meaning = self._meanings.get(tuple(stems[at : at + length]))
                if meaning is not None:
                    yield Found(words[at][1], words[at + length - 1][2], meaning)
                    at += length
                    break
            else:
                at += 1


def _stems(text: str) -> tuple[str, ...]:
    return tuple(analysis.stem(word) for word, _, _ in analysis.spans(text))
