"""What the outlines do not say: attributes no field has, and how a DTE and an envelope are put together.

The schemas fix both; a document with one element too many beside its signature is refused like any other.
"""

from collections.abc import Iterator, Sequence, Set
from functools import cache
from typing import Any

from lxml import etree

from dte.formato.elements import local_name, source_line
from dte.formato.namespaces import SII, XMLDSIG, XSI
from dte.formato.outline import Field
from dte.formato.reading import (
    FOREIGN,
    MAX_PATH,
    REPEATED,
    REQUIRED,
    STRAY_TEXT,
    UNKNOWN,
    UNORDERED,
    Problem,
    XmlReader,
)
from dte.formato.values import compile_check

_XSI = f"{{{XSI}}}"
_SIGNATURE = f"{{{XMLDSIG}}}Signature"
# The schemas fix a decimal: 1.0, however it is written.
_VERSIONS = frozenset({"1.0", "1", "1.00"})
_ATTRIBUTES: Any = etree.XPath("count(descendant-or-self::*/@*)")
_identifier = compile_check("identificador")


def is_current(version: str) -> bool:
    """Tell whether the version that a DTE or an envelope declares is the format's, 1.0."""
    return version.strip() in _VERSIONS


def stray_attributes(
    element: etree._Element, field: Field, reader: XmlReader, prefix: str = ""
) -> Iterator[Problem]:
    """Yield the attributes that no field of the format has.

    Args:
        element: What ``reader`` read.
        field: Its format.
        reader: Counted those it knows; where there are no more, nothing is looked at.
        prefix: Path of the element, with trailing slash.
    """
    if _ATTRIBUTES(element) == reader.attributes:
        return
    known = _known_attributes(field)
    for node in element.iter("*"):
        own = field.attributes if node is element else known.get(local_name(node.tag), ())
        for name in map(str, node.attrib):
            if name not in own and not name.startswith(_XSI):
                path = f"{prefix}{_path(node, element)}@{local_name(name)}"
                yield Problem(path[:MAX_PATH], UNKNOWN, reader.line_of(node))


@cache
def _known_attributes(field: Field) -> dict[str, frozenset[str]]:
    known = {field.name: frozenset(field.attributes)}
    for child in field.children.values():
        known |= _known_attributes(child)
    return known


def _path(node: etree._Element, top: etree._Element) -> str:
    path = ""
    while node is not top:
        path = f"{local_name(node.tag)}/{path}"
        node = node.getparent()  # type: ignore[assignment]  # top is above
    return path


def frame_of_dte(
    element: etree._Element, body: etree._Element, first_line: int
) -> Iterator[Problem]:
    """Yield what is wrong with a DTE outside its body: the format has a signature there, after it."""
    kind = local_name(body.tag)
    yield from _wrong_namespace(body, kind, first_line)
    yield from _misplaced(element, (kind, "Signature"), "DTE", first_line)
    if len(element.attrib) > 1:  # a missing or wrong version is TIP-02's
        yield from _wrong_attributes(element, {"version"}, "DTE", first_line)


def frame_of_envelope(shell: etree._Element, holder: etree._Element) -> Iterator[Problem]:
    """Yield what is wrong with an envelope around its Caratula and its documents.

    Args:
        shell: The root, its documents emptied.
        holder: Its SetDTE; the root itself where that is the SetDTE.
    """
    kind = local_name(shell.tag)
    yield from _wrong_namespace(shell, kind)
    if holder is not shell:
        yield from _wrong_attributes(shell, {"version"}, kind)
        version = shell.get("version", "1.0")
        if not is_current(version):
            yield Problem(f"{kind}/@version", f"vale «{version[:40]}» y debe ser 1.0", 1)
        yield from _misplaced(shell, ("SetDTE", "Signature"), kind)
    yield from _wrong_attributes(holder, {"ID"}, "SetDTE")
    yield from _misplaced(holder, ("Caratula", "DTE"), "SetDTE")
    if holder.find("{*}Caratula") is None:
        yield Problem("SetDTE/Caratula", REQUIRED, source_line(holder))


def _misplaced(
    element: etree._Element, names: Sequence[str], kind: str, first_line: int = 1
) -> Iterator[Problem]:
    """Yield what should not be among the children of ``element``; its first line is the file's."""
    last, seen = -1, set()
    offset = first_line - 1
    if (element.text or "").strip() or any((child.tail or "").strip() for child in element):
        yield Problem(kind, STRAY_TEXT, source_line(element) + offset)
    for child in element.iterchildren("*"):
        name = local_name(child.tag)
        line = source_line(child) + offset
        path = f"{kind}/{name}"[:MAX_PATH]
        if name not in names:
            yield Problem(path, UNKNOWN, line)
            continue
        if name in seen and name != "DTE":
            yield Problem(path, REPEATED, line)
        elif names.index(name) < last:
            yield Problem(path, UNORDERED, line)
        elif name == "Signature" and child.tag != _SIGNATURE:
            yield Problem(path, FOREIGN, line)
        last = names.index(name)
        seen.add(name)


def _wrong_attributes(
    element: etree._Element, names: Set[str], kind: str, first_line: int = 1
) -> Iterator[Problem]:
    """Yield the attributes an element should not have, or lacks; ID must be a name."""
    line = source_line(element) + first_line - 1
    for name in map(str, element.attrib):
        if name not in names and not name.startswith(_XSI):
            yield Problem(f"{kind}/@{local_name(name)}"[:MAX_PATH], UNKNOWN, line)
    for name in sorted(names - set(element.attrib)):
        yield Problem(f"{kind}/@{name}", REQUIRED, line)
    identifier = element.get("ID") if "ID" in names else None
    if identifier is not None and (problem := _identifier(identifier)):
        yield Problem(f"{kind}/@ID", problem, line)


def _wrong_namespace(element: etree._Element, path: str, first_line: int = 1) -> Iterator[Problem]:
    """A document in no namespace is XML-04's: there are accepted ones like that."""
    if etree.QName(element).namespace not in {None, SII}:
        yield Problem(path, FOREIGN, source_line(element) + first_line - 1)
