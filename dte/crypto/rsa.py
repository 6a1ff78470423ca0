"""RSA-SHA1 as the SII uses it, down to the 512-bit keys with exponent 3 of the folio authorisations.

``cryptography`` verifies keys of 1024 bits or more. Smaller ones it no longer makes, and whether it
verifies them depends on its version and on how OpenSSL was built; a modular power and an exact
comparison verify them everywhere, as fast. The whole encoded block is rebuilt and compared, never
parsed: with exponent 3 a lenient parser can be fed a forged signature (Bleichenbacher, 2006).
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

# A verification must cost little whatever the sender wrote: SIG-10 caps keys at 4096 bits.
MAX_MODULUS_BITS = 4096
MAX_EXPONENT = 2**32
# Shorter than the encoded SHA-1 digest plus the eight bytes of padding that RFC 8017 demands.
MIN_MODULUS_BITS = 368
MAX_BASE64_CHARS = 24_000

_SMALLEST_NATIVE_BITS = 1024
# DER of DigestInfo{sha1, NULL} up to the digest, RFC 8017 section 9.2, note 1.
_SHA1_DIGEST_INFO = bytes.fromhex("3021300906052b0e03021a05000414")
_BLANKS = re.compile(r"[ \t\r\n]+")


@dataclass(frozen=True)
class PublicKey:
    """An RSA public key whose size has been checked."""

    modulus: int
    exponent: int

    @property
    def bits(self) -> int:
        """Length of the modulus in bits."""
        return self.modulus.bit_length()

    @property
    def size(self) -> int:
        """Length of a signature in bytes."""
        return (self.bits + 7) // 8

    @cached_property
    def _native(self) -> rsa.RSAPublicKey:
        return rsa.RSAPublicNumbers(self.exponent, self.modulus).public_key()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tell whether ``signature`` is RSA-SHA1 (PKCS#1 v1.5) of ``message`` with this key."""
        if len(signature) != self.size:
            return False
        if self.bits < _SMALLEST_NATIVE_BITS:
            return self._opens_to(signature, encoded_digest(message, self.size))
        try:
            # SHA-1 is what the SII's format prescribes (xmldsignature_v10.xsd).
            self._native.verify(signature, message, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303
        except InvalidSignature:
            return False
        return True

    def _opens_to(self, signature: bytes, block: bytes) -> bool:
        number = int.from_bytes(signature, "big")
        if number >= self.modulus:
            return False
        return pow(number, self.exponent, self.modulus).to_bytes(self.size, "big") == block


def encoded_digest(message: bytes, size: int) -> bytes:
    """Return EMSA-PKCS1-v1_5 of ``message`` with SHA-1, ``size`` bytes long (RFC 8017, 9.2)."""
    tail = _SHA1_DIGEST_INFO + hashlib.sha1(message, usedforsecurity=False).digest()
    return b"\x00\x01" + b"\xff" * (size - len(tail) - 3) + b"\x00" + tail


def public_key(modulus: int, exponent: int) -> PublicKey | None:
    """Return the key, or None when its numbers are absurd or too large to be verified cheaply."""
    if not MIN_MODULUS_BITS <= modulus.bit_length() <= MAX_MODULUS_BITS or not modulus & 1:
        return None
    if not 3 <= exponent <= MAX_EXPONENT or not exponent & 1:  # with exponent 1 anyone can sign
        return None
    return PublicKey(modulus, exponent)


def decode_base64(text: str | None, limit: int = MAX_BASE64_CHARS) -> bytes | None:
    """Return the bytes of a base64 text with blanks in it, or None when it is not base64."""
    if not text or len(text) > limit:
        return None
    try:
        return base64.b64decode(_BLANKS.sub("", text), validate=True) or None
    except (binascii.Error, ValueError):
        return None


@lru_cache(maxsize=2048)
def _cached_key(modulus: str, exponent: str) -> PublicKey | None:
    numbers = decode_base64(modulus), decode_base64(exponent)
    if numbers[0] is None or numbers[1] is None:
        return None
    return public_key(int.from_bytes(numbers[0], "big"), int.from_bytes(numbers[1], "big"))


def key_from_base64(modulus: str | None, exponent: str | None) -> PublicKey | None:
    """Return the key written as two base64 numbers (RSAPK of the CAF, RSAKeyValue of xmldsig)."""
    longest = (
        MAX_MODULUS_BITS // 4
    )  # twice what base64 of the largest key takes: blanks are allowed
    if not modulus or not exponent or max(len(modulus), len(exponent)) > longest:
        return None
    return _cached_key(modulus, exponent)


def key_from_pem(pem: bytes) -> PublicKey | None:
    """Return the RSA key of a PEM file (``PUBLIC KEY`` or a certificate's key is not looked for)."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError):
        return None
    if not isinstance(key, rsa.RSAPublicKey):
        return None
    numbers = key.public_numbers()
    return public_key(numbers.n, numbers.e)
