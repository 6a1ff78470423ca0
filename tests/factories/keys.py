"""Keys and certificates made for the run: nothing here is, or resembles, a key in use."""

import base64
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from math import lcm

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from dte.crypto.rsa import encoded_digest

RUT_OID = x509.ObjectIdentifier("1.3.6.1.4.1.8321.1")


@dataclass(frozen=True)
class SmallKey:
    """An RSA key of 512 bits, which ``cryptography`` refuses to make and the SII uses for stamps."""

    modulus: int
    exponent: int
    secret: int

    def sign(self, message: bytes) -> str:
        """RSA-SHA1, as base64."""
        size = self.modulus.bit_length() // 8
        block = int.from_bytes(encoded_digest(message, size), "big")
        return b64(pow(block, self.secret, self.modulus).to_bytes(size, "big"))

    def pem(self) -> bytes:
        """The public key."""
        return (
            rsa.RSAPublicNumbers(self.exponent, self.modulus)
            .public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )


@dataclass(frozen=True)
class Signer:
    """A person with a certificate for tax signatures."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    def sign(self, message: bytes) -> str:
        """RSA-SHA1, as base64."""
        return b64(self.key.sign(message, padding.PKCS1v15(), hashes.SHA1()))  # noqa: S303

    @property
    def numbers(self) -> tuple[str, str]:
        """Modulus and exponent, as base64."""
        public = self.key.public_key().public_numbers()
        return number(public.n), number(public.e)

    @property
    def der(self) -> str:
        """The certificate, as base64."""
        return b64(self.certificate.public_bytes(serialization.Encoding.DER))


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _prime(bits: int, exponent: int) -> int:
    while True:
        candidate = secrets.randbits(bits) | (3 << (bits - 2)) | 1
        if (candidate - 1) % exponent and all(
            pow(base, candidate - 1, candidate) == 1 for base in (2, 3, 5, 7, 11)
        ):
            return candidate


def new_small_key(exponent: int = 3) -> SmallKey:
    p, q = _prime(256, exponent), _prime(256, exponent)
    return SmallKey(p * q, exponent, pow(exponent, -1, lcm(p - 1, q - 1)))


@cache
def small_key(name: str, exponent: int = 3) -> SmallKey:
    """The key of that name, the same all through the run."""
    return new_small_key(exponent)


@cache
def private_key(name: str) -> rsa.RSAPrivateKey:
    """The signing key of that name, the same all through the run."""
    return rsa.generate_private_key(65537, 2048)


def _name(common: str, **more: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COUNTRY_NAME, "CL")]
    parts.append(x509.NameAttribute(NameOID.COMMON_NAME, common))
    if "serial" in more:
        parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, more["serial"]))
    return x509.Name(parts)


@cache
def certificate_authority() -> Signer:
    """The authority that issues the certificates of the run; nobody accredited it."""
    key = private_key("certificate authority")
    name = _name("Entidad de Ensayo Los Boldos")
    builder = _certificate(name, name, key, _day(2015), _day(2040))
    return Signer(key, builder.sign(key, hashes.SHA256()))


def _day(year: int) -> datetime:
    return datetime(year, 1, 1, tzinfo=UTC)


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPrivateKey,
    start: datetime,
    end: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
    )


@cache
def signer(
    rut: str = "9876543-3",
    *,
    name: str = "Rosa Quilodrán Vera",
    start: datetime = datetime(2025, 6, 1, tzinfo=UTC),
    end: datetime = datetime(2027, 6, 1, tzinfo=UTC),
    in_subject: bool = False,
    tag: bytes = b"\x16",
) -> Signer:
    """A person whose certificate carries ``rut`` (none when empty) and is valid in that time.

    ``tag`` is the DER type in which the RUT is written, IA5String unless said otherwise.
    """
    authority = certificate_authority()
    key = private_key(name)
    subject = _name(name, serial=rut) if in_subject else _name(name)
    builder = _certificate(subject, authority.certificate.subject, key, start, end)
    if rut and not in_subject:
        names = [x509.OtherName(RUT_OID, tag + bytes([len(rut)]) + rut.encode())]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Signer(key, builder.sign(authority.key, hashes.SHA256()))


@cache
def elliptic_certificate() -> str:
    """A certificate, as base64, whose key is not RSA."""
    authority = certificate_authority()
    name = authority.certificate.subject
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_day(2020))
        .not_valid_after(_day(2040))
    )
    made = builder.sign(authority.key, hashes.SHA256())
    return b64(made.public_bytes(serialization.Encoding.DER))
