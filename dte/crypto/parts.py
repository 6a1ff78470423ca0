"""The signature over one part of a file that has several: a cession, a ceded document, a book.

Such parts are signed before they are put together or after, so their canonical bytes are those of their
place in the file or those of the part alone, with or without the SII's namespace (as
measured on files the SII accepted). Every reading says the same as the part that is judged.
"""

import copy
from collections import Counter
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from lxml import etree

from dte.crypto.canonical import Canonical, Namespaces, cut, only_signature, qualified_name, whole
from dte.crypto.signature import Defect, Defects, SignatureCheck, read_signature, verify_value
from dte.formato.elements import children
from dte.formato.namespaces import SII

_AMBIGUOUS = "lo firmado o su firma no se pueden ubicar sin ambigüedad"
_ID_ATTRIBUTES = ("ID", "Id", "id", "{http://www.w3.org/XML/1998/namespace}id")


def count_ids(root: etree._Element) -> Counter[str]:
    """Return how many elements of a file carry each identifier."""
    return Counter(
        value for node in root.iter("*") for name in _ID_ATTRIBUTES if (value := node.get(name))
    )


def verify_part(
    body: etree._Element | None, signature: etree._Element | None, ids: Counter[str]
) -> SignatureCheck:
    """Check one signature over one element, both in the tree of their file.

    Args:
        body: what must be signed, by its attribute ID.
        signature: the Signature beside it.
        ids: ``count_ids`` of the file, which has many parts and is counted once.
    """
    if body is None or signature is None:
        return SignatureCheck.failed(Defect.MISSING, "no viene la firma o lo que debería firmar")
    placed, mark = _in_place(body), _in_place(signature)
    if placed is None or mark is None:
        return SignatureCheck.failed(Defect.WRAPPED, _AMBIGUOUS)
    octets = mark.octets()
    read = read_signature(octets)
    defects = Defects(read.template.defects)
    if Defect.MISSING in defects:
        return SignatureCheck(MappingProxyType(defects), read.template.certificate)
    signed = _bodies(body, placed)
    if read.uri:
        _verify_reference(body, read.uri, ids, defects)
    else:  # '' is all of what the signature stands in, itself left out: more than the part
        signed = _holders(signature)
    if read.digest is None:
        defects.add(Defect.DIGEST, "DigestValue falta o no es base64")
    elif all(reading.sha1(spaces) != read.digest for reading, spaces in signed):
        defects.add(Defect.DIGEST, "DigestValue no corresponde a su contenido")
    verify_value(read, _infos(octets, signature, mark.namespaces), defects)
    return SignatureCheck(MappingProxyType(defects), read.template.certificate)


def signatures_of(holder: etree._Element) -> list[etree._Element]:
    """Return the signatures that stand directly in an element."""
    return children(holder, "Signature")


def _verify_reference(body: etree._Element, uri: str, ids: Counter[str], defects: Defects) -> None:
    target = body.get("ID", "")
    if not target or uri != f"#{target}":
        defects.add(
            Defect.REFERENCE, f"la firma apunta a '{uri[:80]}' y debería a '#{target[:80]}'"
        )
    if ids[target] > 1:
        defects.add(Defect.WRAPPED, f"otro elemento lleva también el ID '{target[:80]}'")


def _in_place(element: etree._Element, namespaces: Namespaces | None = None) -> Canonical | None:
    """Return the canonical element as it reads where the given namespaces are in scope."""
    around: Any = dict(element.nsmap if namespaces is None else namespaces)
    holder = etree.Element(f"{{{around[None]}}}w" if None in around else "w", nsmap=around)
    alone = copy.deepcopy(element)
    alone.tail = None
    holder.append(alone)
    octets = whole(holder)
    return cut(octets, qualified_name(element), around) if octets is not None else None


def _bodies(body: etree._Element, placed: Canonical) -> Iterator[tuple[Canonical, Namespaces]]:
    """Yield the readings of a part: in its place, alone, and without the SII's namespace."""
    yield placed, placed.namespaces
    used: Namespaces = {prefix: uri for prefix, uri in body.nsmap.items() if prefix == body.prefix}
    alone = _in_place(body, used)
    if alone is not None:
        yield alone, alone.namespaces
        yield alone, {**alone.namespaces, None: SII}
        yield alone, {prefix: uri for prefix, uri in alone.namespaces.items() if uri != SII}
    yield placed, {prefix: uri for prefix, uri in placed.namespaces.items() if uri != SII}


def _holders(signature: etree._Element) -> Iterator[tuple[Canonical, Namespaces]]:
    """Yield the readings of the element that a signature stands in, without that signature."""
    holder = signature.getparent()
    if holder is None:
        return
    place = holder.index(signature)
    bare = copy.deepcopy(holder)
    left_out = bare[place]
    if left_out.tail:  # lxml takes the text after an element along with it
        before = left_out.getprevious()
        if before is None:
            bare.text = (bare.text or "") + left_out.tail
        else:
            before.tail = (before.tail or "") + left_out.tail
    bare.remove(left_out)
    placed = _in_place(bare, holder.nsmap)
    if placed is not None:
        yield from _bodies(bare, placed)


def _infos(octets: bytes, signature: etree._Element, namespaces: Namespaces) -> tuple[bytes, ...]:
    """SignedInfo as it reads in its place, and as most emitters sign it: with xmldsig alone."""
    name = f"{signature.prefix}:SignedInfo" if signature.prefix else "SignedInfo"
    info = cut(octets, name, namespaces)
    return () if info is None else (info.octets(), info.octets(only_signature(info.namespaces)))
