"""How the cost of a call comes about: its tokens by class times the rates it was billed by."""

from decimal import Decimal
from typing import Final

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from usage.accounting import prices
from usage.admin.base import grouped
from usage.models import UsageRecord
from usage.models.correction import tokens_of
from usage.models.record import TOKEN_CLASSES
from usage.money import dollars
from usage.tokens import TokenUsage

TOKEN_NAMES: Final = dict(
    zip(
        TOKEN_CLASSES,
        (
            "entrada sin caché",
            "escritura de caché, 5 min",
            "escritura de caché, 1 h",
            "lectura de caché",
            "salida",
        ),
        strict=True,
    )
)


def shown(record: UsageRecord) -> SafeString | str:
    """Return the account of a row as a table, and whether the row says the same."""
    if record.price is None:
        return "Sin modelo, sin costo."
    usage = TokenUsage(**tokens_of(record))
    lines = [
        (tokens, rate, getattr(usage, tokens) * rate / prices.MILLION)
        for tokens, rate in prices.rates(usage, record.price)
    ]
    billed = prices.cost(usage, record.price, inference_geo=record.inference_geo)
    context = {
        "lines": [
            (TOKEN_NAMES[tokens], grouped(getattr(usage, tokens)), dollars(rate), dollars(amount))
            for tokens, rate, amount in lines
        ],
        "price": record.price,
        "sum": dollars(sum((amount for _, _, amount in lines), Decimal(0))),
        "us_only": record.inference_geo == "us",
        "billed": dollars(billed),
        "cost": dollars(record.cost_usd),
        "differs": billed != record.cost_usd,
        "held": dollars(record.held_usd),
    }
    return render_to_string("admin/usage/usagerecord/arithmetic.html", context)
