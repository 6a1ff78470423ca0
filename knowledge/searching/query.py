"""A question as the index sees it: its words, what they were taken for, how well all could match."""

from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from knowledge.searching import analysis
from knowledge.searching.live import Snapshot
from knowledge.searching.ranking import K1, Ranker

MAX_WORDS: Final = 48
WORDS_KEPT: Final = 5_000  # some 2 MB
# How much the word as written counts beside its stem: it orders passages that have the stem in common.
# Best on our own questions at .5 (words alone: hit@1 .876, at 1 .863), and not worse on SQuAD-es.
AS_WRITTEN: Final = 0.5
MEANT: Final = 0.8  # how much a word counts that only the meaning of an expression has
CORRECTED: Final = 0.8  # how much a corrected word counts against one that was found as typed
DOUBTFUL: Final = 0.5  # how far a word counts as known that a correction only may have found
_PARTS: Final = (1.0, AS_WRITTEN)  # of `analysis.terms_of`
SURE_FROM: Final = 6  # letters; shorter words are one slip away from something by chance


@dataclass(frozen=True)
class QueryWord:
    """One word of a question."""

    word: str
    passages: int  # how many passages have it, or a word of its stem, or what it was taken for
    known: float  # 1 as typed or surely corrected, 0 when nothing is near
    corrections: tuple[str, ...] = ()
    meaning: str = ""  # of an expression of the trade

    @property
    def is_sure(self) -> bool:
        """Whether the word was corrected without doubt."""
        return bool(self.corrections) and self.known == 1


@dataclass(frozen=True)
class Query:
    """An analysed question."""

    words: tuple[QueryWord, ...]
    terms: tuple[tuple[int, float], ...]  # index row and weight
    ceiling: float  # the score of a passage that said every word over and over
    respelled: str  # with misspelt words as they are spelt, where there is no doubt, and meanings

    @property
    def known(self) -> float:
        """Which part of the words is known."""
        return sum(word.known for word in self.words) / len(self.words) if self.words else 0.0

    @property
    def corrected(self) -> dict[str, tuple[str, ...]]:
        """Words that no passage has, and what they were taken for."""
        return {word.word: word.corrections for word in self.words if word.corrections}

    def relative(self, score: float) -> float:
        """Return a passage's score as a part of the best possible one, 0 to 1."""
        return min(1.0, score / self.ceiling) if self.ceiling else 0.0


def analyse(text: str, snapshot: Snapshot) -> Query:
    """Turn a question into weighted terms of an index.

    A word that no passage has in any form is replaced by the nearest known ones; an expression of
    the trade is read with its meaning beside it.
    """
    weights: dict[int, float] = {}
    words: list[QueryWord] = []
    bests: list[float] = []
    rest, meant = text, text
    for found in reversed(list(snapshot.jargon.find(text))):
        expression = text[found.start : found.end]
        rest = f"{rest[: found.start]} {rest[found.end :]}"
        meant = f"{meant[: found.start]}{found.meaning}{meant[found.end :]}"
        word, some, best = _mean(expression, found.meaning, snapshot.ranker)
        weights |= {row: max(weights.get(row, 0.0), weight) for row, weight in some.items()}
        words.append(word)
        bests.append(best)
    for text_word in _distinct(rest):
        word, some, best = _look_up(text_word, snapshot.ranker) or _correct(text_word, snapshot)
        part = CORRECTED if word.corrections else 1.0
        weights |= {row: max(weights.get(row, 0.0), part * weight) for row, weight in some.items()}
        words.append(word)
        bests.append(best)
    # The embedding model reads letters, and one slip of typing moves its vector a long way.
    sure = {word.word: word.corrections[0] for word in words if word.is_sure}
    return Query(
        words=tuple(words),
        terms=tuple(weights.items()),
        ceiling=_ceiling(words, bests) * (K1 + 1),
        respelled=analysis.replace_words(meant, lambda word: sure.get(word, word))
        if sure
        else meant,
    )


