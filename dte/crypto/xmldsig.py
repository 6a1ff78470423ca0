"""XML signatures of the SII's format: of one document, and of the envelope that carries documents.

What is verified is what is judged: the reference must name the very element the rules read, that
element and the signature must be the only children, and everything else that could be mistaken for it
is a defect (signature wrapping). Canonical bytes are as measured on documents the
SII accepted:

* a DTE is canonicalised as an isolated fragment, never with what its envelope declares;
* a DTE without a namespace of its own may have been signed with or without the SII's;
* a SetDTE is canonicalised in its place, with what the root declares.
"""

import hashlib
import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

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
    Defect,
    Defects,
    Signature,
    SignatureCheck,
    read_signature,
    verify_value,
)
from dte.formato.elements import child, children, local, parse_or_none
from dte.formato.namespaces import SII, XSI
from dte.formato.tipos import BODIES

_POSES = BODIES | {"Signature", "DTE", "SetDTE"}
_AMBIGUOUS = "lo firmado o su firma no se pueden ubicar sin ambigüedad"
CHANGED: Final = "DigestValue no corresponde a su contenido"
REINDENTED: Final = "se cambiaron los espacios entre etiquetas (sangría) después de firmar"
RECODED: Final = "su texto se codificó otra vez después de firmar"
SIGNED_IN_ENVELOPE: Final = (
    "se firmó dentro del sobre, con su xmlns:xsi, y se debe firmar por separado"
)
_BETWEEN_TAGS = re.compile(rb">\s+<")
_EMPTY_DTE = b"<DTE></DTE>"
_ID_ATTRIBUTES = ("ID", "Id", "id", "{http://www.w3.org/XML/1998/namespace}id")
_PLAIN_ID = re.compile(r"[\w.-]+")  # no escapes: its bytes are the same in canonical form


def verify_document(dte: etree._Element) -> SignatureCheck:
    """Verify the signature of one DTE.

    Args:
        dte: the DTE element, best parsed on its own: inside an envelope a namespace of its own cannot
            be told from the envelope's, and then both readings count.
    """
    body = next((node for node in dte.iterchildren("*") if local(node) in BODIES), None)
    element = child(dte, "Signature")
    if body is None or element is None:
        return SignatureCheck.failed(Defect.MISSING, "el documento no trae firma electrónica")
    alone = isolated(dte)
    document = whole(alone) or b""
    signed = cut(document, qualified_name(body), alone.nsmap)
    mark = cut(document, qualified_name(element), alone.nsmap)
    if mark is None:
        return SignatureCheck.failed(Defect.WRAPPED, _AMBIGUOUS)
    octets = mark.octets()
    signature = read_signature(octets)
    defects = Defects(signature.template.defects)
    assumed = False
    if Defect.MISSING not in defects:
        _verify_reference(dte, body, element, signature, document, defects)
        if signed is None:
            defects.add(Defect.WRAPPED, _AMBIGUOUS)
        else:
            assumed = _verify_digest(signed, signature, alone is not dte, defects)
        verify_value(signature, _readings(octets, element, mark.namespaces), defects)
    return SignatureCheck(MappingProxyType(defects), signature.template.certificate, assumed)


def _verify_reference(
    root: etree._Element,
    body: etree._Element,
    element: etree._Element,
    signature: Signature,
    document: bytes,
    defects: Defects,
) -> None:
    """Note as a defect a reference to anything but ``body``, and whatever could be taken for it."""
    target = body.get("ID", "")
    if not target or signature.uri != f"#{target}":
        defects.add(
            Defect.REFERENCE,
            f"la firma apunta a '{signature.uri[:80]}' y el documento es '#{target[:80]}'",
        )
    # Providers add elements of their own beside the signature (DocPersonalizado): the format forbids
    # them, but only what poses as the document or its signature can deceive.
    for node in children(root):
        if node is body or node is element:
            continue
        pose = next((local(found) for found in node.iter("*") if local(found) in _POSES), None)
        if pose is not None:
            defects.add(Defect.WRAPPED, f"junto a lo firmado hay otro elemento {pose}")
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
        defects.add(Defect.WRAPPED, f"otro elemento lleva el ID '{named[:80]}' que la firma nombra")


