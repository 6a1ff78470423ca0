"""How far to trust an answer: two numbers, one for clients of old and one that is computed.

`confidence` keeps the formula that clients were promised, 0 for an answer that says it does not know.
`grounding` is the share of the answer's sentences that a cited passage supports.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from chat.answering import offline
from chat.events import MODEL, OFFLINE
from chat.models import unique_titles
from knowledge.searching import analysis
from knowledge.searching.search import Hit

# The promised formula: every number of it stands here.
BASE_MODEL: Final = 85.0
BASE_OTHER: Final = 75.0
PER_SOURCE: Final = 1.5
SOURCES_AT_MOST: Final = 15.0
VERY_SHORT: Final = (50, 15.0)  # characters, and what an answer of fewer loses
SHORT: Final = (100, 5.0)
SPECIALIST: Final = 5.0

# A sentence is supported by a passage that has this share of its words, and all of its numbers.
SUPPORT: Final = 0.6
WORDS_OF_A_CLAIM: Final = 4  # sentences with fewer claim nothing that a passage could support
PASSAGES_KEPT: Final = 256  # some 2 MB

_OPENING: Final = 300  # characters in which an answer says that it is none
_DECLINES: Final = re.compile(
    r"""
    \bno\ (?:se\ )?(?:encontr|encuentr|tengo|dispongo|cuento\ con|poseo|hay)\w*\ (?:\w+\ ){0,4}
        (?:informaci[oó]n|datos|pasajes?|respuesta|antecedentes|documentos|nada)\b
    | \b(?:base\ de\ conocimiento|pasajes?|documentos)\b[^.]{0,30}\bno\ (?:lo\ |la\ |los\ )?
        (?:detallan?|mencionan?|indican?|dicen?|tratan?|contienen?|responden?|cubren?|incluyen?)\b
    | \bno\ (?:puedo|podr[ií]a|s[eé]\ c[oó]mo)\ (?:\w+\ ){0,2}
        (?:ayud|respond|contest|confirm|orient)\w*
    | \b(?:fuera|no\ (?:es|est[aá]|corresponde)|escapa)\b[^.]{0,40}
        \b(?:alcance|[aá]mbito|especialidad|materias?|tema|competencia)\b
    | \b(?:no\ (?:lo\ )?sé\b|desconozco|no\ conozco)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SENTENCE_END: Final = re.compile(r"(?<=[.!?:])\s+|\n+")
_CITATION: Final = re.compile(r"\[\d{1,2}\]")
_NUMBER: Final = re.compile(r"\d[\d.,]*")


def confidence(answer: str, citations: Sequence[dict[str, Any]], **by: str) -> float:
    """Return the confidence in an answer, 0 to 100; 0 for one that says it does not know.

    Args:
        answer: Its text.
        citations: Its passages, from `chat.answering.citations.cite`.
        by: ``llm_used`` and ``plugin_used``, as the answer reports them.
    """
    if declines(answer):
        return 0.0
    return _calculate_confidence(answer, len(unique_titles(list(citations))), **by)


def _calculate_confidence(
    response_text: str, sources_count: int, llm_used: str, plugin_used: str | None = None
) -> float:
    """Return the confidence by the formula that clients were promised, 0 to 100."""
    value = BASE_MODEL if llm_used == MODEL else BASE_OTHER
    value += min(SOURCES_AT_MOST, PER_SOURCE * sources_count)
    length = len(response_text)
    if length < VERY_SHORT[0]:
        value -= VERY_SHORT[1]
    elif length < SHORT[0]:
        value -= SHORT[1]
    if plugin_used:
        value += SPECIALIST
    return max(0.0, min(100.0, value))


def declines(answer: str) -> bool:
    """Say whether an answer says, where it begins, that it does not know or does not concern us."""
    if answer.startswith((offline.NOTHING_FOUND, offline.IN_DOUBT)):
        return True
    return bool(_DECLINES.search(answer[:_OPENING]))


def grounding(
    answer: str, hits: Sequence[Hit], citations: Sequence[dict[str, Any]], *, llm_used: str
) -> float | None:
    """Return the share of an answer's sentences that one of the passages it cites supports.

    Args:
        answer: Its text.
        hits: The passages that it was given, in the order of their numbers.
        citations: Which of them it cites, from `chat.answering.citations.cite`.
        llm_used: An answer without the model is a quotation, supported by what it is.

    Returns:
        0 to 1, None for an answer that claims nothing.
    """
    if declines(answer):
        return None
    if llm_used == OFFLINE:
        return 1.0
    cited = [hit for hit, one in zip(hits, citations, strict=True) if one["cited"]]
    passages = [_claim_of_passage(f"{hit.title} {hit.section} {hit.content}") for hit in cited]
    claims = [
        claim
        for sentence in _SENTENCE_END.split(answer)
        if len((claim := _claim(_CITATION.sub("", sentence)))[0]) >= WORDS_OF_A_CLAIM
    ]
    if not claims:
        return None
    supported = [any(_supports(passage, claim) for passage in passages) for claim in claims]
    return round(sum(supported) / len(claims), 2)


_Claim = tuple[frozenset[str], frozenset[str]]  # stems of its words, and its numbers


def _claim(text: str) -> _Claim:
    words = {analysis.stem(w) for w in analysis.words(text) if analysis.is_content(w)}
    numbers = {number.rstrip(".,").replace(".", "") for number in _NUMBER.findall(text)}
    return frozenset(word for word in words if not word.isdigit()), frozenset(numbers)


# Answers cite the same few hundred passages.
_claim_of_passage: Final = lru_cache(maxsize=PASSAGES_KEPT)(_claim)


def _supports(passage: _Claim, claim: _Claim) -> bool:
    words, numbers = claim
    return numbers <= passage[1] and len(words & passage[0]) >= SUPPORT * len(words)
