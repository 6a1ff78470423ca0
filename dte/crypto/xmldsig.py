"""XML signatures of the SII's format: of one document, and of the envelope that carries documents.

What is verified is what is judged: the reference must name the very element the rules read, that
element and the signature must be the only children, and everything else that could be mistaken for it
is a fault (signature wrapping). Canonical bytes follow dte_rules section 2, measured on documents the
SII accepted:

* a DTE is canonicalised as an isolated fragment, never with what its envelope declares;
* a DTE without a namespace of its own may have been signed with or without the SII's;
* a SetDTE is canonicalised in its place, with what the root declares.
"""

import hashlib
import re
from collections.abc import Sequence
from types import MappingProxyType

from lxml import etree

from dte.crypto.canonical import (
    Canonical,
    Namespaces,
    cut,
    isolated,
    only_signature,
    qualified_name,
    whole,
)
from dte.crypto.signature import (
    Fault,
    Faults,
    Signature,
    SignatureCheck,
    read_signature,
    verify_value,
)
from dte.crypto.xml import child, children, local
from dte.formato.namespaces import SII, XSI

BODIES = frozenset({"Documento", "Liquidacion", "Exportaciones"})
_POSES = BODIES | {"Signature", "DTE", "SetDTE"}
_AMBIGUOUS = "lo firmado o su firma no se pueden ubicar sin ambigüedad"
_EMPTY_DTE = b"<DTE></DTE>"
_ID_ATTRIBUTES = ("ID", "Id", "id", "{http://www.w3.org/XML/1998/namespace}id")
_PLAIN_ID = re.compile(r"[\w.-]+")  # no escapes: its bytes are the same in canonical form


def verify_document(dte: etree._Element) -> SignatureCheck:
    """Check the signature of one DTE.

    Args:
        dte: the DTE element, best parsed on its own: inside an envelope a namespace of its own cannot
            be told from the envelope's, and then both readings count.
    """
    body = next((node for node in dte.iterchildren("*") if local(node) in BODIES), None)
    element = child(dte, "Signature")
    if body is None or element is None:
        return SignatureCheck.failed(Fault.MISSING, "el documento no trae firma electrónica")
    alone = isolated(dte)
    document = whole(alone) or b""
    signed = cut(document, qualified_name(body), alone.nsmap)
    mark = cut(document, qualified_name(element), alone.nsmap)
    if mark is None:
        return SignatureCheck.failed(Fault.WRAPPED, _AMBIGUOUS)
    octets = mark.octets()
    signature = read_signature(octets)
    faults = Faults(signature.form.faults)
    if Fault.MISSING not in faults:
        _verify_reference(dte, body, element, signature, document, faults)
        if signed is None:
            faults.add(Fault.WRAPPED, _AMBIGUOUS)
        else:
            _verify_digest(signed, signature, alone is not dte, faults)
        verify_value(signature, _readings(octets, element, mark.namespaces), faults)
    return SignatureCheck(MappingProxyType(faults), signature.form.certificate)


def _verify_reference(
    root: etree._Element,
    body: etree._Element,
    element: etree._Element,
    signature: Signature,
    document: bytes,
    faults: Faults,
) -> None:
    """Fault a reference to anything but ``body``, and whatever could be taken for it."""
    target = body.get("ID", "")
    if not target or signature.uri != f"#{target}":
        faults.add(
            Fault.REFERENCE,
            f"la firma apunta a '{signature.uri[:80]}' y el documento es '#{target[:80]}'",
        )
    # Providers add elements of their own beside the signature (DocPersonalizado): the format forbids
    # them, but only what poses as the document or its signature can deceive.
    for node in children(root):
        if node is body or node is element:
            continue
        pose = next((local(found) for found in node.iter("*") if local(found) in _POSES), None)
        if pose is not None:
            faults.add(Fault.WRAPPED, f"junto a lo firmado hay otro elemento {pose}")
    named = signature.uri.removeprefix("#")
    # Most documents are cleared by one look at the bytes; a walk settles the others.
    if _PLAIN_ID.fullmatch(named) and document.count(f'="{named}"'.encode()) <= 1:
        return
    holders = (
        node
        for node in root.iter("*")
        if any(node.get(attribute) == named for attribute in _ID_ATTRIBUTES)
    )
    if any(node is not body for node in holders):
        faults.add(Fault.WRAPPED, f"otro elemento lleva el ID '{named[:80]}' que la firma nombra")


