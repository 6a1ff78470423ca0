"""How far what was found answers the question, as one absolute number.

Two engines are heard, words and meaning, and each twice: how near our nearest passage is, and how near
the nearest passage on what is *not* ours. Those passages are documents like others, of the module
`OUTSIDE`, and are never results: a question about another country's taxes lies near our texts in words
and in meaning, but nearer to them.

The weights were fitted (logistic regression, rounded) to the evaluation questions in
``knowledge/evaluation``: 450 that are ours and 220 that are not. `manage.py evaluate_knowledge` tells
what they do today.
"""

import math
from dataclasses import dataclass
from typing import Final

OUTSIDE: Final = "fuera_de_alcance"
# Below this a question is refused: an answer is as likely to be beside the point as not.
FLOOR: Final = 0.5
# From here on an answer is given without saying that it may be beside the point.
SURE: Final = 0.62

# What an unrelated text still reaches; lower where nobody wrote down what is not theirs, so that such a
# knowledge base refuses only what is far from it.
_UNRELATED_WORDS: Final = 0.1
_UNRELATED_WORDS_ALONE: Final = 0.07
_UNRELATED_COSINE: Final = 0.83
_COSINE_OF_AN_ANSWER: Final = 0.86
_SPREAD: Final = 4.0  # how many units of evidence lead from .5 to .73


@dataclass(frozen=True)
class Evidence:
    """What both engines say of a question."""

    words: float  # the best passage's part of the best possible BM25 score, times the known words
    words_outside: float | None = None  # the same of passages on what is not ours; None without any
    cosine: float | None = None  # of the nearest candidate; None where meaning was not asked
    cosine_outside: float | None = None

    @property
    def relevance(self) -> float:
        """0 to 1: `FLOOR` is where answering and refusing are equally right."""
        if self.words_outside is None:
            lead = self.words - _UNRELATED_WORDS_ALONE
        else:
            lead = self.words - max(self.words_outside, _UNRELATED_WORDS)
        if self.cosine is None:
            evidence = 24 * lead - 0.8
        else:
            outside = max(self.cosine_outside or 0.0, _UNRELATED_COSINE)
            nearness = 20 * (self.cosine - _COSINE_OF_AN_ANSWER) + 30 * (self.cosine - outside)
            evidence = nearness + 17 * lead - 0.4
        return 1 / (1 + math.exp(-evidence / _SPREAD))
