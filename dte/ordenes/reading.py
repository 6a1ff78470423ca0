"""What a client sends, read into documents, orders and lines.

Clients fill the fields from their own models, so each value is looked for under every name that Odoo,
the flat form of a document or the SII's format has for it. What is missing or no number is unknown.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

from rest_framework.exceptions import ValidationError

from dte.documents.document import to_date
from dte.documents.rut import tidy

Id = int | str

MAX_ORDERS: Final = 500
MAX_LINES: Final = 2_000  # of the document, and of each order
MAX_ALL_LINES: Final = 20_000
MAX_TEXT: Final = 400

LINES: Final = ("lines", "order_line", "items")
_NAMES = ("name", "description", "nombre", "descripcion", "product_name", "NmbItem")
_CODES = ("default_code", "product_code", "code", "codigo", "VlrCodigo")
_QUANTITIES = ("quantity", "product_qty", "product_uom_qty", "qty", "cantidad", "QtyItem")
_PRICES = ("price_unit", "price", "precio_unitario", "precio", "PrcItem")
_SUBTOTALS = ("price_subtotal", "subtotal", "monto", "monto_item", "MontoItem", "amount")
_INVOICED = ("qty_invoiced", "quantity_invoiced")
_TOTALS = ("total_amount", "amount_total", "monto_total", "MntTotal")
_DATES = ("date", "date_order", "invoice_date", "fecha_emision", "date_approve")
_RUTS = ("partner_vat", "vat", "rut_emisor", "emisor_rut")
_PARTNERS = ("partner_name", "partner_id", "razon_social_emisor")
_REFERENCES = (
    "reference", "ref", "origin", "invoice_origin", "payment_reference", "purchase_order", "references", "referencias",
)  # fmt: skip
_NOTES = ("narration", "note", "notes", "observaciones", "description")

_TOO_LARGE: Final = 2**63  # for an identifier of PostgreSQL
_IN_BRACKETS = re.compile(r"\s*\[([^\]]{1,40})\]\s*")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a document or of an order; None where nothing is known."""

    position: int
    """Place in the list that was sent, from 0."""
    id: Id | None
    name: str
    code: str
    quantity: Decimal | None
    price: Decimal | None
    """Net price of one unit, discount taken off."""
    subtotal: Decimal | None
    invoiced: Decimal | None = None
    """Of a line of an order: the quantity already billed."""

    @property
    def open_quantity(self) -> Decimal | None:
        """What is left to bill of a line of an order."""
        if self.quantity is None or self.invoiced is None:
            return self.quantity
        return max(self.quantity - self.invoiced, Decimal(0))


@dataclass(frozen=True, slots=True)
class Bill:
    """The received document."""

    rut: str
    partner_id: Id | None
    partner: str
    total: Decimal | None
    day: date | None
    references: tuple[str, ...]
    """Texts in which the supplier names what it bills."""
    notes: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """One purchase order still open."""

    id: Id
    name: str
    rut: str
    partner_id: Id | None
    partner: str
    total: Decimal | None
    net: Decimal | None
    currency: str
    day: date | None
    lines: tuple[Line, ...]


def read_request(body: object) -> tuple[Bill, tuple[Order, ...]]:
    """Return the document and the orders of a request.

    Raises:
        ValidationError: With the field at fault.
    """
    if not isinstance(body, Mapping):
        raise ValidationError({"dte_data": ["Este campo es obligatorio."]})
    data, given = body.get("dte_data"), body.get("pending_pos")
    if not isinstance(data, Mapping):
        raise ValidationError({"dte_data": ["Debe ser un objeto con los datos del documento."]})
    if not isinstance(given, list):
        raise ValidationError({"pending_pos": ["Debe ser la lista de órdenes de compra abiertas."]})
    if len(given) > MAX_ORDERS:
        raise ValidationError({"pending_pos": [f"No más de {MAX_ORDERS} órdenes por consulta."]})
    bill = _bill(data)
    orders = tuple(_order(one, place) for place, one in enumerate(given))
    if len(bill.lines) + sum(len(order.lines) for order in orders) > MAX_ALL_LINES:
        raise ValidationError({"pending_pos": [f"No más de {MAX_ALL_LINES} líneas por consulta."]})
    return bill, orders


def _bill(data: Mapping[str, object]) -> Bill:
    return Bill(
        rut=_rut(data),
        partner_id=_partner_id(data),
        partner=_text(data, _PARTNERS),
        total=_number(data, _TOTALS),
        day=_day(data),
        references=tuple(_all_texts(data.get(name) for name in _REFERENCES)),
        notes=tuple(_all_texts(data.get(name) for name in _NOTES)),
        lines=_lines(data, "dte_data.lines"),
    )