def _verify_digest(
    signed: Canonical, signature: Signature, in_envelope: bool, faults: Faults
) -> None:
    if signature.digest is None:
        faults.add(Fault.DIGEST, "DigestValue falta o no es base64")
        return
    own = signed.namespaces.get(None, "")
    with_sii: Namespaces = {**signed.namespaces, None: SII}
    without: Namespaces = {prefix: uri for prefix, uri in signed.namespaces.items() if prefix}
    accepted: Sequence[Namespaces] = (signed.namespaces,)
    if not own:
        accepted = (signed.namespaces, with_sii)
    elif in_envelope and own == SII:
        accepted = (signed.namespaces, without)
    if any(signed.sha1(namespaces) == signature.digest for namespaces in accepted):
        return
    if signature.digest in {signed.sha1({None: SII}), signed.sha1({}), signed.sha1(without)}:
        faults.add(Fault.NAMESPACE, "se le agregaron xmlns, quizás al extraerlo de su sobre")
    else:
        faults.add(Fault.DIGEST, _why_digest_fails(signed, signature.digest))


def _why_digest_fails(signed: Canonical, digest: bytes) -> str:
    """Recognise the frequent mistake of signing a document where it stands in its envelope."""
    xsi = {**signed.namespaces, "xsi": XSI}
    if digest in {signed.sha1(xsi), signed.sha1({**xsi, None: SII})}:
        return "se firmó dentro del sobre, con su xmlns:xsi, y se debe firmar por separado"
    return "DigestValue no corresponde a su contenido"


def _readings(octets: bytes, element: etree._Element, namespaces: Namespaces) -> tuple[bytes, ...]:
    """SignedInfo as it reads in its place, and as most emitters sign it: with xmldsig alone."""
    name = f"{element.prefix}:SignedInfo" if element.prefix else "SignedInfo"
    info = cut(octets, name, namespaces)
    if info is None:
        return ()
    alone = only_signature(info.namespaces)
    if alone == info.namespaces:
        return (info.octets(),)
    return (info.octets(), info.octets(alone))


def verify_envelope(
    raw: bytes, places: Sequence[tuple[int, int]], encoding: str = "ISO-8859-1"
) -> SignatureCheck:
    """Check the signature of an EnvioDTE or EnvioBOLETA without holding all of it as a tree.

    Args:
        raw: the file.
        places: start and end of each ``<DTE…</DTE>`` in it, in order.
        encoding: the encoding of the file.
    """
    parser = _parser(encoding)
    fragments = [memoryview(raw)[start:end] for start, end in places]
    shell = _parse(_emptied(raw, places), parser)
    body, element = child(shell, "SetDTE"), child(shell, "Signature")
    if shell is None or body is None or element is None:
        return SignatureCheck.failed(Fault.MISSING, "el sobre no trae firma electrónica")
    document = whole(isolated(shell)) or b""
    outline = cut(document, qualified_name(body), shell.nsmap)
    mark = cut(document, qualified_name(element), shell.nsmap)
    if outline is None or mark is None:
        return SignatureCheck.failed(Fault.WRAPPED, _AMBIGUOUS)
    octets = mark.octets()
    signature = read_signature(octets)
    faults = Faults(signature.form.faults)
    if Fault.MISSING not in faults:
        _verify_reference(shell, body, element, signature, document, faults)
        if signature.digest is None:
            faults.add(Fault.DIGEST, "DigestValue falta o no es base64")
        elif signature.digest != set_digest(outline, fragments, parser):
            faults.add(Fault.DIGEST, "DigestValue no corresponde a su contenido")
        verify_value(signature, _readings(octets, element, mark.namespaces), faults)
    return SignatureCheck(MappingProxyType(faults), signature.form.certificate)


def set_digest(
    outline: Canonical, fragments: Sequence[memoryview], parser: etree.XMLParser
) -> bytes | None:
    """Return the SHA-1 of a SetDTE with each empty DTE of its outline replaced by its document.

    None when a document cannot be parsed in its place, or there are not as many as places.
    """
    pieces = outline.octets().split(_EMPTY_DTE)
    if len(pieces) != len(fragments) + 1:
        return None
    # A document is canonicalised inside a bare SetDTE that declares what the real one sees.
    opening = Canonical(b"SetDTE", b"", memoryview(b""), outline.namespaces).octets()
    closing = b"</SetDTE>"
    hashed = hashlib.sha1(pieces[0], usedforsecurity=False)
    for fragment, piece in zip(fragments, pieces[1:], strict=True):
        placed = _parse(opening + fragment + closing, parser)
        octets = whole(placed) if placed is not None else None
        if octets is None:
            return None
        hashed.update(memoryview(octets)[len(opening) : -len(closing)])
        hashed.update(piece)
    return hashed.digest()


def _emptied(raw: bytes, places: Sequence[tuple[int, int]]) -> bytes:
    """Return the file with an empty DTE in the place of each document."""
    parts: list[bytes] = []
    position = 0
    for start, end in places:
        parts += [raw[position:start], b"<DTE/>"]
        position = end
    return b"".join([*parts, raw[position:]])


def _parser(encoding: str) -> etree.XMLParser:
    try:
        return etree.XMLParser(
            encoding=encoding, resolve_entities=False, no_network=True, load_dtd=False
        )
    except LookupError:
        return etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)


def _parse(octets: bytes, parser: etree.XMLParser) -> etree._Element | None:
    try:
        return etree.fromstring(octets, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
