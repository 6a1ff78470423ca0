"""Additional taxes and retentions: their codes, rates and signs.

Source: Formato DTE v2.2, section 4 «Codificación tipos de impuestos y recargos», p.46-49.
"""

from decimal import Decimal
from typing import Literal, NamedTuple

IVA_RATE = Decimal(19)
"""DL 825 art. 14, since 2003-10-01; 18 before."""

Sign = Literal[1, -1, 0]


class Tax(NamedTuple):
    """One code of the table."""

    sign: Sign
    """1: added to MntTotal; -1: retained, subtracted from it; 0: the sources do not agree."""
    rate: Decimal | None
    """Percentage in force; None where the tax has no fixed rate."""
    on_sales: bool
    """Used in facturas (33) and the notes that refer to them."""
    on_purchases: bool
    """Used in facturas de compra (46) and the notes that refer to them."""


def _added(rate: str | None) -> Tax:
    return Tax(1, Decimal(rate) if rate else None, on_sales=True, on_purchases=False)


def _retained(rate: str) -> Tax:
    return Tax(-1, Decimal(rate), on_sales=False, on_purchases=True)


TAXES: dict[str, Tax] = {
    "14": _added(None),
    "17": _added("5"),
    "18": _added("5"),
    "19": _added("12"),
    "23": _added("15"),
    "24": _added("31.5"),
    "25": _added("20.5"),
    "26": _added("20.5"),
    "27": _added("10"),
    "271": _added("18"),
    "28": _added(None),
    "35": _added(None),
    "44": _added("15"),
    "45": _added("50"),
    "50": _added(None),
    "51": _added(None),
    "52": _added(None),
    # Retained by the newspaper company on top of the price; the table gives it only to sales.
    "53": Tax(0, Decimal("0.5"), on_sales=True, on_purchases=False),
    "15": _retained("19"),
    "30": _retained("10"),
    "31": _retained("19"),
    "32": _retained("8"),
    "33": _retained("8"),
    "34": _retained("4"),
    "36": _retained("10"),
    "37": _retained("10"),
    "38": _retained("19"),
    "39": _retained("19"),
    "41": _retained("19"),
    # IVA on gold: the whole IVA is retained. The table gives it to facturas; other sources to 46.
    "46": Tax(-1, None, on_sales=True, on_purchases=True),
    "47": _retained("19"),
    "48": _retained("14"),
    "49": _retained("0"),
    # Change of subject with total retention of the same product.
    **{code: _retained("19") for code in ("301", "321", "331", "341", "361", "371", "481")},
}

MARGIN = "14"
SLAUGHTER = "17"
# Specific taxes are so much a unit, not a percentage of the line.
SPECIFIC = frozenset({"28", "35", "51", "52"})

WITHHOLDING_AGENT = frozenset({"14", "17", "18", "19", "50"}) | {
    code for code, tax in TAXES.items() if tax.on_purchases
}
"""Codes whose lines carry Retenedor/IndAgente (Formato DTE v2.2 p.32, campo B6)."""


def sign_of(code: str) -> Sign:
    """Return how a code enters MntTotal; an unknown code reads as an added tax."""
    tax = TAXES.get(code)
    return tax.sign if tax else 1
