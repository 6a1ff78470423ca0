"""The signer's X.509 certificate: whose it is, when it was valid, who issued it, which key it carries."""

import re
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID
from stdnum.cl.rut import calc_check_digit

from dte.crypto.rsa import PublicKey, decode_base64, public_key

# Subject alternative name in which Chilean certificates carry the holder's RUT, "12345678-9" as an
# IA5String, sometimes with leading zeros (Decreto 181 of 2002; seen in every real certificate).
RUT_OID = x509.ObjectIdentifier("1.3.6.1.4.1.8321.1")
# Certificates measure up to 2 KB; xmldsig documents of the SII never carry chains.
MAX_CERTIFICATE_CHARS = 16_000
# TmstFirma has no time zone; a clock in another zone must not make a certificate look expired.
TIME_ZONE_TOLERANCE = timedelta(days=1)

# Names of the providers whose certificates the SII accepts (SII, pregunta frecuente 001.003.0539),
# folded to letters and digits; with other names of theirs: TSP writes "Firma.Digital" and "Trust Service
# Provider SPA" (práctica, 2 informes), the Cámara de Comercio de Santiago is behind E-CertChile, and Sovos
# was Paperless.
ACCREDITED_ISSUERS = (
    "acepta", "ecertchile", "camaradecomerciodesantiago", "esign", "firmacl", "certinet", "sovos",
    "paperless", "idok", "bpoadvisors", "firmadigital", "trustserviceprovider", "abancert",
)  # fmt: skip

_RUT = re.compile(r"0*(\d{1,8})-([\dkK])", re.ASCII)
# Parsing is lazy: a certificate may load and still be wrong inside. The warning is here for processes
# that turn warnings into errors.
_NOT_A_CERTIFICATE = (
    ValueError,
    TypeError,
    OverflowError,
    x509.InvalidVersion,
    UnsupportedAlgorithm,
    CryptographyDeprecationWarning,
)
_STRING_TAGS = frozenset({0x0C, 0x13, 0x16})  # UTF8String, PrintableString, IA5String


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the rules need of a certificate."""

    key: PublicKey | None
    """Its RSA key; None for another kind of key or one of absurd size."""
    rut: str
    """RUT of the holder, ``12345678-K``; ``""`` when it carries none with a right check digit."""
    holder: str
    issuer: str
    not_before: datetime
    not_after: datetime
    accredited_name: bool
    """Whether the issuer calls itself by the name of an accredited provider; no proof."""
    parsed: x509.Certificate

    def valid_at(self, moment: datetime) -> bool:
        """Tell whether it was valid at an aware moment, give or take a day for the time zone."""
        return (
            self.not_before - TIME_ZONE_TOLERANCE <= moment <= self.not_after + TIME_ZONE_TOLERANCE
        )

    def issued_by(self, authorities: tuple[x509.Certificate, ...]) -> bool:
        """Tell whether one of these authorities signed it."""
        return _issued_by(self.parsed, authorities)


def read_certificate(text: str | None) -> Certificate | None:
    """Return the certificate of a base64 DER text, or None when it is not one."""
    if not text or len(text) > MAX_CERTIFICATE_CHARS:
        return None
    return _read(text)


def describe(parsed: x509.Certificate) -> Certificate | None:
    """Return what there is to know of a certificate, or None when it is wrong inside; remembers nothing."""
    try:
        return _describe(parsed)
    except _NOT_A_CERTIFICATE:
        return None


@lru_cache(maxsize=256)
def _read(text: str) -> Certificate | None:
    der = decode_base64(text, MAX_CERTIFICATE_CHARS)
    if der is None:
        return None
    try:
        return _describe(x509.load_der_x509_certificate(der))
    except _NOT_A_CERTIFICATE:
        return None


def _describe(parsed: x509.Certificate) -> Certificate:
    with warnings.catch_warnings():
        # Accredited providers write names longer than X.520 allows, and cryptography warns of each.
        warnings.filterwarnings("ignore", message="Attribute's length")
        issuer = parsed.issuer.rfc4514_string()[:400]
    folded = re.sub(r"[^a-z0-9]", "", issuer.lower())
    return Certificate(
        key=_key(parsed),
        rut=_rut(parsed),
        holder=_name(parsed.subject),
        issuer=issuer,
        accredited_name=any(name in folded for name in ACCREDITED_ISSUERS),
        not_before=parsed.not_valid_before_utc.astimezone(UTC),
        not_after=parsed.not_valid_after_utc.astimezone(UTC),
        parsed=parsed,
    )


def _key(parsed: x509.Certificate) -> PublicKey | None:
    try:
        key = parsed.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, rsa.RSAPublicKey):
        return None
    numbers = key.public_numbers()
    return public_key(numbers.n, numbers.e)


def _name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value)[:200] if found else ""


def _rut(parsed: x509.Certificate) -> str:
    """Return the RUT of the alternative name, else of the subject's serial number."""
    for candidate in (*_alternative_names(parsed), *_serial_numbers(parsed.subject)):
        rut = normal_rut(candidate)
        if rut:
            return rut
    return ""


def _alternative_names(parsed: x509.Certificate) -> list[str]:
    try:
        found = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return []
    others = found.value.get_values_for_type(x509.OtherName)
    return [_der_string(other.value) for other in others if other.type_id == RUT_OID]


def _serial_numbers(subject: x509.Name) -> list[str]:
    return [str(found.value) for found in subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)]


def _der_string(value: bytes) -> str:
    """Return the text of a short DER string; a RUT never needs the long form of the length."""
    if len(value) < 2 or value[0] not in _STRING_TAGS or value[1] != len(value) - 2:
        return ""
    return value[2:].decode("ascii", errors="replace")


def normal_rut(text: str) -> str:
    """Return ``12345678-K`` from a RUT with dots, zeros or blanks; ``""`` when it is not a RUT."""
    match = _RUT.fullmatch(text.strip().replace(".", ""))
    if match is None:
        return ""
    digits, digit = str(int(match[1])), match[2].upper()
    return f"{digits}-{digit}" if calc_check_digit(digits) == digit else ""


@lru_cache(maxsize=512)
def _issued_by(parsed: x509.Certificate, authorities: tuple[x509.Certificate, ...]) -> bool:
    return any(_signed(parsed, authority) for authority in authorities)


def _signed(parsed: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        parsed.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True
