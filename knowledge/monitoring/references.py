"""What a text refers to: circulars, resolutions, laws, questions, format, fields, dates, types of DTE."""

import contextlib
import re
from datetime import date
from typing import Final, NamedTuple

from knowledge.monitoring.noise import MONTHS


class Reference(NamedTuple):
    """A text that is cited: ``("resolucion", "154", 2025)``; the year is 0 where nobody says it."""

    kind: str
    number: str
    year: int

    def is_same(self, other: "Reference") -> bool:
        """Whether both mean the same text; a year that one of them leaves out does not divide them."""
        same = (self.kind, self.number) == (other.kind, other.number)
        return same and (not self.year or not other.year or self.year == other.year)


_NUMBER: Final = r"(?:\s+(?:SII|del\s+SII))?\s*(?:,?\s*n(?:[°º.]|ro\.?|[uú]m(?:ero|\.)?)*\s*)?(\d{1,3}(?:\.\d{3})+|\d{1,5})\b"
_YEAR: Final = r"(?:[^.;\n|]{0,40}?\b((?:19|20)\d{2})\b)?"
_PATTERNS: Final = tuple(
    (kind, re.compile(rf"\b(?:{words}){_NUMBER}{_YEAR}", re.IGNORECASE))
    for kind, words in (
        ("circular", r"circular(?:es)?|circ\."),
        (
            "resolucion",
            r"(?:resoluci[oó]n(?:es)?|res\.)(?:\s+(?:exentas?|ex\.?))?(?:\s*\(?\s*SII\s*\)?)?",
        ),
        ("oficio", r"oficio(?:\s+ordinario|\s+ord\.)?"),
    )
)
# Laws are numbered through, so the year that may follow is another one's.
_LAW: Final = re.compile(
    r"\b(ley|d\.?\s?l\.?|decreto\s+ley|decreto\s+supremo|d\.?\s?s\.?)" + _NUMBER, re.IGNORECASE
)
_FAQ: Final = re.compile(
    r"\b(\d{3})[._](\d{3})[._](\d{4})(?:\s+a\s+(\d{3})[._](\d{3})[._](\d{4}))?\b"
)
_LONGEST_RANGE: Final = 200
_FORMAT: Final = re.compile(
    r"\bformato(?:s)?\s+(?:de\s+)?(?:los\s+)?(?:dte\b|documentos?\s+tributarios?)|"
    r"\besquemas?\s+(?:xsd|xml)\b|\bformato_dte|\bschema_dte|\b(?:DTE|EnvioDTE|EnvioBOLETA|SiiTypes)_v\d+",
    re.IGNORECASE,
)
_CAMPO: Final = re.compile(r"\bcampos?\s+(?:n[°º.]*\s*)?([A-Z]?\d{1,3})\b", re.IGNORECASE)
_TAG: Final = re.compile(
    r"</?([A-Za-z]\w{2,40})>|\b([A-Z][a-z]+[A-Z]\w{0,30}|[A-Z]{2,4}[a-z]\w{2,30})\b"
)
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        [
            "enero",
            "febrero",
            "marzo",
            "abril",
            "mayo",
            "junio",
            "julio",
            "agosto",
            "septiembre",
            "octubre",
            "noviembre",
            "diciembre",
        ],
        1,
    )
} | {"setiembre": 9}
_DATES: Final = re.compile(
    rf"\b(\d{{1,2}})[°º]?\s*(?:de\s+)?({MONTHS})\s*(?:de|del|,)?\s*(?:a[ñn]o\s+)?(\d{{4}})\b|"
    r"\b(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})\b|\b(\d{4})-(\d{2})-(\d{2})\b",
    re.IGNORECASE,
)
# Whoever says one of these means the type; the longer name first, for it holds the shorter one.
_TYPES: Final = tuple(
    (re.compile(words, re.IGNORECASE), types)
    for words, types in (
        (r"notas?\s+de\s+cr[ée]dito\s+(?:electr[oó]nicas?\s+)?de\s+exportaci[oó]n", (112,)),
        (r"notas?\s+de\s+d[ée]bito\s+(?:electr[oó]nicas?\s+)?de\s+exportaci[oó]n", (111,)),
        (
            r"facturas?\s+(?:electr[oó]nicas?\s+)?de\s+exportaci[oó]n|exportaci[oó]n(?:es)?\s+electr[oó]nicas?",
            (110,),
        ),
        (r"liquidaci[oó]n(?:es)?[\s-]+facturas?", (43,)),
        (r"facturas?\s+(?:electr[oó]nicas?\s+)?de\s+compras?|cambio\s+de\s+sujeto", (46,)),
        (
            r"facturas?\s+(?:electr[oó]nicas?\s+)?(?:no\s+afectas?|exentas?)(?:\s+o\s+exentas?)?",
            (34,),
        ),
        (
            r"boletas?\s+(?:electr[oó]nicas?\s+)?(?:no\s+afectas?|exentas?)(?:\s+o\s+exentas?)?",
            (41,),
        ),
        (r"boletas?\s+de\s+honorarios", ()),
        (r"boletas?", (39, 41)),
        (r"gu[ií]as?\s+de\s+despacho", (52,)),
        (r"notas?\s+de\s+d[ée]bito", (56,)),
        (r"notas?\s+de\s+cr[ée]dito", (61,)),
        (r"facturas?\s+electr[oó]nicas?|facturas?\s+afectas?", (33,)),
    )
)
_TYPE_CODE: Final = re.compile(
    r"\b(?:tipos?(?:\s+de)?(?:\s+(?:dte|documentos?))?|dte|TipoDTE)\s*[:=]?\s*(?:n[°º.]*\s*)?((?:\d{2,3}(?:\s*(?:,|y|o|e)\s*)?)+)",
    re.IGNORECASE,
)
DTE_TYPES: Final = frozenset({33, 34, 39, 41, 43, 46, 52, 56, 61, 110, 111, 112})


