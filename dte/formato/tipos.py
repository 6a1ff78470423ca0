"""The document types, and the elements they are written in: every set of them that more than one place needs."""

from collections.abc import Mapping
from typing import Final

TYPE_NAMES: Final[Mapping[int, str]] = {
    33: "Factura electrónica",
    34: "Factura no afecta o exenta electrónica",
    39: "Boleta electrónica",
    41: "Boleta exenta electrónica",
    43: "Liquidación-factura electrónica",
    46: "Factura de compra electrónica",
    52: "Guía de despacho electrónica",
    56: "Nota de débito electrónica",
    61: "Nota de crédito electrónica",
    110: "Factura de exportación electrónica",
    111: "Nota de débito de exportación electrónica",
    112: "Nota de crédito de exportación electrónica",
}
ALL_TYPES: Final = frozenset(TYPE_NAMES)
BOLETAS: Final = frozenset({39, 41})
SETTLEMENTS: Final = frozenset({43})
"""Liquidaciones-factura."""
EXPORTS: Final = frozenset({110, 111, 112})
NOTES: Final = frozenset({56, 61, 111, 112})
EXEMPT_TYPES: Final = frozenset({34, 41}) | EXPORTS
"""Types whose lines are exempt unless they say otherwise (Formato DTE v2.2 p.31, campo B5)."""
TAXED_TYPES: Final = frozenset({33, 43, 46, 52, 56, 61})
"""Types that carry IVA apart; a boleta's is inside its prices."""

BODIES: Final = frozenset({"Documento", "Liquidacion", "Exportaciones"})
"""What stands inside a DTE."""
ENVELOPES: Final = frozenset({"EnvioDTE", "EnvioBOLETA"})


def body_of(tipo: int) -> str:
    """Return the element that a type is written in."""
    if tipo in SETTLEMENTS:
        return "Liquidacion"
    return "Exportaciones" if tipo in EXPORTS else "Documento"