def _verify_digest(
    signed: Canonical, signature: Signature, in_envelope: bool, defects: Defects
) -> bool:
    """Check the digest; tell whether it only agrees with a namespace that the DTE does not declare."""
    if signature.digest is None:
        defects.add(Defect.DIGEST, "DigestValue falta o no es base64")
        return False
    own = signed.namespaces.get(None, "")
    with_sii: Namespaces = {**signed.namespaces, None: SII}
    without: Namespaces = {prefix: uri for prefix, uri in signed.namespaces.items() if prefix}
    accepted: Sequence[Namespaces] = (signed.namespaces,)
    if not own:
        accepted = (signed.namespaces, with_sii)
    elif in_envelope and own == SII:
        accepted = (signed.namespaces, without)
    for namespaces in accepted:
        if signed.sha1(namespaces) == signature.digest:
            return namespaces is with_sii
    if signature.digest in {signed.sha1({None: SII}), signed.sha1({}), signed.sha1(without)}:
        defects.add(Defect.NAMESPACE, "se le agregaron xmlns, quizás al extraerlo de su sobre")
    else:
        defects.add(Defect.DIGEST, _why_digest_fails(signed, signature.digest))
    return False


def _why_digest_fails(signed: Canonical, digest: bytes) -> str:
    """Recognise the frequent mistakes: signed in its envelope, indented or coded again afterwards."""
    xsi = {**signed.namespaces, "xsi": XSI}
    if digest in {signed.sha1(xsi), signed.sha1({**xsi, None: SII})}:
        return SIGNED_IN_ENVELOPE
    for octets in (signed.octets(), signed.octets({**signed.namespaces, None: SII})):
        if _sha1(_BETWEEN_TAGS.sub(b"><", octets)) == digest:
            return REINDENTED
        if (decoded := _decoded(octets)) is not None and _sha1(decoded) == digest:
            return RECODED
    return CHANGED


def _decoded(octets: bytes) -> bytes | None:
    """Undo one encoding too many; None where there is none to undo."""
    try:
        return octets.decode().encode("latin-1")
    except UnicodeError:
        return None


def _sha1(octets: bytes) -> bytes:
    return hashlib.sha1(octets, usedforsecurity=False).digest()


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
    """Verify the signature of an EnvioDTE or EnvioBOLETA without holding all of it as a tree.

    Args:
        raw: the file.
        places: start and end of each ``<DTE…</DTE>`` in it, in order.
        encoding: the encoding of the file.
    """
    fragments = [memoryview(raw)[start:end] for start, end in places]
    shell = parse_or_none(_emptied(raw, places), encoding)
    body, element = child(shell, "SetDTE"), child(shell, "Signature")
    if shell is None or body is None or element is None:
        return SignatureCheck.failed(Defect.MISSING, "el sobre no trae firma electrónica")
    document = whole(isolated(shell)) or b""
    outline = cut(document, qualified_name(body), shell.nsmap)
    mark = cut(document, qualified_name(element), shell.nsmap)
    if outline is None or mark is None:
        return SignatureCheck.failed(Defect.WRAPPED, _AMBIGUOUS)
    octets = mark.octets()
    signature = read_signature(octets)
    defects = Defects(signature.template.defects)
    if Defect.MISSING not in defects:
        _verify_reference(shell, body, element, signature, document, defects)
        if signature.digest is None:
            defects.add(Defect.DIGEST, "DigestValue falta o no es base64")
        elif signature.digest != set_digest(outline, fragments, encoding):
            defects.add(Defect.DIGEST, "DigestValue no corresponde a su contenido")
        verify_value(signature, _readings(octets, element, mark.namespaces), defects)
    return SignatureCheck(MappingProxyType(defects), signature.template.certificate)


def set_digest(outline: Canonical, fragments: Sequence[memoryview], encoding: str) -> bytes | None:
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
        placed = parse_or_none(opening + fragment + closing, encoding)
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
