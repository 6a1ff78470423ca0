"""The stamp beside the text of its page, and beside the XML it is a print of."""

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from dte.documents.document import Dte
from dte.examining.examination import Case
from dte.formato.tipos import TYPE_NAMES
from dte.impreso import notices
from dte.impreso.timbre import NAMES, Ted
from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import read_xml
from dte.rules.engine import finding_of
from dte.rules.findings import Finding, spell

# A page of an image without text, or with a line of it, says nothing by what it lacks.
LEAST_TEXT = 80
# The schema cuts names in the stamp at 40 characters.
CUT = 40

_MONTHS = (
    "enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre",
    "octubre", "noviembre", "diciembre",
)  # fmt: skip
_IN_XML = {
    "RE": "Encabezado/Emisor/RUTEmisor",
    "TD": "Encabezado/IdDoc/TipoDTE",
    "F": "Encabezado/IdDoc/Folio",
    "FE": "Encabezado/IdDoc/FchEmis",
    "RR": "Encabezado/Receptor/RUTRecep",
    "MNT": "Encabezado/Totales/MntTotal",
}
_NAMES_IN_XML = {"RSR": "Encabezado/Receptor/RznSocRecep", "IT1": "Detalle[1]/NmbItem"}


class Seen(NamedTuple):
    """One datum of the stamp and whether the page says it too; None where that cannot be told."""

    name: str
    value: str
    on_page: bool | None


def beside_page(ted: Ted, text: str) -> list[Seen]:
    """Look for each datum of the stamp in the text of the page."""
    legible = len(text.strip()) >= LEAST_TEXT
    folded = _fold(text)
    packed = re.sub(r"[\s.]", "", folded)
    seen = []
    for name, meaning in NAMES.items():
        value = ted.text(name)
        found = _is_on(name, value, folded, packed) if legible and value else None
        seen.append(Seen(meaning, _shown(ted, name), found))
    return seen


def check_page(ted: Ted, text: str) -> Iterator[Finding]:
    """Yield the data of the stamp that matter and that the page does not say."""
    if len(text.strip()) < LEAST_TEXT:
        return
    folded = _fold(text)
    packed = re.sub(r"[\s.]", "", folded)
    for name in ("RE", "F", "FE", "RR", "MNT"):
        value = ted.text(name)
        if name == "MNT" and not ted.total:  # a guía shows no total
            continue
        if name == "RR" and value in {"66666666-6", "55555555-5"}:  # nobody prints these
            continue
        if value and not _is_on(name, value, folded, packed):
            yield notices.TEXT.at(f"TED/DD/{name}", dato=NAMES[name], timbre=_shown(ted, name))


def _shown(ted: Ted, name: str) -> str:
    if name == "MNT":
        return spell(ted.total) if ted.total is not None else ted.text(name)
    if name == "TD":
        return TYPE_NAMES.get(ted.tipo, ted.text(name))
    return ted.text(name)


def _is_on(name: str, value: str, folded: str, packed: str) -> bool:
    if name == "FE":
        return any(form in folded or form.replace(" ", "") in packed for form in _days(value))
    if name in {"RE", "RR"}:
        return _fold(value) in packed
    if name in {"F", "MNT"}:
        digits = value.lstrip("0") or "0"
        return re.search(rf"(?<!\d)0*{re.escape(digits)}(?!\d)", _digits(folded)) is not None
    if name == "TD":
        return True  # its name says it in too many ways
    return _fold(value)[:15].strip() in folded


def _digits(folded: str) -> str:
    """Drop the points between the thousands of numbers."""
    return re.sub(r"(?<=\d)[.,](?=\d{3}(?!\d))", "", folded)


def _days(value: str) -> list[str]:
    year, _, rest = value.partition("-")
    month, _, day = rest.partition("-")
    if not (year.isdigit() and month.isdigit() and day.isdigit() and 1 <= int(month) <= 12):
        return [value]
    plain, name = str(int(day)), _MONTHS[int(month) - 1]
    short = (f"{day}-{month}-{year}", f"{day}/{month}/{year}", f"{day}.{month}.{year}")
    plainer = (f"{plain}-{int(month)}-{year}", f"{plain}/{int(month)}/{year}")
    words = [f"{one} de {name} {of}{year}" for one in (plain, day) for of in ("de ", "del ", "")]
    brief = [f"{day}-{name[:3]}-{year}", f"{day} {name[:3]} {year}", f"{day}/{month}/{year[2:]}"]
    return [value, *short, *plainer, *words, *brief]


def _fold(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return " ".join(plain.replace("\u2010", "-").split())


def check_xml(ted: Ted, content: bytes, case: Case) -> Iterator[Finding]:
    """Yield how the print differs from the XML given with it."""
    try:
        documents = list(read_xml(content).documents())
    except Unreadable as exc:
        yield notices.XML_UNREADABLE.at("/", motivo=finding_of(exc).message)
        return
    _, tipo, folio = ted.identity
    document = next(
        (one for one in documents if str(one.tipo) == tipo and one.folio == folio), None
    )
    if document is None:
        yield notices.NOT_IN_XML.at("Encabezado/IdDoc/Folio", tipo=tipo, folio=folio)
        return
    yield from _differences(ted, document)


def _differences(ted: Ted, document: Dte) -> Iterator[Finding]:
    for name, path in _IN_XML.items():
        said, there = ted.text(name), document.text(path)
        if said.upper() != there.upper() and (
            document.amount(path) is None or document.amount(path) != ted.fields.amount(name)
        ):
            yield notices.XML.at(path, dato=NAMES[name], timbre=said, xml=there)
    for name, path in _NAMES_IN_XML.items():
        said, there = ted.text(name), document.text(path)
        if said and there and _fold(there)[:CUT].strip() != _fold(said)[:CUT].strip():
            yield notices.XML.at(path, severity="review", dato=NAMES[name], timbre=said, xml=there)
