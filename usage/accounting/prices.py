"""From tokens to dollars.

Rates come from `usage/accounting/prices.csv`, transcribed from Anthropic's published prices as of November 2026
(https://platform.claude.com/docs/en/about-claude/pricing and the release notes; each row names its
source) and reviewed like code. `manage.py migrate` adds what the table lacks and never overwrites
what an operator changed in the admin.
"""

import csv
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from django.utils import timezone

from usage.accounting.remembered import forget, memory
from usage.models import ModelPrice
from usage.models.record import TOKEN_CLASSES
from usage.tokens import TokenUsage

FILE: Final = Path(__file__).with_name("prices.csv")
MILLION: Final = Decimal(1_000_000)
US_ONLY: Final = Decimal("1.1")  # inference_geo "us", on every class of tokens

_RATES: Final = ("input", "cache_write_5m", "cache_write_1h", "cache_read", "output")


def cost(usage: TokenUsage, price: ModelPrice, *, inference_geo: str = "") -> Decimal:
    """Return what the provider bills for this usage, exactly.

    Args:
        usage: Tokens by class.
        price: The model's rates on the day of the call.
        inference_geo: What the answer's usage says; ``us`` costs a tenth more.
    """
    total = sum(
        (getattr(usage, tokens) * rate for tokens, rate in rates(usage, price)),
        Decimal(0),
    )
    if inference_geo == "us":
        total *= US_ONLY
    return total / MILLION


def rates(usage: TokenUsage, price: ModelPrice) -> list[tuple[str, Decimal]]:
    """Return each class of tokens with its rate for this usage, in USD per million."""
    # All of the input decides, and then every token of the request pays the long rate.
    long = price.long_from_tokens is not None and usage.prompt > price.long_from_tokens
    prefix = "long_" if long else ""
    return [
        (tokens, Decimal(getattr(price, prefix + rate)))
        for tokens, rate in zip(TOKEN_CLASSES, _RATES, strict=True)
    ]


def current(model: str) -> ModelPrice | None:
    """Return today's price of a model, at most two seconds old; None: it may not be called."""
    today = timezone.localdate()
    found: ModelPrice | None = memory.get_or_set(
        f"price:{today}:{model}", lambda: ModelPrice.objects.current(model, today)
    )
    return found


def upper_bound(
    price: ModelPrice, *, input_tokens: int, output_tokens: int, one_hour: bool, geo: str = ""
) -> Decimal:
    """Return the most that a call may cost: all of its input written to the cache, all its output."""
    written = (
        TokenUsage(cache_write_1h_tokens=input_tokens, output_tokens=output_tokens)
        if one_hour
        else TokenUsage(cache_write_5m_tokens=input_tokens, output_tokens=output_tokens)
    )
    return cost(written, price, inference_geo=geo)


def reviewed() -> list[dict[str, Any]]:
    """Read the reviewed file; an empty cell is an absent value."""
    with FILE.open(newline="") as file:
        return [
            {name: _value(name, text) for name, text in row.items() if text}
            for row in csv.DictReader(file)
        ]


def _value(name: str, text: str) -> object:
    if name in {"valid_from", "retires_on"}:
        return date.fromisoformat(text)
    if name in {"model", "source"}:
        return text
    return int(text) if name.endswith("_tokens") else Decimal(text)


def seed(**kwargs: object) -> None:
    """Add the reviewed prices that the table lacks; runs after every migration."""
    ModelPrice.objects.bulk_create([ModelPrice(**row) for row in reviewed()], ignore_conflicts=True)
    forget()
