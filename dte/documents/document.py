"""The one shape in which a document reaches the rules, whatever form it came in.

A :class:`Dte` is read-only by convention: nested dicts of texts with the SII's names, repeated zones
as :class:`Row` lists, typed accessors that never raise. Paths are written as in the catalogue, from
below ``Documento``: ``Encabezado/IdDoc/Folio``, ``Detalle[3]/MontoItem``.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from lxml import etree

from dte.crypto import SignatureCheck, StampCheck, verify_document, verify_stamp
from dte.formato.elements import child, source_line
from dte.formato.reading import Node, Problem
from dte.formato.tipos import BOLETAS, EXEMPT_TYPES, EXPORTS

Form = Literal["xml", "json", "legacy"]

SANTIAGO = ZoneInfo("America/Santiago")
# The SII's encoding, by every name that XML parsers know it by.
LATIN_1 = frozenset({"iso-8859-1", "iso_8859-1", "iso8859-1", "latin1"})

ZERO = Decimal(0)
# Groups of lines, by IndExe.
TAXED, EXEMPT, NOT_BILLABLE = "", "1", "2"
# What has not been looked up yet; None is an answer.
_UNREAD: object = object()
_NUMBER = re.compile(r"[+-]?(?:\d{1,40}\.?\d{0,20}|\.\d{1,20})", re.ASCII)
# No path of the format is longer; those made of a hostile document's names are not worth remembering.
MAX_PATH = 200
_STEP = re.compile(r"(@?[\w:]+)(?:\[(\d+)\])?")


def to_amount(text: str) -> Decimal | None:
    """Return a number exactly as written, or None when the text is not one."""
    if text.isdecimal() and text.isascii() and len(text) <= 40:
        return Decimal(text)
    stripped = text.strip()
    return Decimal(stripped) if _NUMBER.fullmatch(stripped) else None


def to_type(text: str) -> int:
    """Return a document type as a number; 0 when it is not one."""
    stripped = text.strip()
    return int(stripped) if stripped.isascii() and stripped.isdigit() and len(stripped) < 5 else 0


def to_date(text: str) -> date | None:
    """Return the day of an ISO date or date and time, or None."""
    try:
        return date.fromisoformat(text.strip()[:10])
    except ValueError:
        return None


def to_moment(text: str) -> datetime | None:
    """Return an aware moment; the SII writes Chilean local time without an offset."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=SANTIAGO)


@lru_cache(maxsize=64)
def day_in_chile(moment: datetime) -> date:
    """Return the day of an aware moment where the SII is; most documents ask for the same few."""
    return moment.astimezone(SANTIAGO).date()


@lru_cache(maxsize=4096)
def _steps(path: str) -> tuple[tuple[str, int], ...]:
    """``Detalle[3]/MontoItem`` as ``(("Detalle", 3), ("MontoItem", 0))``; 0 is 'no index'."""
    steps = (_STEP.fullmatch(step) for step in path.split("/"))
    return tuple((step[1], int(step[2] or 0)) for step in steps if step is not None)


def _flatten(group: Node, prefix: str, into: dict[str, object]) -> dict[str, object]:
    """Put everything outside repeated zones by its path: fields, groups, and the zones whole."""
    for name, value in group.items():
        path = prefix + name
        into[path] = value
        if value.__class__ is dict:
            _flatten(value, f"{path}/", into)
    return into


