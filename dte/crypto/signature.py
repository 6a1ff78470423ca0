"""Reading an XML signature: its parts, or what is wrong with them, before any arithmetic."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from lxml import etree

from dte.crypto.certificate import Certificate, read_certificate
from dte.crypto.rsa import PublicKey, decode_base64, key_from_base64
from dte.crypto.xml import XMLDSIG, child, children, local, text

C14N: Final = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
RSA_SHA1: Final = f"{XMLDSIG}rsa-sha1"
SHA1: Final = f"{XMLDSIG}sha1"
# Neither changes what is signed: C14N is applied anyway, and the signature stands outside what it signs.
TRANSFORMS: Final = frozenset({C14N, f"{XMLDSIG}enveloped-signature"})

# xmldsignature_v10.xsd: SignatureType is exactly this sequence.
_PARTS = ("SignedInfo", "SignatureValue", "KeyInfo")


class Fault(StrEnum):
    """What can be wrong with a signature; one signature may have several faults."""

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


class Faults(dict[Fault, str]):
    """The faults found, each with the Spanish reason that was noticed first."""

    def add(self, fault: Fault, reason: str) -> None:
        """Note a fault unless it is already known."""
        self.setdefault(fault, reason)


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    """The result of checking one XML signature."""

    faults: MappingProxyType[Fault, str]
    certificate: Certificate | None = None

    @property
    def valid(self) -> bool:
        """Tell whether nothing at all is wrong with it."""
        return not self.faults

    @classmethod
    def failed(cls, fault: Fault, reason: str) -> "SignatureCheck":
        """Return the check of a signature that could not be looked at further."""
        return cls(MappingProxyType({fault: reason}))


@dataclass(frozen=True, slots=True)
class Signature:
    """The parts of a ``Signature`` element; what is missing or unreadable is None."""

    element: etree._Element
    signed_info: etree._Element
    uri: str
    """Reference/@URI: what the signature says it signs."""
    digest: bytes | None
    value: bytes | None
    key: PublicKey | None
    certificate: Certificate | None


def read_signature(element: etree._Element, target: str, faults: Faults) -> Signature | None:
    """Return the parts of a signature, noting every fault of form.

    Args:
        element: the Signature element.
        target: ID of the element it must sign.
        faults: where faults are noted.
    """
    signed_info = child(element, "SignedInfo")
    if signed_info is None:
        faults.add(Fault.MISSING, "la firma no trae SignedInfo")
        return None
    _read_children(element, faults)
    reference = _reference(signed_info, faults)
    _read_algorithms(signed_info, reference, faults)
    uri = reference.get("URI", "") if reference is not None else ""
    if reference is not None and (not target or uri != f"#{target}"):
        faults.add(
            Fault.REFERENCE, f"la firma apunta a '{uri[:80]}' y el documento es '#{target[:80]}'"
        )
    return Signature(
        element=element,
        signed_info=signed_info,
        uri=uri,
        digest=decode_base64(text(reference, "DigestValue"), 200),
        value=decode_base64(text(element, "SignatureValue"), 2000),
        key=_key(element, faults),
        certificate=_certificate(element, faults),
    )


def _read_children(element: etree._Element, faults: Faults) -> None:
    names = tuple(local(node) for node in children(element))
    if names != _PARTS:
        extra = sorted(set(names) - set(_PARTS))
        if extra or len(names) > len(_PARTS):
            shown = ", ".join(name[:30] for name in (extra or names)[:5])
            faults.add(Fault.WRAPPED, f"la firma trae elementos de más: {shown}")


def _reference(signed_info: etree._Element, faults: Faults) -> etree._Element | None:
    found = list(signed_info.iterchildren("{*}Reference"))
    if not found:
        faults.add(Fault.REFERENCE, "la firma no dice qué elemento firma")
        return None
    if len(found) > 1:
        faults.add(Fault.WRAPPED, "la firma cubre más de un elemento")
    return found[0]


def _read_algorithms(
    signed_info: etree._Element, reference: etree._Element | None, faults: Faults
) -> None:
    named = (
        (child(signed_info, "CanonicalizationMethod"), C14N),
        (child(signed_info, "SignatureMethod"), RSA_SHA1),
        (child(reference, "DigestMethod"), SHA1),
    )
    for element, expected in named:
        algorithm = element.get("Algorithm", "") if element is not None else ""
        if algorithm != expected:
            faults.add(Fault.ALGORITHM, f"'{algorithm[:80]}' en vez de '{expected}'")
    transforms = child(reference, "Transforms")
    for element in children(transforms) if transforms is not None else ():
        algorithm = element.get("Algorithm", "")
        if algorithm not in TRANSFORMS or len(element):
            faults.add(Fault.ALGORITHM, f"la transformación '{algorithm[:80]}' no está permitida")


def _key(element: etree._Element, faults: Faults) -> PublicKey | None:
    pair = child(element, "KeyInfo", "KeyValue", "RSAKeyValue")
    key = key_from_base64(text(pair, "Modulus"), text(pair, "Exponent"))
    if key is None:
        faults.add(Fault.UNREADABLE, "KeyValue no contiene una llave RSA de tamaño aceptable")
    return key


def _certificate(element: etree._Element, faults: Faults) -> Certificate | None:
    certificate = read_certificate(text(element, "KeyInfo", "X509Data", "X509Certificate"))
    if certificate is None:
        faults.add(Fault.UNREADABLE, "X509Certificate no es un certificado X.509 legible en base64")
    elif certificate.key is None:
        faults.add(Fault.UNREADABLE, "el certificado no contiene una llave RSA de tamaño aceptable")
    return certificate


def verify_value(signature: Signature, signed: tuple[bytes, ...], faults: Faults) -> None:
    """Check SignatureValue with KeyValue or the certificate's key, and that they are one key.

    Args:
        signature: the parts of the signature.
        signed: the canonical readings of SignedInfo that count.
        faults: where faults are noted.
    """
    certified = signature.certificate.key if signature.certificate else None
    if signature.key is not None and certified is not None and signature.key != certified:
        faults.add(Fault.KEY_MISMATCH, "KeyValue y el certificado contienen llaves distintas")
    if signature.value is None:
        faults.add(Fault.VALUE, "SignatureValue falta o no es base64")
        return
    keys = dict.fromkeys(key for key in (signature.key, certified) if key is not None)
    value = signature.value
    if keys and not any(key.verifies(value, octets) for key in keys for octets in signed):
        faults.add(Fault.VALUE, "SignatureValue no corresponde a la llave informada")
