"""A knowledge base of any size for measuring: text of the shipped documents' kind, made by chance.

Seven words of ten come from the shipped documents, as often as they stand there; the others are made
up, most of them rare, so that the vocabulary grows with the text as it does in real ones.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from knowledge.frontmatter import ParsedDocument

SHIPPED: Final = Path(__file__).resolve().parents[2] / "knowledge" / "documents"
WORDS_PER_PASSAGE: Final = 150
PASSAGES_PER_DOCUMENT: Final = 5
MADE_UP: Final = 150_000
_CONSONANTS: Final = ("b", "c", "d", "f", "l", "m", "n", "p", "r", "s", "t", "v", "ch", "tr", "gr")
_SYLLABLES: Final = [consonant + vowel for consonant in _CONSONANTS for vowel in "aeiou"]


def documents(passages: int, *, seed: int = 1) -> Iterator[ParsedDocument]:
    """Yield documents that are cut into so many passages."""
    chance = random.Random(seed)
    known = [word for path in sorted(SHIPPED.glob("*.md")) for word in _words(path)]
    made_up = ["".join(chance.choices(_SYLLABLES, k=chance.randint(2, 5))) for _ in range(MADE_UP)]
    for number in range(passages // PASSAGES_PER_DOCUMENT):
        sections = [
            f"## {_text(chance, known, made_up, 6)}\n\n"
            f"{_text(chance, known, made_up, WORDS_PER_PASSAGE)}."
            for _ in range(PASSAGES_PER_DOCUMENT)
        ]
        yield ParsedDocument(
            slug=f"carga-{number}",
            title=_text(chance, known, made_up, 5),
            module=f"modulo{number % 8}",
            tags=(f"etiqueta{number % 50}",),
            body="\n\n".join(sections),
        )


def _words(path: Path) -> list[str]:
    return re.findall(r"\w+", path.read_text(encoding="utf-8").split("---", 2)[-1])


def _text(chance: random.Random, known: list[str], made_up: list[str], count: int) -> str:
    return " ".join(
        chance.choice(known)
        if chance.random() < 0.7
        # The square of a uniform number: a few made-up words are common, most are rare.
        else made_up[int(MADE_UP * chance.random() ** 3)]
        for _ in range(count)
    )
