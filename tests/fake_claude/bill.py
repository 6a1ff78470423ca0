"""What the provider would bill: an independent witness of the ledger."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

# Dollars per million tokens: input, 5-minute write, 1-hour write, read, output. Written by hand from
# the price page and not from the project's own table: the bill must be an independent witness.
RATES: Final = {
    "claude-sonnet-5-5": ("2", "2.50", "4", "0.10", "10"),
    "claude-haiku-5-5": ("0.10", "0.125", "0.20", "0.01", "0.50"),
    "claude-haiku-5-5 long": ("0.50", "0.625", "1", "0.05", "2.50"),
    "claude-opus-5-5": ("4", "5", "8", "0.20", "20"),
}
LONG_FROM: Final = 100_000


@dataclass(frozen=True)
class Bill:
    """What one request would be billed."""

    model: str
    input: int
    write_5m: int
    write_1h: int
    read: int
    output: int
    completed: bool
    geo: str = "global"
    message_id: str = ""

    @property
    def usd(self) -> Decimal:
        """The dollars of this line."""
        long = self.input + self.write_5m + self.write_1h + self.read > LONG_FROM
        rates = RATES.get(f"{self.model} long", RATES[self.model]) if long else RATES[self.model]
        counts = (self.input, self.write_5m, self.write_1h, self.read, self.output)
        dollars = sum(
            (Decimal(rate) * count for rate, count in zip(rates, counts, strict=True)), Decimal(0)
        ) / Decimal(1_000_000)
        return dollars * Decimal("1.1") if self.geo == "us" else dollars