def _order(one: object, place: int) -> Order:
    where = f"pending_pos[{place}]"
    if not isinstance(one, Mapping):
        raise ValidationError({where: ["Debe ser un objeto con la orden de compra."]})
    identifier = _id(one.get("id"))
    if identifier is None:
        raise ValidationError({f"{where}.id": ["Este campo es obligatorio."]})
    return Order(
        id=identifier,
        name=_text(one, ("name", "number", "display_name")),
        rut=_rut(one),
        partner_id=_partner_id(one),
        partner=_text(one, _PARTNERS),
        total=_number(one, _TOTALS),
        net=_number(one, ("amount_untaxed", "monto_neto")),
        currency=_text(one, ("currency", "currency_id", "currency_name")).upper(),
        day=_day(one),
        lines=_lines(one, f"{where}.lines"),
    )


def _lines(data: Mapping[str, object], where: str) -> tuple[Line, ...]:
    # Odoo writes false for nothing.
    found = (data[name] for name in LINES if data.get(name) not in (None, False, "", []))
    given: object = next(found, [])
    if not isinstance(given, list):
        raise ValidationError({where: ["Debe ser una lista."]})
    if len(given) > MAX_LINES:
        raise ValidationError({where: [f"No más de {MAX_LINES} líneas."]})
    return tuple(_line(one, place) for place, one in enumerate(given) if isinstance(one, Mapping))


def _line(one: Mapping[str, object], place: int) -> Line:
    name = _text(one, (*_NAMES, "product_id"))
    code = _text(one, _CODES)
    if bracketed := _IN_BRACKETS.match(name):  # Odoo writes «[CODE] Name»
        code = code or bracketed[1]
        name = name[bracketed.end() :] or name
    quantity, price = _number(one, _QUANTITIES), _number(one, _PRICES)
    subtotal = _number(one, _SUBTOTALS)
    if subtotal is None and quantity is not None and price is not None:
        share = 1 - (_number(one, ("discount", "descuento_pct")) or Decimal(0)) / 100
        subtotal = quantity * price * share
    if quantity and subtotal is not None:
        price = subtotal / quantity
    return Line(
        position=place,
        id=_id(one.get("id")),
        name=name,
        code=fold(code).replace(" ", ""),
        quantity=quantity,
        price=price,
        subtotal=subtotal,
        invoiced=_number(one, _INVOICED),
    )


def _id(value: object) -> Id | None:
    """Return an identifier as it came: a number read from JSON stays a number."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, str):
        plain = getattr(value, "plain", None)  # JsonNumber: a number as it was written
        if plain is None:
            return value[:MAX_TEXT] if value.strip() else None
        written = str(plain())
        if not written.lstrip("-").isdigit() or len(written) > 20:
            return None
        value = int(written)
    return value if -_TOO_LARGE <= value < _TOO_LARGE else None


def _partner_id(data: Mapping[str, object]) -> Id | None:
    value = data.get("partner_id")
    return _id(value[0] if isinstance(value, list) and value else value)


def _text(data: Mapping[str, object], names: tuple[str, ...]) -> str:
    """Return the first text under these names; of ``[7, "Name"]``, as Odoo writes relations, the name."""
    for name in names:
        value = data.get(name)
        if isinstance(value, list) and len(value) == 2:
            value = value[1]
        if isinstance(value, str) and value.strip() and not hasattr(value, "plain"):
            return value.strip()[:MAX_TEXT]
    return ""


def _all_texts(values: Any, depth: int = 0) -> Iterator[str]:
    """Yield every text in nested lists and objects: references come as text, as list, as rows."""
    for value in values:
        if isinstance(value, str) and value.strip():
            yield value.strip()[:MAX_TEXT]
        elif isinstance(value, int) and not isinstance(value, bool):
            yield str(value)
        elif isinstance(value, Mapping) and depth < 3:
            folio = next((value[n] for n in ("FolioRef", "folio", "number") if value.get(n)), None)
            kind = str(value.get("TpoDocRef") or value.get("tipo") or value.get("type") or "")
            if folio is not None:  # 801: the SII's code for a purchase order
                yield f"OC {folio}"[:MAX_TEXT] if kind == "801" else ""
            else:
                yield from _all_texts(value.values(), depth + 1)
        elif isinstance(value, list) and depth < 3:
            yield from _all_texts(value[:40], depth + 1)


def _number(data: Mapping[str, object], names: tuple[str, ...]) -> Decimal | None:
    for name in names:
        value = data.get(name)
        if value is None or isinstance(value, bool):
            continue
        try:
            number = Decimal(str(value).strip()) if isinstance(value, int | float | str) else None
        except InvalidOperation:
            continue
        if number is not None and number.is_finite() and abs(number) < Decimal(10) ** 18:
            return number
    return None


def _day(data: Mapping[str, object]) -> date | None:
    text = _text(data, _DATES)
    return to_date(text) if text else None


def _rut(data: Mapping[str, object]) -> str:
    """Return the RUT; Odoo keeps some with the country's prefix."""
    return tidy(_text(data, _RUTS)).removeprefix("CL").replace(" ", "")


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """Return a text in lower case, without accents and signs, single blanks between its words."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return " ".join(re.findall(r"[a-z]+|\d+(?:[.,]\d+)?", plain.encode("ascii", "ignore").decode()))