class Values:
    """Typed, forgiving access to a nested dict of texts; what is missing or wrong reads as absent."""

    __slots__ = ("_amounts", "data")

    def __init__(self, data: Node) -> None:
        self.data = data
        self._amounts: dict[str, Any] = {}

    def find(self, path: str) -> object:
        """Return what stands at ``path`` (a text, a dict, a list), or None."""
        # Rules ask for a few hundred fields of each document, most of them rows' own.
        found = self.data.get(path)
        return found if found is not None or not ("/" in path or "[" in path) else self._walk(path)

    def _walk(self, path: str) -> object:
        node: object = self.data
        for name, number in _steps(path):
            if node.__class__ is not dict:
                return None
            node = node.get(name)
            if node.__class__ is list and number:
                node = node[number - 1] if number <= len(node) else None
        return node

    def text(self, path: str) -> str:
        """Return the text at ``path`` without surrounding blanks; ``""`` when there is none."""
        found = self.find(path)
        return found.strip() if isinstance(found, str) else ""

    def has(self, path: str) -> bool:
        """Tell whether something is there: a text that is not blank, a group, a list with rows."""
        found = self.find(path)
        return bool(found.strip() if isinstance(found, str) else found)

    def amount(self, path: str) -> Decimal | None:
        """Return the number at ``path``, or None when there is none."""
        value: Decimal | None = self._amounts.get(path, _UNREAD)
        if value is _UNREAD:
            found = self.find(path)
            value = self._amounts[path] = to_amount(found) if isinstance(found, str) else None
        return value

    def amount_or_zero(self, path: str) -> Decimal:
        """Return the number at ``path``; the SII reads a missing amount as 0."""
        return self.amount(path) or ZERO

    def date(self, path: str) -> date | None:
        """Return the day at ``path``, or None."""
        return to_date(self.text(path))

    def moment(self, path: str) -> datetime | None:
        """Return the date and time at ``path``, or None."""
        return to_moment(self.text(path))

    def texts(self, path: str) -> tuple[str, ...]:
        """Return the texts of a repeated field such as ``Emisor/Acteco`` or ``CodImpAdic``."""
        found = self.find(path)
        if isinstance(found, str):
            found = [found]
        if not isinstance(found, list):
            return ()
        return tuple(text for item in found if isinstance(item, str) and (text := item.strip()))

    def rows(self, path: str) -> tuple["Row", ...]:
        """Return the groups of a repeated zone, each knowing its own place."""
        found = self.find(path)
        if not isinstance(found, list):
            return ()
        base = f"{self.place}/{path}" if self.place else path
        return tuple(
            Row(item if isinstance(item, dict) else {}, base, number)
            for number, item in enumerate(found, 1)
        )

    @property
    def place(self) -> str:
        """The path of these values inside the document."""
        return ""


class Row(Values):
    """One row of a repeated zone: a line of detail, a reference, a tax of the totals."""

    __slots__ = ("number", "zone")

    def __init__(self, data: Node, zone: str, number: int) -> None:
        super().__init__(data)
        self.zone = zone
        self.number = number

    @property
    def place(self) -> str:
        """Where the row stands, such as ``Detalle[3]``."""
        return f"{self.zone}[{self.number}]"

    def path(self, name: str) -> str:
        """Return the full path of one of its fields, for a fault."""
        return f"{self.zone}[{self.number}]/{name}"


class XmlSource(NamedTuple):
    """The XML a document was read from: what the signature checks need and the rules do not."""

    raw: bytes
    """The bytes from ``<DTE`` to ``</DTE>``, exactly as in the file."""
    element: etree._Element
    """The DTE element of that fragment, parsed on its own."""
    body: etree._Element | None
    """Documento, Liquidacion or Exportaciones; None when the DTE has none."""
    encoding: str
    """Encoding declared by the file (``UTF-8`` when it declares none)."""
    first_line: int
    """Line of the file where the fragment begins."""
    namespace: str
    """Namespace of the DTE in its place in the file."""
    standalone: str = ""
    """What the file's declaration says of it: ``yes``, ``no`` or nothing."""


