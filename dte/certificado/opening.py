"""Opening a certificate file, with its password where it has one. What is read stays in memory."""

import base64
import binascii
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key as load_pem
from cryptography.hazmat.primitives.serialization import pkcs12

from dte.certificado import notices
from dte.certificado.der import MAX_ROUNDS, most_rounds
from dte.examining.given import Given
from dte.examining.refused import Refused

# A key store with its chain has some 8 KB.
MAX_BYTES: Final = 200_000
_MOST_CERTIFICATES: Final = 20
# Possessive, and no further than the next dashes: a thousand beginnings are not searched a thousand times.
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----((?:[^-]|-(?!----))*+)-----END \1-----")
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]{200,}")
_ERRORS = (ValueError, TypeError, UnsupportedAlgorithm, OverflowError)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a file holds."""

    certificate: x509.Certificate | None = None
    has_key: bool = False
    key_fits: bool = False
    protected: bool = False
    """Whether a password guards the private key."""
    locked: bool = False
    """Whether it could not be opened with the password given, or without one."""
    others: int = 0
    """Certificates of the chain that it brings too."""


def looks_like_one(given: Given) -> bool:
    """Tell by the first bytes, or by the name of what has no text."""
    head = given.content[:16]
    if "-----BEGIN " in given.start and _labels(given.start):
        return True
    if head[:1] == b"\x30" and head[1:2] in b"\x80\x81\x82\x83" and given.form == "binary":
        return True
    return _decoded(given.content) is not None or (
        given.form == "binary" and given.filename.lower().endswith((".pfx", ".p12", ".cer", ".crt"))
    )


def _labels(text: str) -> bool:
    return bool(
        re.search(r"-----BEGIN (?:X509 |TRUSTED )?(?:CERTIFICATE|[A-Z ]*PRIVATE KEY)-----", text)
    )


def _decoded(content: bytes) -> bytes | None:
    """Return the DER of a file that is base64 and nothing else, as certificates are kept in settings."""
    if (
        not content[:4].startswith(b"MI")
        or len(content) > MAX_BYTES
        or not _BASE64.fullmatch(content)
    ):
        return None
    try:
        return base64.b64decode(b"".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def open_file(content: bytes, password: str) -> Opened:
    """Open a file.

    Raises:
        Refused: It is none, or opening it would take too long.
    """
    if len(content) > MAX_BYTES:
        raise _refused(f"pesa {len(content)} bytes y ninguno pasa de {MAX_BYTES}")
    if b"-----BEGIN " in content:
        return _open_pem(content, password)
    return _open_der(_decoded(content) or content, password)


def _refused(motivo: str) -> Refused:
    return Refused(notices.UNREADABLE.at("/", motivo=motivo))


def _check_cost(der: bytes) -> None:
    rounds = most_rounds(der)
    if rounds > MAX_ROUNDS:
        raise Refused(notices.TOO_COSTLY.at("/", vueltas=rounds))


def _open_der(der: bytes, password: str) -> Opened:
    try:
        return Opened(x509.load_der_x509_certificate(der))
    except _ERRORS:
        pass
    if not _is_key_store(der):
        raise _refused("no es un .pfx, un .p12 ni un certificado")
    _check_cost(der)
    # No password and an empty one are different things, and programs take one for the other.
    for secret in [password.encode()] if password else [None, b""]:
        try:
            store = pkcs12.load_pkcs12(der, secret)
        except _ERRORS:
            continue
        return _of_store(store, protected=bool(secret))
    return Opened(locked=True, protected=True)


def _is_key_store(der: bytes) -> bool:
    """Tell a PFX: a sequence that begins with version 3."""
    return der[:1] == b"\x30" and b"\x02\x01\x03" in der[:10]


def _of_store(store: pkcs12.PKCS12KeyAndCertificates, *, protected: bool) -> Opened:
    main = store.cert.certificate if store.cert else None
    others = [one.certificate for one in store.additional_certs]
    if main is None and others:
        main, others = others[0], others[1:]
    return Opened(
        certificate=main,
        has_key=store.key is not None,
        key_fits=_fits(store.key, main),
        protected=protected,
        others=len(others),
    )


def _open_pem(content: bytes, password: str) -> Opened:
    certificates: list[x509.Certificate] = []
    keys: list[bytes] = []
    for found in _BLOCK.finditer(content):
        label = found[1].decode()
        if label.endswith("CERTIFICATE") and len(certificates) < _MOST_CERTIFICATES:
            certificates.append(_pem_certificate(found[2]))
        elif label.endswith("PRIVATE KEY"):
            keys.append(found[0])
    if not certificates and not keys:
        raise _refused("sus bloques PEM no se cierran, o no son de un certificado")
    key, locked, protected = _pem_key(keys[0], password) if keys else (None, False, False)
    main = next((one for one in certificates if _fits(key, one)), None)
    main = main or (certificates[0] if certificates else None)
    return Opened(
        certificate=main,
        has_key=bool(keys),
        key_fits=_fits(key, main) if key is not None else False,
        protected=protected,
        locked=locked,
        others=max(len(certificates) - 1, 0),
    )


def _pem_certificate(body: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(base64.b64decode(b"".join(body.split())))
    except _ERRORS as exc:
        raise _refused("un bloque CERTIFICATE está dañado o cortado") from exc


def _pem_key(block: bytes, password: str) -> tuple[PrivateKeyTypes | None, bool, bool]:
    """Return the key, whether it stayed locked, and whether a password guards it."""
    protected = b"ENCRYPTED" in block
    if protected and not password:
        return None, True, True
    body = block.partition(b"-----\n")[2] or block
    # The older form of PEM has headers inside, which are no base64, and a derivation of one round.
    with suppress(binascii.Error, ValueError):
        _check_cost(base64.b64decode(b"".join(body.partition(b"-----END")[0].split())))
    try:
        return load_pem(block, password.encode() if protected else None), False, protected
    except _ERRORS as exc:
        if protected:
            return None, True, True
        raise _refused("el bloque de la llave privada está dañado o cortado") from exc


def _fits(key: PrivateKeyTypes | None, certificate: x509.Certificate | None) -> bool:
    if key is None or certificate is None:
        return False
    try:
        return key.public_key() == certificate.public_key()
    except _ERRORS:
        return False
