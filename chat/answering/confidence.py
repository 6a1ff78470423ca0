"""How far to trust an answer, as one number from 0 to 100 that callers can compare.

It says how well the answer is grounded, not how well it is written:

=============================  ==========================================
passages found, cited          60 + 35 x relevance of the best passage
passages found, none cited     40 + 20 x relevance
no passage, the model's word   30
passages quoted, no model      70 x relevance
nothing found, no model        0
=============================  ==========================================
"""

import math
from collections.abc import Sequence
from typing import Any

from chat.events import OFFLINE


def confidence(citations: Sequence[dict[str, Any]], *, llm_used: str) -> float:
    """Return the confidence in an answer.

    Args:
        citations: Its passages, from `chat.answering.citations.cite`.
        llm_used: ``offline`` when the passages themselves are the answer.
    """
    relevance = _relevance(citations)
    if llm_used == OFFLINE:
        value = 70 * relevance
    elif not citations:
        value = 30.0
    elif any(citation["cited"] for citation in citations):
        value = 60 + 35 * relevance
    else:
        value = 40 + 20 * relevance
    return round(value, 1)


def _relevance(citations: Sequence[dict[str, Any]]) -> float:
    # The score of a passage that has every word of the question several times is 1; a good match of
    # a question in plain words lies around a half, hence the square root.
    best = max((float(citation["score"]) for citation in citations), default=0.0)
    return min(1.0, math.sqrt(best))