class Dte(Values):
    """One tax document."""

    __slots__ = (
        "__dict__", "_flat", "_totals", "form", "kind", "odd_text", "problems", "tipo", "xml",
    )  # fmt: skip

    def __init__(
        self,
        data: Node,
        *,
        form: Form,
        tipo: int,
        problems: tuple[Problem, ...] = (),
        xml: XmlSource | None = None,
        odd_text: bool = False,
        kind: str = "Documento",
    ) -> None:
        super().__init__(data)
        self.form = form
        self.tipo = tipo
        self.problems = problems
        self.xml = xml
        self.kind = kind
        self.odd_text = odd_text
        # Rules ask for a few hundred fields of each document: one look-up each, not one per level.
        self._flat = _flatten(data, "", {})
        totals = self._flat.get("Encabezado/Totales")
        self._totals = Values(totals if totals.__class__ is dict else {})

    def find(self, path: str) -> object:
        """Return what stands at ``path`` (a text, a dict, a list), or None."""
        found = self._flat.get(path)
        return found if found is not None or "[" not in path else self._walk(path)

    @cached_property
    def present(self) -> AbstractSet[str]:
        """What the document has: every path, with zones whole, and names in lines and references.

        Of lines and references it tells which fields any row has: ``Detalle/CodImpAdic``.
        """
        names = set(self._flat)
        for zone in ("Detalle", "Referencia"):
            rows = self._flat.get(zone)
            if rows.__class__ is list:
                of_rows = set().union(*(row for row in rows if row.__class__ is dict))
                names.update([f"{zone}/{name}" for name in of_rows])
        return names

    # --- Zones ------------------------------------------------------------------------------------

    @cached_property
    def lines(self) -> tuple[Row, ...]:
        """The lines of detail."""
        return self.rows("Detalle")

    @cached_property
    def references(self) -> tuple[Row, ...]:
        """The references to other documents."""
        return self.rows("Referencia")

    @cached_property
    def global_rows(self) -> tuple[Row, ...]:
        """The global discounts and surcharges."""
        return self.rows("DscRcgGlobal")

    @cached_property
    def taxes(self) -> tuple[Row, ...]:
        """The additional taxes and retentions of the totals."""
        return self.rows("Encabezado/Totales/ImptoReten")

    @cached_property
    def commissions(self) -> tuple[Row, ...]:
        """The commissions and other charges of a liquidación-factura."""
        return self.rows("Comisiones")

    # --- What every rule asks ---------------------------------------------------------------------

    @cached_property
    def folio(self) -> str:
        """IdDoc/Folio as written."""
        return self.text("Encabezado/IdDoc/Folio")

    @cached_property
    def issued(self) -> date | None:
        """IdDoc/FchEmis."""
        return self.date("Encabezado/IdDoc/FchEmis")

    @cached_property
    def issuer(self) -> str:
        """RUTEmisor as written."""
        return self.text("Encabezado/Emisor/RUTEmisor")

    @cached_property
    def receiver(self) -> str:
        """RUTRecep as written."""
        return self.text("Encabezado/Receptor/RUTRecep")

    def totals(self, name: str) -> Decimal | None:
        """Return one amount of Totales, None when it is not informed."""
        return self._totals.amount(name)

    def totals_or_zero(self, name: str) -> Decimal:
        """Return one amount of Totales, 0 when it is not informed."""
        return self._totals.amount(name) or ZERO

    @property
    def is_boleta(self) -> bool:
        """39 or 41."""
        return self.tipo in BOLETAS

    @property
    def is_export(self) -> bool:
        """110, 111 or 112."""
        return self.tipo in EXPORTS

    @cached_property
    def signature_check(self) -> SignatureCheck | None:
        """What is wrong with its signature; None without XML."""
        return None if self.xml is None else verify_document(self.xml.element)

    @cached_property
    def stamp_check(self) -> StampCheck:
        """What is wrong with the two signatures of its stamp."""
        if self.xml is None:
            return verify_stamp(None)
        return verify_stamp(child(self.xml.body, "TED"), self.xml.raw, self.xml.encoding)

    @cached_property
    def sums(self) -> Mapping[str, Decimal]:
        """The sum of MontoItem by group of lines, as ``group_of`` names them."""
        sums: dict[str, Decimal] = {}
        for row in self.lines:
            group = self.group_of(row)
            sums[group] = sums.get(group, ZERO) + row.amount_or_zero("MontoItem")
        return sums

    def group_of(self, row: Row) -> str:
        """Return the group a line belongs to: its IndExe, and exempt where the type makes it so."""
        return row.text("IndExe") or (EXEMPT if self.tipo in EXEMPT_TYPES else TAXED)

    def line_of(self, path: str) -> int | None:
        """Return the line of the file where ``path`` (or its nearest parent) stands; XML only."""
        if self.xml is None:
            return None
        inside = path.startswith(("Signature", "DTE"))
        node = self.xml.element if inside or self.xml.body is None else self.xml.body
        return line_below(node, path.removeprefix("DTE/")) + self.xml.first_line - 1


def line_below(node: etree._Element, path: str) -> int:
    """Return the line of ``path`` below an element, or of the nearest parent that is there."""
    for name, number in _steps(path[:MAX_PATH]):
        found = _child(node, name, number or 1)
        if found is None:
            break
        node = found
    return source_line(node)


def _child(node: etree._Element, name: str, number: int) -> etree._Element | None:
    return next(islice(node.iterchildren("{*}" + name), number - 1, None), None)
