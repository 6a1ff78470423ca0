"""Whom we trust: the SII's keys that sign folio authorisations (CAF), and issuers of certificates.

The two keys are public facts: IDK 300 signs production CAF and 100 certification CAF. Both verify the
CAF inside documents the SII has accepted.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from cryptography import x509
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from dte.crypto.rsa import PublicKey, key_from_pem

PRODUCTION_IDK = 300
CERTIFICATION_IDK = 100

_SII_KEYS: Mapping[int, PublicKey] = {
    PRODUCTION_IDK: PublicKey(
        modulus=int(
            "9deebfc5eebd96df4c7cf53f1bfa15d85d73ef04c6718f8c07b3f785efee75e7"
            "b4ef5a3ae079c3265a900e45f602890af6fb4fafa2b8d6938f7f011c3585b335",
            16,
        ),
        exponent=65537,
    ),
    CERTIFICATION_IDK: PublicKey(
        modulus=int(
            "c8fbf00dcb21a55000a585522c5de528a73e0ce16cc03ab1e5ea7de4b2a28111"
            "e352faef8dcb7d51e349abd4b105dcd4f67cf9e13115058c9f0154291b8c7153",
            16,
        ),
        exponent=65537,
    ),
}


def _read(entry: str) -> tuple[int, PublicKey]:
    number, _, path = entry.partition(":")
    if not number.strip().isdecimal() or not path.strip():
        raise ImproperlyConfigured(
            f"DTE_CAF_AUTHORITY_KEYS: {entry!r} is not IDK:/path/of/public_key.pem."
        )
    try:
        key = key_from_pem(Path(path.strip()).read_bytes())
    except OSError as error:
        raise ImproperlyConfigured(f"DTE_CAF_AUTHORITY_KEYS: {error}.") from error
    if key is None:
        raise ImproperlyConfigured(f"DTE_CAF_AUTHORITY_KEYS: {path} holds no RSA public key.")
    return int(number), key


@lru_cache(maxsize=8)
def read_keys(configured: tuple[str, ...]) -> Mapping[int, PublicKey]:
    """Return the SII's keys and those of ``IDK:/path.pem`` entries, which win over the built-in ones.

    Raises:
        ImproperlyConfigured: an entry is malformed or its file holds no RSA public key.
    """
    added = dict(_read(entry) for entry in configured if entry.strip())
    return MappingProxyType({**_SII_KEYS, **added})


def caf_authority_keys() -> Mapping[int, PublicKey]:
    """Return the keys this installation trusts to sign folio authorisations, by IDK."""
    return read_keys(tuple(settings.DTE_CAF_AUTHORITY_KEYS))


@lru_cache(maxsize=8)
def read_issuers(path: str) -> tuple[x509.Certificate, ...]:
    """Return the certificates of a PEM file.

    Raises:
        ImproperlyConfigured: the file cannot be read or holds no certificate.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(Path(path).read_bytes()))
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"DTE_TRUSTED_CERTIFICATES: {error}.") from error


def trusted_issuers() -> tuple[x509.Certificate, ...]:
    """Return the certificate authorities this installation trusts; none unless configured."""
    path = settings.DTE_TRUSTED_CERTIFICATES
    return read_issuers(path) if path else ()
