"""Reading an XML signature: its parts, or what is wrong with them, before any arithmetic."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from lxml import etree

from dte.crypto.certificate import Certificate, read_certificate
from dte.crypto.profile import deviations
from dte.crypto.rsa import PublicKey, decode_base64, key_from_base64
from dte.formato.elements import child, children, local, parse_or_none, text
from dte.formato.namespaces import XMLDSIG

C14N: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
RSA_SHA1: Final = f"{XMLDSIG}rsa-sha1"
SHA1: Final = f"{XMLDSIG}sha1"
# Neither changes what is signed: C14N is applied anyway, and the signature stands outside what it signs.
TRANSFORMS: Final = frozenset({C14N, f"{XMLDSIG}enveloped-signature"})

# The three values that differ from one signature to the next, as canonical form writes them.
_URI = re.compile(rb'<Reference URI="([^"]*)">')
_DIGEST = re.compile(rb"<DigestValue>([^<]*)</DigestValue>")
_VALUE = re.compile(rb"<SignatureValue>([^<]*)</SignatureValue>")

# xmldsignature_v10.xsd: SignatureType is exactly this sequence.
_PARTS = ("SignedInfo", "SignatureValue", "KeyInfo")


class Defect(StrEnum):
    """What can be wrong with a signature; one signature may have several defects."""

    MISSING = "missing"
    REFERENCE = "reference"
    """Reference/@URI does not name the element that is being judged."""
    WRAPPED = "wrapped"
    """Something in the file could be taken for the signed element, or stands around it."""
    ALGORITHM = "algorithm"
    DIGEST = "digest"
    """The element changed after it was signed."""
    NAMESPACE = "namespace"
    """The element is as it was signed but for a namespace declaration that was added."""
    VALUE = "value"
    """SignatureValue is not the signer's."""
    KEY_MISMATCH = "key_mismatch"
    """KeyValue is not the key of the certificate."""
    UNREADABLE = "unreadable"
    """The certificate or the key is not one."""
    PROFILE = "profile"
    """Its inside is not what the SII's schema prescribes; ``dte.crypto.profile`` says where."""


class Defects(dict[Defect, str]):
    """The defects found, each with the Spanish reason that was noticed first."""

    def add(self, defect: Defect, reason: str) -> None:
        """Note a defect unless it is already known."""
        self.setdefault(defect, reason)


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """The result of checking one XML signature."""

    defects: MappingProxyType[Defect, str]
    certificate: Certificate | None = None
    assumed_namespace: bool = False
    """The digest was taken with the SII's namespace, which the element itself does not declare."""

    @property
    def valid(self) -> bool:
        """Tell whether nothing at all is wrong with it."""
        return not self.defects

    @classmethod
    def failed(cls, defect: Defect, reason: str) -> "SignatureCheck":
        """Return the check of a signature that could not be looked at further."""
        return cls(MappingProxyType({defect: reason}))


