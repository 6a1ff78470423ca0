"""What speaks for and against one order, in points; the sum is what the answer rests on.

The points were set by reasoning, not fitted: a named order and a matching sum should each nearly be
enough together with the lines; nothing alone is. ``tests/factories/ordenes.py`` measures them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from rapidfuzz import fuzz

from dte.ordenes.lines import Pair, off, pair_lines
from dte.ordenes.reading import Bill, Line, Order, fold
from dte.ordenes.references import Named, named_orders
from dte.rules.findings import spell

IVA = Decimal("1.19")
# Pairing lines takes time: only of the orders that look best before it.
MOST_PAIRED = 25
# And of these only so many pairs of lines in all, at 8 µs each: 60 lines with 25 orders of 40.
MOST_COMPARED = 60_000

_NAMED_POINTS = {
    Named.EXACT: 45,
    Named.NUMBER: 38,
    Named.BARE: 12,
    Named.NO: 0,
    Named.OTHER: -25,
    Named.UNKNOWN: -50,
}


class Sum(StrEnum):
    """How the document's total stands to the order's."""

    SAME = "same"
    NEAR = "near"
    CLOSE = "close"
    PART = "part"
    OVER = "over"
    UNKNOWN = "unknown"


_SUM_POINTS = {Sum.SAME: 30, Sum.NEAR: 18, Sum.CLOSE: 6, Sum.PART: 4, Sum.OVER: -25, Sum.UNKNOWN: 0}


@dataclass(slots=True)
class Evidence:
    """All that is known of one order as the match of the document."""

    order: Order
    named: Named
    sum: Sum
    points: float = 0.0
    pairs: list[Pair] = field(default_factory=list)
    covered: float | None = None
    """Share of the document's lines, by their sums, that are lines of the order; None without lines."""
    foreign: bool = False
    """It is another supplier's."""
    late: bool = False
    """It was placed well after the document."""
    reasons: list[str] = field(default_factory=list)

    @property
    def strong(self) -> bool:
        """Whether two independent signs agree, so that the answer may be given as sure."""
        same = self.sum is Sum.SAME
        fits = self.covered is not None and self.covered >= 0.85
        clearly_named = self.named >= Named.NUMBER
        no_objection = not self.foreign and not self.late and self.named >= Named.NO
        if self.covered is not None and self.covered < 0.5:
            return False
        if self.sum is Sum.OVER:
            return False
        return no_objection and ((clearly_named and (same or fits)) or (same and fits))


def weigh(bill: Bill, orders: Sequence[Order]) -> list[Evidence]:
    """Return the evidence for each order, the most first."""
    found = []
    for order, named in zip(orders, named_orders(bill, orders), strict=True):
        evidence = Evidence(order, named, _sum(bill, order))
        evidence.points = _NAMED_POINTS[named] + _SUM_POINTS[evidence.sum]
        if named >= Named.NUMBER:
            evidence.reasons.append("el documento nombra la orden")
        elif named is Named.OTHER:
            evidence.reasons.append("el documento nombra otra orden")
        elif named is Named.UNKNOWN:
            evidence.reasons.append("el documento nombra una orden que no está entre las abiertas")
        _say_sum(evidence, bill)
        _weigh_supplier(evidence, bill)
        _weigh_day(evidence, bill)
        found.append(evidence)
    words = _words_of(bill.lines)
    found.sort(key=lambda evidence: -evidence.points - _alike(words, evidence.order))
    left = MOST_COMPARED
    for evidence in found[:MOST_PAIRED]:
        left -= _weigh_lines(evidence, bill, left)
    found.sort(key=lambda evidence: -evidence.points)
    return found


def _alike(words: frozenset[str], order: Order) -> float:
    """Points by which orders are ranked before their lines are paired: words in common."""
    shared = words & _words_of(order.lines)
    return 30 * len(shared) / len(words) if words else 0.0


def _words_of(lines: tuple[Line, ...]) -> frozenset[str]:
    return frozenset(word for line in lines for word in fold(line.name).split() if len(word) > 2)


