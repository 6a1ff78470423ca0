"""The answer: which order, how sure, why, and which line is which."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from dte.ordenes.evidence import Evidence, Sum, weigh
from dte.ordenes.reading import Bill, Order
from dte.ordenes.references import Named

# With less than this no order is named: a wrong order costs more than none.
LEAST: Final = 50
SURE: Final = 90
# Orders within this many points of the best are close to it; apart by less than TIED, none is better.
CLOSE: Final = 12
TIED: Final = 0.4
ALONE: Final = 12  # points for an order that no other comes near
_CAP_CLOSE: Final = 74
_CAP_TIED: Final = 60
_MOST_CLOSE: Final = 4


@dataclass(slots=True)
class Match:
    """What is answered, and between which orders it was close."""

    chosen: Evidence | None
    confidence: int
    reasoning: str
    close: list[Evidence] = field(default_factory=list)
    """The candidates, best first, where more than one is left; Claude may choose among them."""

    def as_dict(self) -> dict[str, object]:
        """Return the answer as clients read it."""
        found = self.chosen
        return {
            "matched_po_id": found.order.id if found else None,
            "confidence": self.confidence,
            "reasoning": self.reasoning,
            "line_matches": [
                {
                    "dte_line": pair.billed.position,
                    "po_line": pair.ordered.position,
                    "confidence": round(100 * pair.score),
                    "po_line_id": pair.ordered.id,
                    "dte_name": pair.billed.name,
                    "po_name": pair.ordered.name,
                }
                for pair in (found.pairs if found else ())
            ],
        }


def match(bill: Bill, orders: Sequence[Order]) -> Match:
    """Return the order that the document bills, by what both say; nothing here asks anyone."""
    if not orders:
        return Match(None, 0, "No hay órdenes de compra abiertas con que comparar.")
    found = weigh(bill, orders)
    best = found[0]
    rivals = [one for one in found[1:] if best.points - one.points <= CLOSE][: _MOST_CLOSE - 1]
    points = best.points
    if all(best.points - one.points > 2 * CLOSE for one in found[1:]):
        points += ALONE
    if best.named is Named.EXACT and not best.foreign:
        points = max(points, LEAST + 5)  # it says so itself, whatever else does not fit
    if points < LEAST:
        return Match(None, 0, _none(best, rivals))
    return _confirm(best, rivals, points)


def _confirm(best: Evidence, rivals: list[Evidence], points: float) -> Match:
    close = [best, *(one for one in rivals if one.points >= LEAST - CLOSE)]
    gap = best.points - close[1].points if len(close) > 1 else 2 * CLOSE
    confidence = min(round(points), 98)
    if not best.strong:
        confidence = min(confidence, SURE - 1)
    if len(close) > 1:
        confidence = min(confidence, _CAP_CLOSE if gap > 4 else _CAP_TIED)
    if best.sum is Sum.OVER or (best.covered is not None and best.covered < 0.5):
        confidence = min(confidence, 70)
    if gap < TIED:
        tied = [one for one in close if best.points - one.points < TIED]
        return Match(None, 0, f"Calzan por igual {_names(tied)}: elija una persona.", close)
    reasons = "; ".join(best.reasons)
    words = f"{best.order.name or best.order.id}: {reasons}."
    if len(close) > 1:
        words += f" También es posible {_names(close[1:])}."
    return Match(best, confidence, words, close if len(close) > 1 else [])


def _names(found: Sequence[Evidence]) -> str:
    return ", ".join(str(one.order.name or one.order.id) for one in found)


def _none(best: Evidence, rivals: Sequence[Evidence]) -> str:
    if best.named is Named.UNKNOWN:
        start = "El documento nombra una orden que no está entre las abiertas."
    else:
        start = "Ninguna orden abierta calza lo suficiente."
    reasons = "; ".join(best.reasons) or "sin datos comunes"
    return f"{start} La más cercana, {best.order.name or best.order.id}: {reasons}."