def references(text: str) -> list[Reference]:
    """Return the texts that a text cites, each once, in their order."""
    found: list[tuple[int, Reference]] = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            number = match[1].replace(".", "").lstrip("0")
            found.append((match.start(), Reference(kind, number, int(match[2] or 0))))
    for match in _LAW.finditer(text):
        word = re.sub(r"[\s.]", "", match[1]).casefold()
        kind = {"dl": "dl", "decretoley": "dl", "ds": "ds", "decretosupremo": "ds"}.get(word, "ley")
        found.append((match.start(), Reference(kind, match[2].replace(".", ""), 0)))
    for match in _FAQ.finditer(text):
        found += ((match.start(), question) for question in _questions(match))
    if match_format := _FORMAT.search(text):
        found.append((match_format.start(), Reference("formato", "dte", 0)))
    found.sort(key=lambda pair: pair[0])
    return list(dict.fromkeys(reference for _, reference in found))


def _questions(match: re.Match[str]) -> list[Reference]:
    """Return the questions of ``001.003.6914``, or of ``001.003.6914 a 001.003.6918``."""
    subject, first = f"{match[1]}.{match[2]}", int(match[3])
    last = int(match[6]) if match[6] and f"{match[4]}.{match[5]}" == subject else first
    numbers = range(first, min(last, first + _LONGEST_RANGE) + 1)
    return [Reference("faq", f"{subject}.{number:04}", 0) for number in numbers]


def fields(text: str) -> set[str]:
    """Return names of XML elements that a text speaks of."""
    return {tagged or camel for tagged, camel in _TAG.findall(text)}


def campos(text: str) -> set[str]:
    """Return the numbers of fields of the format, as ``campo 124`` names them."""
    return {number.upper() for number in _CAMPO.findall(text)}


def dates(text: str) -> list[date]:
    """Return the days that a text names, each once, in their order."""
    found = []
    for match in _DATES.finditer(text):
        if match[1]:
            year, month, day = int(match[3]), _MONTHS[match[2].casefold()], int(match[1])
        elif match[4]:
            year, month, day = int(match[6]), int(match[5]), int(match[4])
        else:
            year, month, day = int(match[7]), int(match[8]), int(match[9])
        with contextlib.suppress(ValueError):
            found.append(date(year, month, day))
    return list(dict.fromkeys(found))


def dte_types(text: str) -> list[int]:
    """Return the codes of the types of DTE that a text speaks of."""
    found: set[int] = set()
    for run in _TYPE_CODE.findall(text):
        found |= {int(code) for code in re.findall(r"\d{2,3}", run)} & DTE_TYPES
    for pattern, types in _TYPES:
        text, count = pattern.subn(" ", text)
        if count:
            found |= set(types)
    return sorted(found)