def _sum(bill: Bill, order: Order) -> Sum:
    if bill.total is None or (order.currency and not order.currency.startswith(("CLP", "PESO"))):
        return Sum.UNKNOWN
    expected = [value for value in (order.total, _left(order)) if value]
    if not expected:
        return Sum.UNKNOWN
    if order.net is None and order.total:  # some send the order's net as its total
        expected.append(order.total * IVA)
    best = min((off(bill.total, value) for value in expected), key=abs)
    if abs(best) <= 0.001 or any(abs(bill.total - value) <= 2 for value in expected):
        return Sum.SAME
    if abs(best) <= 0.03:
        return Sum.NEAR
    if abs(best) <= 0.1:
        return Sum.CLOSE
    return Sum.PART if off(bill.total, expected[0]) < 0 else Sum.OVER


def _left(order: Order) -> Decimal | None:
    """The total of what is left to bill, where the order says what was billed."""
    if not any(line.invoiced for line in order.lines) or not order.total:
        return None
    ordered = sum((line.subtotal or Decimal(0) for line in order.lines), Decimal(0))
    left = sum(((line.open_quantity or 0) * (line.price or 0) for line in order.lines), Decimal(0))
    return order.total * left / ordered if ordered else None


def _say_sum(evidence: Evidence, bill: Bill) -> None:
    total, expected = spell(bill.total), spell(evidence.order.total)
    said = {
        Sum.SAME: f"el monto es el de la orden o el de su saldo ({total})",
        Sum.NEAR: f"el monto ({total}) está a menos de 3 % del de la orden ({expected})",
        Sum.CLOSE: f"el monto ({total}) está a menos de 10 % del de la orden ({expected})",
        Sum.PART: f"el monto ({total}) es una parte del de la orden ({expected})",
        Sum.OVER: f"el monto ({total}) supera al de la orden ({expected})",
    }
    if evidence.sum in said:
        evidence.reasons.append(said[evidence.sum])


def _weigh_supplier(evidence: Evidence, bill: Bill) -> None:
    order = evidence.order
    if order.rut and bill.rut:
        same: bool | None = order.rut == bill.rut
    elif order.partner_id is not None and order.partner_id == bill.partner_id:
        same = True
    else:
        same = _same_partner(order.partner, bill.partner)
    if same is False:
        evidence.foreign = True
        evidence.points -= 60
        evidence.reasons.append(f"la orden es de otro proveedor ({order.partner or order.rut})")
    elif same:
        evidence.points += 10


def _same_partner(one: str, other: str) -> bool | None:
    """Tell whether two names are of one company; None where that is not clear."""
    first, second = fold(one), fold(other)
    if not first or not second:
        return None
    alike = fuzz.token_set_ratio(first, second)
    return True if alike >= 85 else False if alike < 55 else None


def _weigh_day(evidence: Evidence, bill: Bill) -> None:
    ordered = evidence.order.day
    if ordered is None or bill.day is None:
        evidence.points += 3
        return
    age = (bill.day - ordered).days
    if bill.day < ordered - timedelta(days=7):
        evidence.late = True
        evidence.points -= 12 if age > -30 else 25
        evidence.reasons.append(f"la orden ({ordered}) es posterior al documento ({bill.day})")
    elif age > 400:
        evidence.points -= 5
        evidence.reasons.append(f"la orden es antigua ({ordered})")
    else:
        # Of two orders that are alike, the last before the document is the likelier.
        evidence.points += 8 - min(max(age, 0), 240) / 30 if age >= 0 else 2


def _weigh_lines(evidence: Evidence, bill: Bill, most: int) -> int:
    """Pair the lines, of a very long document only the first; return how many were compared."""
    ordered = evidence.order.lines
    billed = bill.lines[: most // len(ordered)] if ordered else ()
    if not billed:
        return 0
    evidence.pairs = pair_lines(billed, ordered)
    weights = {line.position: _weight(line) for line in bill.lines}
    whole = sum(weights.values()) or 1.0
    evidence.covered = (
        sum(weights[pair.billed.position] * min(pair.score / 0.9, 1.0) for pair in evidence.pairs)
        / whole
    )
    evidence.points += 35 * evidence.covered
    if evidence.covered < 0.3:
        evidence.points -= 20
    evidence.reasons.append(
        f"{len(evidence.pairs)} de {len(bill.lines)} líneas corresponden a líneas de la orden"
    )
    return len(billed) * len(ordered)


def _weight(line: Line) -> float:
    return float(abs(line.subtotal)) if line.subtotal else 1.0
