"""An AEC taken apart: its cover, the document that is ceded, and the cessions in their order."""

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime

from lxml import etree

from dte.crypto import SignatureCheck, count_ids, signatures_of, verify_part
from dte.documents.document import Dte, Values
from dte.examining.tree import Tree
from dte.formato.elements import child, children, source_line, text
from dte.formato.reading import Problem
from dte.formato.structure import MAYBE, ONCE, Times, frame, read_part
from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import read_xml
from dte.rules.engine import finding_of, judge
from dte.rules.findings import Finding
from dte.rules.registry import Context

MOST_CESSIONS = 40
_DOCUMENT = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?DTE[\s>]")
_END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?DTE\s*>")


@dataclass(slots=True)
class Cession:
    """One Cesion, with the checks of its signatures."""

    number: int
    """Its place, from 1."""
    values: Values
    line: int
    signatures: list[SignatureCheck]

    @property
    def assignor(self) -> str:
        """RUT of the cedente."""
        return self.values.text("Cedente/RUT")

    @property
    def assignee(self) -> str:
        """RUT of the cesionario."""
        return self.values.text("Cesionario/RUT")

    @property
    def path(self) -> str:
        """Where it stands in the file."""
        return f"Cesiones/Cesion[{self.number}]/DocumentoCesion"


@dataclass(slots=True)
class Receipt:
    """A Recibo of goods or services inside the AEC."""

    number: int
    values: dict[str, str]
    check: SignatureCheck


@dataclass(slots=True)
class Aec:
    """An AEC as far as it can be read."""

    cover: Values
    cessions: list[Cession]
    document: Dte | None
    document_findings: list[Finding]
    """What rejects the ceded document itself."""
    unreadable: str
    """Why the ceded document cannot be read; empty where it can."""
    receipts: list[Receipt]
    images: dict[str, str]
    ceded_at: datetime | None
    whole: SignatureCheck
    ceded: SignatureCheck
    problems: list[Problem] = field(default_factory=list)


def read_aec(tree: Tree, as_of: datetime) -> Aec:
    """Take an AEC apart; what does not fit the schema is among the problems."""
    root = tree.root
    body = child(root, "DocumentoAEC")
    ceded = child(body, "Cesiones", "DTECedido")
    holder = child(ceded, "DocumentoDTECedido")
    problems = list(_frames(root, body, ceded, holder))
    ids = count_ids(root)
    cover = child(body, "Caratula")
    cover_data = read_part(cover, "aec", "Caratula", problems) if cover is not None else {}
    cessions = [
        _cession(element, number, ids, problems)
        for number, element in enumerate(_cessions(body)[:MOST_CESSIONS], 1)
    ]
    document, findings, unreadable = _document(tree, holder, as_of)
    return Aec(
        cover=Values(cover_data),
        cessions=cessions,
        document=document,
        document_findings=findings,
        unreadable=unreadable,
        receipts=_receipts(holder, ids),
        images={
            name: text(holder, name) for name in ("ImagenDTE", "ImagenAR") if text(holder, name)
        },
        ceded_at=Values({"at": text(holder, "TmstFirma")}).moment("at"),
        whole=verify_part(body, child(root, "Signature"), ids),
        ceded=verify_part(holder, child(ceded, "Signature"), ids),
        problems=problems,
    )


def _frames(
    root: etree._Element,
    body: etree._Element | None,
    ceded: etree._Element | None,
    holder: etree._Element | None,
) -> list[Problem]:
    problems = list(frame(root, "AEC", {"DocumentoAEC": ONCE, "Signature": ONCE}, ("version",)))
    if body is None:
        return problems
    problems += frame(body, "DocumentoAEC", {"Caratula": ONCE, "Cesiones": ONCE}, ("ID",))
    inside = child(body, "Cesiones")
    if inside is not None:
        parts = {"DTECedido": ONCE, "Cesion": Times(1, MOST_CESSIONS)}
        problems += frame(inside, "Cesiones", parts)
    if ceded is not None:
        parts = {"DocumentoDTECedido": ONCE, "Signature": ONCE}
        problems += frame(ceded, "Cesiones/DTECedido", parts, ("version",))
    if holder is not None:
        parts = {
            "DTE": ONCE,
            "ImagenDTE": MAYBE,
            "Recibo": Times(0, 40),
            "ImagenAR": MAYBE,
            "TmstFirma": ONCE,
        }
        path = "Cesiones/DTECedido/DocumentoDTECedido"
        problems += frame(holder, path, parts, ("ID",))
    return problems


def _cessions(body: etree._Element | None) -> list[etree._Element]:
    inside = child(body, "Cesiones")
    return children(inside, "Cesion") if inside is not None else []


def _cession(
    element: etree._Element, number: int, ids: Counter[str], problems: list[Problem]
) -> Cession:
    path = f"Cesiones/Cesion[{number}]"
    parts = {"DocumentoCesion": ONCE, "Signature": Times(1, 3)}
    problems += frame(element, path, parts, ("version",))
    body = child(element, "DocumentoCesion")
    data: dict[str, object] = {}
    if body is not None:
        data = read_part(body, "cesion", f"{path}/DocumentoCesion", problems)
    checks = [verify_part(body, mark, ids) for mark in signatures_of(element)[:3]]
    return Cession(number, Values(data), source_line(element), checks)


def _document(
    tree: Tree, holder: etree._Element | None, as_of: datetime
) -> tuple[Dte | None, list[Finding], str]:
    """Judge the ceded document alone, as whoever received it would; only what rejects it counts."""
    begin = _DOCUMENT.search(tree.raw)
    end = max((found.end() for found in _END.finditer(tree.raw)), default=0)
    if child(holder, "DTE") is None or begin is None or not end:
        return None, [], "el AEC no lo trae"
    declaration = f'<?xml version="1.0" encoding="{tree.encoding}"?>\n'.encode()
    try:
        file = read_xml(declaration + tree.raw[begin.start() : end])
        document = next(file.documents())
        context = Context(as_of=as_of, mode="reception")
        found = [one for one in judge(document, context) if one.severity == "reject"]
    except Unreadable as exc:
        return None, [], finding_of(exc).message
    place = "Cesiones/DTECedido/DocumentoDTECedido/DTE/"
    return document, [replace(one, path=place + one.path, line=None) for one in found], ""


def _receipts(holder: etree._Element | None, ids: Counter[str]) -> list[Receipt]:
    found = children(holder, "Recibo")[:40] if holder is not None else []
    names = ("TipoDoc", "Folio", "RUTEmisor", "RUTRecep", "MntTotal", "RutFirma", "TmstFirmaRecibo")
    return [
        Receipt(
            number,
            {name: text(receipt, "DocumentoRecibo", name) for name in names},
            verify_part(child(receipt, "DocumentoRecibo"), child(receipt, "Signature"), ids),
        )
        for number, receipt in enumerate(found, 1)
    ]
