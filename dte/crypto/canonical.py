"""Canonical bytes (C14N 1.0 without comments) of an element inside its document.

lxml canonicalises whole documents rightly, and elements inside them wrongly (6.1 writes ``xmlns=""`` on
grandchildren). So the document is canonicalised once and the element cut out of the result. What the
cut lacks are the namespaces declared further up, which C14N repeats on the first tag: ``namespaces``
says which, and lets the caller ask for the same element as it reads elsewhere (in its envelope, or
without the SII's namespace). ``xml:`` attributes of ancestors, which C14N also repeats, do not exist in
the SII's format and are not.
"""

import copy
import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from dte.formato.elements import local
from dte.formato.namespaces import XMLDSIG

_ATTRIBUTES = rb'(?:\s[^\s=]+="[^"]*")*'
_START_TAG = re.compile(rb"<([^\s<>]+)(" + _ATTRIBUTES + rb")>")
_DECLARATION = re.compile(rb'\sxmlns(?::([^\s=]+))?="([^"]*)"')

Namespaces = Mapping[str | None, str]


@dataclass(frozen=True, slots=True)
class Canonical:
    """An element in canonical form, its namespace declarations apart."""

    name: bytes
    attributes: bytes
    rest: memoryview
    """Everything after the first tag."""
    namespaces: Namespaces
    """What is in scope at the element."""

    def start(self, namespaces: Namespaces) -> bytes:
        """Return the first tag with these declarations."""
        declared = b"".join(
            (
                f' xmlns:{prefix}="{_escaped(uri)}"' if prefix else f' xmlns="{_escaped(uri)}"'
            ).encode()
            for prefix, uri in sorted(namespaces.items(), key=lambda item: item[0] or "")
            if uri
        )
        return b"<" + self.name + declared + self.attributes + b">"

    def sha1(self, namespaces: Namespaces | None = None) -> bytes:
        """Return the SHA-1 digest with the namespaces in scope, or with others instead."""
        shown = self.namespaces if namespaces is None else namespaces
        digest = hashlib.sha1(self.start(shown), usedforsecurity=False)
        digest.update(self.rest)
        return digest.digest()

    def octets(self, namespaces: Namespaces | None = None) -> bytes:
        """Return the bytes with the namespaces in scope, or with others instead."""
        shown = self.namespaces if namespaces is None else namespaces
        return self.start(shown) + bytes(self.rest)


def _escaped(uri: str) -> str:
    return uri.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def whole(root: etree._Element) -> bytes | None:
    """Return the canonical bytes of a document, or None when it has none (relative namespaces)."""
    try:
        return etree.tostring(root, method="c14n", with_comments=False)
    except etree.C14NError:
        return None


def isolated(element: etree._Element) -> etree._Element:
    """Return the element as the root of a document of its own: itself when it already is."""
    if element.getparent() is None and element.getprevious() is None and element.getnext() is None:
        return element
    alone = copy.deepcopy(element)
    alone.tail = None
    return alone


def cut(document: bytes, name: str, inherited: Namespaces) -> Canonical | None:
    """Return the one element of that name out of canonical bytes.

    A name that occurs more than once (as an element, or inside a processing instruction) has no certain
    place in the bytes: the answer is None and the signature does not verify.

    Args:
        document: canonical bytes.
        name: the element's name as written, with its prefix.
        inherited: the namespaces in scope around it.
    """
    opening, closing = f"<{name}".encode(), f"</{name}>".encode()
    start = document.find(opening)
    end = document.find(closing)
    tag = _START_TAG.match(document, start) if start >= 0 else None
    if tag is None or tag[1] != opening[1:] or end < 0 or document.find(closing, end + 1) >= 0:
        return None
    if (
        document.find(opening + b">", start + 1) >= 0
        or document.find(opening + b" ", start + 1) >= 0
    ):
        return None
    attributes = tag[2]
    namespaces = dict(inherited)
    if b" xmlns" in attributes:
        for prefix, uri in _DECLARATION.findall(attributes):
            namespaces[prefix.decode() or None] = html.unescape(uri.decode())
        attributes = _DECLARATION.sub(b"", attributes)
    rest = memoryview(document)[tag.end() : end + len(closing)]
    return Canonical(opening[1:], attributes, rest, namespaces)


def qualified_name(element: etree._Element) -> str:
    """Return the element's name as written: with its prefix."""
    name = local(element)
    return f"{element.prefix}:{name}" if element.prefix else name


def only_signature(namespaces: Namespaces) -> Namespaces:
    """Return the namespaces an isolated ``SignedInfo`` sees: that of XML signatures alone."""
    return {prefix: uri for prefix, uri in namespaces.items() if uri == XMLDSIG}
