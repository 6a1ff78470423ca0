"""Elements of an XML document: read without trusting the file, asked by local name.

Checks accept documents that lost the SII's namespace, so names are compared without theirs.
"""

import threading
from typing import Any

from lxml import etree

_parsers = threading.local()
# Clark names are interned by libxml2; splitting each one once is enough.
_local_names: dict[str, str] = {}


def parser(encoding: str | None = None) -> etree.XMLParser:
    """Return the parser for files that nobody vouches for: no entities, no network, no huge trees.

    One per thread and encoding: lxml serialises threads that share one.

    Args:
        encoding: Of the bytes, whatever they declare; a name nobody knows leaves it to them.
    """
    cache: dict[str | None, etree.XMLParser] = _parsers.__dict__.setdefault("by_encoding", {})
    found = cache.get(encoding)
    if found is None:
        found = cache[encoding] = _new_parser(encoding)
    return found


def _new_parser(encoding: str | None) -> etree.XMLParser:
    try:
        return etree.XMLParser(
            encoding=encoding,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            collect_ids=False,
        )
    except LookupError:
        return parser()


def parse_or_none(octets: bytes | str, encoding: str | None = None) -> etree._Element | None:
    """Return the root of a document, or None when it is not one."""
    try:
        return etree.fromstring(octets, parser(encoding))
    except (etree.XMLSyntaxError, ValueError):
        return None


def local_name(tag: str) -> str:
    """Return a tag without its namespace."""
    name = _local_names.get(tag)
    if name is None:
        name = tag.rpartition("}")[2]
        if len(_local_names) < 5000:
            _local_names[tag] = name
    return name


def local(element: etree._Element) -> str:
    """Return an element's local name; ``""`` for a comment or processing instruction."""
    tag = element.tag
    return local_name(tag) if isinstance(tag, str) else ""


def children(element: etree._Element, name: str = "") -> list[etree._Element]:
    """Return the child elements, all or those of a local name: no comments, no instructions."""
    return list(element.iterchildren("{*}" + name if name else "*"))


def child(element: etree._Element | None, *path: str) -> etree._Element | None:
    """Return the first descendant reached by local names, or None."""
    for name in path:
        if element is None:
            return None
        element = next(element.iterchildren("{*}" + name), None)
    return element


def text(element: etree._Element | None, *path: str) -> str:
    """Return the stripped text of the element at ``path``, ``""`` when there is none."""
    found = child(element, *path)
    return (found.text or "").strip() if found is not None else ""


def namespace_of(element: etree._Element) -> str:
    """Return the namespace an element is in; ``""`` for none."""
    return etree.QName(element).namespace or ""


def source_line(element: etree._Element) -> int:
    """Return the line an element begins at; the stubs of lxml do not type it."""
    line: Any = element.sourceline
    return line or 1
