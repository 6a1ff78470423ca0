"""Which passages go with a question."""

import re
from typing import Final

from chat.plugins import Specialist
from knowledge.searching.search import Hit, search

PASSAGES: Final = 5
# Below this share of the best score a passage is noise beside it.
FLOOR: Final = 0.35
# "¿y cómo la anulo?" says nothing by itself: up to this many words of substance, the question before
# it is searched too.
SHORT: Final = 4

_WORD = re.compile(r"\w{4,}")


def find_passages(question: str, specialist: Specialist, *, previous: str = "") -> list[Hit]:
    """Return the best passages for a question, best first.

    Args:
        question: What the user asks.
        specialist: Who will answer.
        previous: The user's question before this one, for questions that only make sense after it.
    """
    hits = search(_query(question, previous), top_k=PASSAGES)
    # Of passages that match equally well, those of the specialist's own modules come first. No more
    # than that: a filter would hide the right passage whenever the specialist was guessed wrong.
    hits.sort(
        key=lambda hit: (-round(hit.score, 2), hit.module not in specialist.knowledge_modules)
    )
    return [hit for hit in hits if hit.score >= FLOOR * hits[0].score]


def _query(question: str, previous: str) -> str:
    if previous and len(_WORD.findall(question)) <= SHORT:
        return f"{question} {previous}"
    return question
