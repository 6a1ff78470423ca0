"""Reading an XML file of any kind as one tree, with the limits of documents and a lenient encoding.

Files of the SII come without declaring ISO-8859-1, and people save them in UTF-8 without changing the
declaration. What is read that way is told apart, for the kind to say.
"""

import re
from dataclasses import dataclass

from lxml import etree

from dte.documents.document import LATIN_1
from dte.formato.elements import parser
from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS

_ENCODINGS = LATIN_1 | {
    "utf-8",
    "utf8",
    "us-ascii",
    "ascii",
    "iso-8859-15",
    "windows-1252",
    "cp1252",
}
_DECLARATION = re.compile(rb"\s*<\?xml\s[^>]*?\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z][\w.-]{0,40})["']""")


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed file."""

    root: etree._Element
    encoding: str
    """In which it was read."""
    declared: str
    """Which it declares, lower case; ``""`` for none."""
    marked: bool
    """Whether it begins with a byte order mark."""
    raw: bytes
    """The bytes that were parsed: without byte order mark and leading blanks, never UTF-16."""


def read_tree(content: bytes) -> Tree:
    """Parse a file.

    Raises:
        Unreadable: XML-01 (not XML), XML-02 (DOCTYPE) or XML-07 (a limit).
    """
    if len(content) > MAX_BYTES:
        raise Unreadable("XML-07", exceso=f"pesa {len(content)} bytes y el máximo es {MAX_BYTES}")
    raw, declared, marked = _to_ascii_markup(content)
    if b"<!DOCTYPE" in raw:
        raise Unreadable("XML-02", line=raw.count(b"\n", 0, raw.index(b"<!DOCTYPE")) + 1)
    if raw.count(b"<") - raw.count(b"</") > MAX_ELEMENTS:
        raise Unreadable("XML-07", exceso=f"trae más de {MAX_ELEMENTS} etiquetas")
    encoding = _encoding(raw, declared)
    root = _parse(raw, encoding)
    if _too_deep(root):
        raise Unreadable("XML-07", exceso=f"tiene más de {MAX_DEPTH} niveles")
    return Tree(root, encoding, declared, marked, raw)


def _to_ascii_markup(content: bytes) -> tuple[bytes, str, bool]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            text = content.decode("utf-16")
        except UnicodeDecodeError as exc:
            raise Unreadable(
                "XML-01", line=1, motivo="no es UTF-16, aunque empieza como si lo fuera"
            ) from exc
        raw = text.lstrip().encode("utf-8")
        return _DECLARATION.sub(b"", raw, count=1), "utf-16", True
    marked = content.startswith(b"\xef\xbb\xbf")
    raw = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    declaration = _DECLARATION.match(raw)
    named = _ENCODING.search(declaration[0]) if declaration else None
    declared = named[1].decode("ascii").lower() if named else ""
    if declared and declared not in _ENCODINGS:
        raise Unreadable("XML-01", line=1, motivo=f"no se admite la codificación «{declared}»")
    return raw, declared, marked


def _encoding(raw: bytes, declared: str) -> str:
    """Return what it declares, or what it must be where its bytes say otherwise."""
    if declared in {"", "utf-8", "utf8", "utf-16", "ascii", "us-ascii"}:
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            return "iso-8859-1"
        return "utf-8"
    return declared


def _parse(raw: bytes, encoding: str) -> etree._Element:
    try:
        root = etree.fromstring(raw, parser(encoding))
    except etree.XMLSyntaxError as exc:
        if "depth" in str(exc):
            raise Unreadable(
                "XML-07", line=exc.lineno, exceso=f"tiene más de {MAX_DEPTH} niveles"
            ) from exc
        raise Unreadable("XML-01", line=exc.lineno, motivo=_reason(exc)) from exc
    if root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("XML-02", line=1)
    return root


def _reason(exc: etree.XMLSyntaxError) -> str:
    code: int = getattr(exc, "code", 0)  # the stubs do not know it
    return _REASONS.get(code, "hay un error de sintaxis")


_REASONS = {
    etree.ErrorTypes.ERR_DOCUMENT_EMPTY: "el archivo está vacío",
    etree.ErrorTypes.ERR_DOCUMENT_END: "sobra contenido después del último elemento",
    etree.ErrorTypes.ERR_TAG_NAME_MISMATCH: "una etiqueta de cierre no corresponde a la abierta",
    etree.ErrorTypes.ERR_TAG_NOT_FINISHED: "falta cerrar una etiqueta, o el archivo llegó cortado",
    etree.ErrorTypes.ERR_NAME_REQUIRED: "hay un «<» o «&» sin escapar",
    etree.ErrorTypes.ERR_ENTITYREF_SEMICOL_MISSING: "hay un «&» sin escapar",
    etree.ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE: "usa un prefijo sin declarar",
}


def _too_deep(root: etree._Element) -> bool:
    level, depth = [root], 1
    while level:
        if depth > MAX_DEPTH:
            return True
        level = [node for parent in level for node in parent]
        depth += 1
    return False
