"""Which line of the document is which line of the order, by description, quantity and price."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Final

from rapidfuzz import fuzz

from dte.ordenes.reading import Line, fold

# Below this a pair of lines is no match.
ENOUGH: Final = 0.55
# What tells one article of a range from another: numbers, and the sizes of clothes.
_SIZE = re.compile(r"\d+(?:[.,]\d+)?|\b(?:x{0,3}[sl]|m)\b")
_EMPTY_WORDS = frozenset(
    [
        "de",
        "del",
        "la",
        "el",
        "los",
        "las",
        "y",
        "en",
        "por",
        "para",
        "con",
        "un",
        "una",
        "c",
        "u",
        "unidad",
        "unidades",
    ]
)


@dataclass(frozen=True, slots=True)
class Pair:
    """A line of the document with its line of the order."""

    billed: Line
    ordered: Line
    score: float
    """0 to 1."""


def pair_lines(billed: Sequence[Line], ordered: Sequence[Line]) -> list[Pair]:
    """Give each billed line the ordered line it fits best; an ordered line may be delivered in parts."""
    pairs = [
        Pair(one, other, score)
        for one in billed
        for other in ordered
        if (score := _score(one, other)) >= ENOUGH
    ]
    pairs.sort(key=lambda pair: -pair.score)
    chosen: dict[int, Pair] = {}
    taken: dict[int, Decimal] = {}
    for pair in pairs:
        if pair.billed.position in chosen:
            continue
        used = taken.get(pair.ordered.position)
        if used is not None and not _fits_beside(pair, used):
            continue
        chosen[pair.billed.position] = pair
        taken[pair.ordered.position] = (used or Decimal(0)) + (pair.billed.quantity or Decimal(0))
    return [chosen[position] for position in sorted(chosen)]


def _fits_beside(pair: Pair, used: Decimal) -> bool:
    """Tell whether an ordered line of which a part is taken has room for another part."""
    if pair.ordered.quantity is None or pair.billed.quantity is None:
        return False
    return used + pair.billed.quantity <= pair.ordered.quantity


def _score(billed: Line, ordered: Line) -> float:
    alike = (
        1.0 if billed.code and billed.code == ordered.code else likeness(billed.name, ordered.name)
    )
    price = _price(billed.price, ordered.price)
    sum_ = _same_sum(billed, ordered)
    quantity = 1.0 if sum_ == 1.0 else _quantity(billed, ordered)
    if alike < 0.4:
        # Other words for the same thing: only where quantity and sum leave no other explanation.
        same = sum_ == 1.0 and price == 1.0 and (billed.quantity or 0) != 1
        return 0.6 if same and alike >= 0.2 else 0.0
    parts = [(0.5, alike)]
    money = max((fit for fit in (price, sum_) if fit is not None), default=None)
    if money is not None:
        parts.append((0.3, money))
    if quantity is not None:
        parts.append((0.2, quantity))
    return sum(weight * value for weight, value in parts) / sum(weight for weight, _ in parts)


@lru_cache(maxsize=16384)
def likeness(one: str, other: str) -> float:
    """Return 0 to 1: how much two descriptions say the same; sizes that differ count as different."""
    first, second = _words(one), _words(other)
    if not first or not second:
        return 0.0
    contained = fuzz.token_set_ratio(first, second) / 100
    whole = fuzz.token_sort_ratio(first, second) / 100
    alike = 0.6 * contained + 0.4 * whole
    sizes, others = _sizes(first), _sizes(second)
    if sizes and others and sizes.isdisjoint(others):
        alike *= 0.6
    elif sizes and others and sizes != others:
        alike *= 0.85
    return alike


def _sizes(words: str) -> frozenset[str]:
    return frozenset(_SIZE.findall(words))


@lru_cache(maxsize=8192)
def _words(name: str) -> str:
    return " ".join(word for word in fold(name).split() if word not in _EMPTY_WORDS)


def off(value: Decimal, expected: Decimal) -> float:
    """Return by how much a value is off, as a share of what was expected; negative if it is less."""
    if not expected:
        return 0.0 if not value else 1e9
    return float((value - expected) / abs(expected))


def _price(billed: Decimal | None, ordered: Decimal | None) -> float | None:
    if billed is None or not ordered:
        return None
    difference = off(billed, ordered)
    for limit, fit in ((0.005, 1.0), (0.03, 0.85), (0.1, 0.6)):
        if abs(difference) <= limit:
            return fit
    return 0.45 if -0.35 <= difference < 0 else 0.0  # a discount


def _same_sum(billed: Line, ordered: Line) -> float | None:
    """The sums agree: so do the lines, in whatever unit their quantities are."""
    if billed.subtotal is None or not ordered.subtotal:
        return None
    difference = abs(off(billed.subtotal, ordered.subtotal))
    return 1.0 if difference <= 0.002 else 0.8 if difference <= 0.03 else 0.0


def _quantity(billed: Line, ordered: Line) -> float | None:
    if billed.quantity is None or not ordered.quantity:
        return None
    left = ordered.open_quantity
    if billed.quantity == left:
        return 1.0
    if left is not None and billed.quantity < left:
        return 0.8  # a part
    return 0.5 if billed.quantity <= ordered.quantity * Decimal("1.1") else 0.1
