"""Which specialist a message belongs to: naive Bayes over the stems of vocabulary and examples.

A word that many specialists share ("factura", "cliente") says little about any of them and so decides
little; a word of one trade decides much. Nothing is written by hand but the specialists' own words.
The model is multinomial naive Bayes with Laplace smoothing (Manning, Raghavan, Schütze, Introduction to
Information Retrieval, §13.2), of single stems and of neighbouring pairs.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import exp, log
from typing import Final

from rapidfuzz import process
from rapidfuzz.distance import OSA

from chat.plugins.specialist import Specialist
from knowledge.searching import analysis

# A phrase of the vocabulary counts like so many examples with it.
_VOCABULARY_WEIGHT: Final = 2
_SMOOTHING: Final = 0.1
# Words of asking, which say nothing about what is asked.
_ASKING: Final = frozenset(
    """
    ayuda cosa cosas debe deberia debo desde dice dime donde error estoy explica explique favor
    forma gustaria hace hacer hacerlo haga hago hay k manera necesito no odoo podria poner pongo pq
    problema puede puedo q quiero quisiera saber sabes sale seria sirve tb tengo tiene usar uso veo
    ver x xq
    """.split()  # noqa: SIM905 - one word a line would be a page
)
# Words of every trade: a message of nothing else is nobody's, however often one of them says it most.
_EVERYDAY: Final = frozenset(
    analysis.stem(word)
    for word in [
        "cliente",
        "correo",
        "documento",
        "empresa",
        "factura",
        "fecha",
        "monto",
        "numero",
        "pago",
        "precio",
        "producto",
    ]
)
# Shorter words are too near to too many others to be taken for misspellings.
_SHORTEST_TYPO: Final = 5
_LONG: Final = 8


class Selector:
    """Scores of a message for each of some specialists.

    Args:
        specialists: Those to choose from, in order of precedence.
    """

    def __init__(self, specialists: Sequence[Specialist]) -> None:
        self._specialists = tuple(specialists)
        counts = {one.name: _counts(one) for one in specialists}
        self._words: dict[str, list[str]] = {}  # by their first letter
        for word in sorted(
            {w for one in specialists for text in _texts(one) for w in _content(text)}
        ):
            self._words.setdefault(word[0], []).append(word)
        features = set().union(*counts.values()) if counts else set()
        totals = {name: sum(count.values()) for name, count in counts.items()}
        self._weights = {
            feature: _weighed(
                {
                    name: log(
                        (count[feature] + _SMOOTHING) / (totals[name] + _SMOOTHING * len(features))
                    )
                    for name, count in counts.items()
                }
            )
            for feature in features
        }

    def scores(self, message: str) -> dict[str, float]:
        """Return how much the message speaks for each specialist, by name.

        Returns:
            Natural logarithms of how much likelier its words are there than on average; all zero for
            a message without a word that anybody knows, or with words of every trade only.
        """
        found = dict.fromkeys((one.name for one in self._specialists), 0.0)
        words = [self._known(word) for word in _content(message)]
        if all(analysis.stem(word) in _EVERYDAY for word in words):
            return found
        for feature in {*_features(words)}:
            for name, weight in self._weights.get(feature, {}).items():
                found[name] += weight
        return found

    def _known(self, word: str) -> str:
        """Return the word, or the known one that it is probably a misspelling of."""
        if len(word) < _SHORTEST_TYPO or word.isdigit() or analysis.stem(word) in self._weights:
            return word
        edits = 2 if len(word) >= _LONG else 1
        # Few mistype the first letter, and with it begins a twentieth of all words.
        alike = self._words.get(word[0], ())
        near = process.extractOne(word, alike, scorer=OSA.distance, score_cutoff=edits)
        return near[0] if near else word


def _weighed(likelihoods: dict[str, float]) -> dict[str, float]:
    """Return log-likelihoods around their mean, the less the more evenly a feature is shared."""
    mean = sum(likelihoods.values()) / len(likelihoods)
    masses = [exp(likelihood - mean) for likelihood in likelihoods.values()]
    total = sum(masses)
    entropy = -sum(mass / total * log(mass / total) for mass in masses)
    share = 1 - entropy / log(max(2, len(masses)))
    return {name: share * (likelihood - mean) for name, likelihood in likelihoods.items()}


def _texts(specialist: Specialist) -> Iterator[str]:
    yield from specialist.vocabulary
    yield from specialist.examples
    yield specialist.title


def _counts(specialist: Specialist) -> Counter[str]:
    counts: Counter[str] = Counter()
    for phrase in specialist.vocabulary:
        for feature in {*_features(_content(phrase))}:
            counts[feature] += _VOCABULARY_WEIGHT
    for text in (*specialist.examples, specialist.title):
        counts.update({*_features(_content(text))})
    return counts


def _content(text: str) -> Iterable[str]:
    return [
        word for word in analysis.words(text) if analysis.is_content(word) and word not in _ASKING
    ]


def _features(words: Iterable[str]) -> Iterator[str]:
    stems = [analysis.stem(word) for word in words]
    yield from stems
    for first, second in pairwise(stems):
        yield f"{first} {second}"