@dataclass(frozen=True, slots=True)
class Template:
    """What the signatures of one signer have in common: everything but the three values."""

    defects: MappingProxyType[Defect, str]
    key: PublicKey | None
    """KeyInfo/KeyValue/RSAKeyValue."""
    certificate: Certificate | None


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature taken apart; what is missing or unreadable is None."""

    template: Template
    uri: str
    """Reference/@URI: what the signature says it signs."""
    digest: bytes | None
    value: bytes | None


def read_signature(octets: bytes) -> Signature:
    """Take a signature apart.

    Args:
        octets: the Signature element in canonical form.
    """
    values: list[str] = []
    frame: list[bytes] = []
    position = 0
    for pattern in (_URI, _DIGEST, _VALUE):
        found = pattern.search(octets, position)
        if found is None:
            return _read_tree(octets)
        # Signers on Windows write line ends that canonical form escapes.
        values.append(found[1].decode("utf-8", errors="replace").replace("&#xD;", ""))
        frame.append(octets[position : found.start(1)])
        position = found.end(1)
    frame.append(octets[position:])
    uri, digest, value = values
    return Signature(
        template=_template(b"".join(frame)),
        uri=uri,
        digest=decode_base64(digest, 200),
        value=decode_base64(value, 2000),
    )


def _read_tree(octets: bytes) -> Signature:
    """Take apart a signature of unusual form (a prefix, a missing part)."""
    element = parse_or_none(octets)
    reference = child(element, "SignedInfo", "Reference")
    return Signature(
        template=_read_template(element),
        uri=reference.get("URI", "") if reference is not None else "",
        digest=decode_base64(text(reference, "DigestValue"), 200),
        value=decode_base64(text(element, "SignatureValue"), 2000),
    )


@lru_cache(maxsize=256)
def _template(frame: bytes) -> Template:
    """Signers sign thousands of documents: their form, key and certificate are read once."""
    return _read_template(parse_or_none(frame))


def _read_template(element: etree._Element | None) -> Template:
    defects = Defects()
    info = child(element, "SignedInfo")
    if element is None or info is None:
        defects.add(Defect.MISSING, "la firma no trae SignedInfo")
        return Template(MappingProxyType(defects), None, None)
    _read_children(element, defects)
    if (first := next(deviations(element), None)) is not None:
        defects.add(Defect.PROFILE, first.reason)
    _read_algorithms(info, _reference(info, defects), defects)
    key, certificate = _key(element, defects), _certificate(element, defects)
    certified = certificate.key if certificate else None
    if key is not None and certified is not None and key != certified:
        defects.add(Defect.KEY_MISMATCH, "KeyValue y el certificado contienen llaves distintas")
    return Template(MappingProxyType(defects), key, certificate)


def _read_children(element: etree._Element, defects: Defects) -> None:
    names = tuple(local(node) for node in children(element))
    if names != _PARTS:
        extra = sorted(set(names) - set(_PARTS))
        if extra or len(names) > len(_PARTS):
            shown = ", ".join(name[:30] for name in (extra or names)[:5])
            defects.add(Defect.WRAPPED, f"la firma trae elementos de más: {shown}")


def _reference(signed_info: etree._Element, defects: Defects) -> etree._Element | None:
    found = list(signed_info.iterchildren("{*}Reference"))
    if not found:
        defects.add(Defect.REFERENCE, "la firma no dice qué elemento firma")
        return None
    if len(found) > 1:
        defects.add(Defect.WRAPPED, "la firma cubre más de un elemento")
    return found[0]


def _read_algorithms(
    signed_info: etree._Element, reference: etree._Element | None, defects: Defects
) -> None:
    named = (
        (child(signed_info, "CanonicalizationMethod"), C14N),
        (child(signed_info, "SignatureMethod"), RSA_SHA1),
        (child(reference, "DigestMethod"), SHA1),
    )
    for element, expected in named:
        algorithm = element.get("Algorithm", "") if element is not None else ""
        if algorithm != expected:
            defects.add(Defect.ALGORITHM, f"'{algorithm[:80]}' en vez de '{expected}'")
    transforms = child(reference, "Transforms")
    for element in children(transforms) if transforms is not None else ():
        algorithm = element.get("Algorithm", "")
        if algorithm not in TRANSFORMS or len(element):
            defects.add(Defect.ALGORITHM, f"la transformación '{algorithm[:80]}' no está permitida")


def _key(element: etree._Element, defects: Defects) -> PublicKey | None:
    pair = child(element, "KeyInfo", "KeyValue", "RSAKeyValue")
    key = key_from_base64(text(pair, "Modulus"), text(pair, "Exponent"))
    if key is None:
        defects.add(Defect.UNREADABLE, "KeyValue no contiene una llave RSA de tamaño aceptable")
    return key


def _certificate(element: etree._Element, defects: Defects) -> Certificate | None:
    certificate = read_certificate(text(element, "KeyInfo", "X509Data", "X509Certificate"))
    if certificate is None:
        defects.add(
            Defect.UNREADABLE, "X509Certificate no es un certificado X.509 legible en base64"
        )
    elif certificate.key is None:
        defects.add(
            Defect.UNREADABLE, "el certificado no contiene una llave RSA de tamaño aceptable"
        )
    return certificate


def verify_value(signature: Signature, signed: tuple[bytes, ...], defects: Defects) -> None:
    """Verify SignatureValue with KeyValue, or else with the certificate's key.

    Args:
        signature: the parts of the signature.
        signed: the canonical readings of SignedInfo that count.
        defects: where defects are noted.
    """
    if signature.value is None:
        defects.add(Defect.VALUE, "SignatureValue falta o no es base64")
        return
    template, value = signature.template, signature.value
    certified = template.certificate.key if template.certificate else None
    keys = dict.fromkeys(key for key in (template.key, certified) if key is not None)
    if keys and not any(key.verifies(value, octets) for key in keys for octets in signed):
        defects.add(Defect.VALUE, "SignatureValue no corresponde a la llave informada")
