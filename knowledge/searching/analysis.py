"""From text to index terms: accents folded, Spanish stems beside the word as written.

Folding before stemming costs nothing in quality and serves people who type no accents. The word as
written (``=factura``) is kept as a term of its own: it breaks ties between words of one stem and is
the vocabulary of the spelling correction.
"""

import re
import threading
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from snowballstemmer.spanish_stemmer import SpanishStemmer

# Stored with every index: a deploy that changes this module, or the form of the postings, must change
# this too, and rebuilds.
VERSION: Final = "es-3"

MAX_TERM: Final = 31
SURFACE: Final = "="

# Articles, prepositions and the like. Short on purpose: a long list measured no better.
STOP_WORDS: Final = frozenset(
    """
    a al ante como con cual cuales cuando cuanta cuantas cuanto cuantos de del donde e el ella
    ellos en entre era es esa ese eso esta este esto fue ha han hay la las le les lo los mas
    me mi muy nos o para pero por que quien quienes se ser si sin sobre son su sus tambien tan
    te tu u un una uno unos y ya
    """.split()  # noqa: SIM905 - one word a line would be a page
)

_COMBINING = re.compile(r"[\u0300-\u036f]+")
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"[A-ZÁÉÍÓÚÑ]?[a-záéíóúñ]+|[A-ZÁÉÍÓÚÑ]+(?![a-záéíóúñ])|\d+")
_THOUSANDS = re.compile(r"(?<!\d)\d{1,3}(?:\.\d{3})+(?!\d)")
_local = threading.local()


def _folded(word: str) -> str:
    """Return a word folded; short ones, which words are, are kept."""
    return _kept_folded(word) if len(word) <= MAX_TERM else fold(word)


@lru_cache(maxsize=10_000)
def _kept_folded(word: str) -> str:
    return fold(word)


def fold(text: str) -> str:
    """Return the text in lower case without accents; ñ becomes n, as people type it."""
    return _COMBINING.sub("", unicodedata.normalize("NFKD", text.lower()))


def words(text: str) -> Iterator[str]:
    """Yield the folded words of a text.

    ``TipoDTE`` also yields ``tipo`` and ``dte``; ``19.983`` also yields ``19983``.
    """
    for token in _WORD.findall(text):
        folded = _folded(token)
        yield folded[: MAX_TERM - 1]
        if folded != token and not token.isupper() and not token[1:].islower():
            parts = _CAMEL.findall(token)
            if len(parts) > 1:
                for part in parts:
                    yield fold(part)[: MAX_TERM - 1]
    for number in _THOUSANDS.findall(text):
        yield number.replace(".", "")


def spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the folded words of a text with where they begin and end in it."""
    for match in _WORD.finditer(text):
        yield _folded(match[0])[: MAX_TERM - 1], match.start(), match.end()


def replace_words(text: str, replacement: Callable[[str], str]) -> str:
    """Return a text with those words replaced for which the folded word's replacement differs."""

    def swap(match: re.Match[str]) -> str:
        folded = _folded(match[0])[: MAX_TERM - 1]
        other = replacement(folded)
        return match[0] if other == folded else other

    return _WORD.sub(swap, text)


def is_content(word: str) -> bool:
    """Say whether a folded word carries meaning."""
    return word not in STOP_WORDS


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Return the stem of a folded word."""
    try:
        stemmer = _local.stemmer
    except AttributeError:
        stemmer = _local.stemmer = SpanishStemmer()  # keeps state while it works: one per thread
    return str(stemmer.stemWord(word))


def terms_of(word: str) -> tuple[str, str]:
    """Return the index terms of a folded word: its stem, and the word as written."""
    return stem(word), SURFACE + word
