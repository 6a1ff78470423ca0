"""Sums over a document's lines and global discounts, the way the SII's format defines them.

All in Decimal, rounded half-up to the peso (exports keep their decimals). Each sum is computed once per
document and kept with it.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from dte.documents.document import Dte, Row
from dte.rules.taxes import IVA_RATE

ZERO = Decimal(0)
ONE = Decimal(1)
CENT = Decimal("0.01")
HUNDRED = Decimal(100)


def half_up(value: Decimal, unit: Decimal = ONE) -> Decimal:
    """Round half away from zero to a multiple of ``unit``: the peso unless told otherwise."""
    return value.quantize(unit, ROUND_HALF_UP)


def near(left: Decimal, right: Decimal, tolerance: Decimal = ONE) -> bool:
    """Tell whether two amounts are the same within the tolerance."""
    # Nearly all are equal, and that is cheap to see.
    return left == right or abs(left - right) <= tolerance


def line_amount(row: Row, *, exact: bool = False) -> Decimal | None:
    """Return quantity by price less discount plus surcharge, or None when it cannot be computed.

    Source: Formato DTE v2.2 p.37, campo B38.

    Args:
        row: A line of detail.
        exact: Keep the decimals (exports).
    """
    quantity, price = row.amount("QtyItem"), row.amount("PrcItem")
    if quantity is None or price is None:
        return None
    gross = quantity * price if exact else half_up(quantity * price)
    if discount := row.amount("DescuentoMonto"):
        gross -= discount
    if surcharge := row.amount("RecargoMonto"):
        gross += surcharge
    return gross


class Adjusted(NamedTuple):
    """A sum of lines after its global discounts and surcharges."""

    values: tuple[Decimal, ...]
    """The readings the format allows: each percentage over the lines, or over what the rows before
    it left."""
    tolerance: Decimal
    """One unit per percentage row, at least one."""

    def matches(self, declared: Decimal) -> bool:
        """Tell whether a declared amount agrees with one of the readings."""
        return declared in self.values or any(
            near(declared, value, self.tolerance) for value in self.values
        )

    @property
    def expected(self) -> Decimal:
        """The first reading, to show."""
        return self.values[0]


def adjusted(base: Decimal, rows: Sequence[Row], unit: Decimal = ONE) -> Adjusted:
    """Apply global discounts and surcharges to a sum of lines.

    Args:
        base: Sum of the lines of the group.
        rows: The DscRcgGlobal rows of that group.
        unit: What amounts are rounded to.
    """
    if not rows:
        return Adjusted((base,), unit)
    over_lines = in_turn = base
    percentages = 0
    for row in rows:
        value = row.amount_or_zero("ValorDR")
        sign = -1 if row.text("TpoMov") == "D" else 1
        if row.text("TpoValor") == "%":
            percentages += 1
            over_lines += sign * base * value / HUNDRED
            in_turn += sign * in_turn * value / HUNDRED
        else:
            over_lines += sign * value
            in_turn += sign * value
    readings = (over_lines,) if in_turn == over_lines else (over_lines, in_turn)
    values = tuple(half_up(reading, unit) for reading in readings)
    return Adjusted(values, max(1, percentages) * unit)


def global_rows(dte: Dte, *groups: str) -> list[Row]:
    """Return the DscRcgGlobal rows whose IndExeDR is one of the groups (``""``: none given)."""
    return [row for row in dte.global_rows if row.text("IndExeDR") in groups]


def unit_of(dte: Dte) -> Decimal:
    """Return what the document's amounts are rounded to: exports may carry cents."""
    return CENT if dte.is_export else ONE


def without_iva(gross: Decimal, rate: Decimal = IVA_RATE) -> Decimal:
    """Return the net part of an amount that includes IVA."""
    return half_up(gross / (ONE + rate / HUNDRED))


def iva_rate(dte: Dte) -> Decimal:
    """Return TasaIVA, or the legal rate where the document does not say."""
    return dte.totals("TasaIVA") or IVA_RATE


def is_gross(dte: Dte) -> bool:
    """Tell whether the lines include IVA (IdDoc/MntBruto)."""
    return dte.text("Encabezado/IdDoc/MntBruto") == "1"