def _ceiling(words: list[QueryWord], bests: list[float]) -> float:
    """Add up the most that each word could score.

    A word that nobody has weighs no more than the weightiest of those that passages have, or
    "folios quemados" would be a question about the rare word alone.
    """
    most = max((b for w, b in zip(words, bests, strict=True) if w.known == 1), default=None)
    return sum(
        best if word.known == 1 or most is None else min(best, most)
        for word, best in zip(words, bests, strict=True)
    )


def _mean(
    expression: str, meaning: str, ranker: Ranker
) -> tuple[QueryWord, dict[int, float], float]:
    """Read an expression: its own words as far as passages have them, and those of its meaning."""
    own = [found for word in _distinct(expression) if (found := _look_up(word, ranker))]
    other = [found for word in _distinct(meaning) if (found := _look_up(word, ranker))]
    weights = {row: MEANT * weight for _, some, _ in other for row, weight in some.items()}
    for _, some, _ in own:
        weights |= some
    best = max(sum(b for _, _, b in own), MEANT * sum(b for _, _, b in other))
    passages = max((word.passages for word, _, _ in [*own, *other]), default=0)
    known = 1.0 if weights else 0.0
    return (
        QueryWord(expression, passages=passages, known=known, meaning=meaning),
        weights,
        best or _missing(ranker),
    )


# The word, its terms with their weights, and the most it could score.
_Looked = tuple[QueryWord, dict[int, float], float]
# Questions are made of the same few thousand words.
_known: Final[WeakKeyDictionary[Ranker, dict[str, _Looked | None]]] = WeakKeyDictionary()


def _look_up(word: str, ranker: Ranker) -> _Looked | None:
    """Find a word as typed; None when no passage has it in any form."""
    known = _known.setdefault(ranker, {})
    try:
        return known[word]
    except KeyError:
        if len(known) >= WORDS_KEPT:
            known.clear()
        known[word] = found = _find(word, ranker)
        return found


def _find(word: str, ranker: Ranker) -> _Looked | None:
    found = [
        (ranker.row_of(term), part)
        for term, part in zip(analysis.terms_of(word), _PARTS, strict=True)
    ]
    weights = {row: part for row, part in found if row is not None}
    if not weights:
        return None
    # A form that nobody wrote counts as a very rare one: it could have been there.
    best = sum(
        part * ranker.idf(0 if row is None else ranker.frequency(row)) for row, part in found
    )
    return QueryWord(word, passages=max(map(ranker.frequency, weights)), known=1.0), weights, best


def _missing(ranker: Ranker) -> float:
    """Return the most a word could score that no passage has."""
    return sum(_PARTS) * ranker.idf(0)


def _correct(word: str, snapshot: Snapshot) -> _Looked:
    """Take an unknown word for the nearest known ones.

    Where that is doubtful it helps to find, but counts half in deciding whether the question is one
    of ours at all. What is two edits away is, for that, also a word that every passage lacks.
    """
    ranker = snapshot.ranker
    near = snapshot.speller.suggest(word)
    if not near:
        return QueryWord(word, passages=0, known=0.0), {}, _missing(ranker)
    looked = [found for one in near if (found := _look_up(one.word, ranker))]
    weights = {row: weight for _, some, _ in looked for row, weight in some.items()}
    close = near[0].distance == 1
    return (
        QueryWord(
            word,
            passages=max(one.passages for one, _, _ in looked),
            known=1.0 if close and len(word) >= SURE_FROM else DOUBTFUL,
            corrections=tuple(one.word for one in near),
        ),
        weights,
        max(best for _, _, best in looked) if close else _missing(ranker),
    )


def _distinct(text: str) -> list[str]:
    every = dict.fromkeys(analysis.words(text))
    return [word for word in every if analysis.is_content(word)][:MAX_WORDS]
