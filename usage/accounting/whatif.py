"""What the last days would have cost at other prices, from the sums by day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from usage.accounting import reports
from usage.models.record import TOKEN_CLASSES
from usage.money import PLACES

DAYS: Final = 30
RATES: Final = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")
_MILLION: Final = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Line:
    """One class of tokens."""

    name: str
    tokens: int
    rate: Decimal
    usd: Decimal


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What a model's calls cost, and what they would have."""

    lines: list[Line]
    calls: int
    cost_usd: Decimal
    would_usd: Decimal

    @property
    def change_usd(self) -> Decimal:
        """How much more it would have been."""
        return self.would_usd - self.cost_usd

    @property
    def change_percent(self) -> Decimal | None:
        """The same as a share of what it was; None where it was nothing."""
        return 100 * self.change_usd / self.cost_usd if self.cost_usd else None


def what_if(model: str, rates: Mapping[str, Decimal]) -> WhatIf:
    """Price a model's tokens of the last `DAYS` days anew.

    Args:
        model: Whose calls.
        rates: USD per million tokens, by the names in `RATES`.

    The sums by day do not tell which requests were long or stayed in one region, so the new price is
    without dearer rates of either.
    """
    today = reports.today()
    sums = reports.total(reports.rows(today - timedelta(days=DAYS - 1), today).filter(model=model))
    lines = [
        Line(tokens, sums[tokens], rates[rate], sums[tokens] * rates[rate] / _MILLION)
        for tokens, rate in zip(TOKEN_CLASSES, RATES, strict=True)
    ]
    would = sum((line.usd for line in lines), Decimal(0)).quantize(Decimal(1).scaleb(-PLACES))
    return WhatIf(lines, sums["calls"], sums["cost_usd"], would)
