"""CAF files as the SII delivers them, and as people damage them."""

import base64
import textwrap
from dataclasses import replace
from math import lcm

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.documents import ISSUER
from tests.factories.keys import SmallKey
from tests.factories.stamp import Caf

NAME = "Viñedos y Molinos del Ñuble Limitada"


def caf(**changes: object) -> Caf:
    """Return an authorisation of 50 folios of facturas, granted ten weeks ago on the day of the tests."""
    return replace(Caf(ISSUER, NAME, "33", first=1, last=50, granted="2026-01-10"), **changes)


def private_pem(key: SmallKey) -> str:
    """The private key as the SII writes it: PKCS#1, by hand, for a key too small to be exported."""
    p, q = rsa.rsa_recover_prime_factors(key.modulus, key.exponent, key.secret)
    numbers = (
        0, key.modulus, key.exponent, key.secret, p, q,
        key.secret % (p - 1), key.secret % (q - 1), pow(q, -1, p),
    )  # fmt: skip
    assert lcm(p - 1, q - 1)
    body = b"".join(map(_integer, numbers))
    return _pem("RSA PRIVATE KEY", b"\x30" + _length(len(body)) + body)


def _integer(value: int) -> bytes:
    octets = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return b"\x02" + _length(len(octets)) + octets


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    return bytes([0x81, size]) if size < 0x100 else b"\x82" + size.to_bytes(2, "big")


def _pem(label: str, der: bytes) -> str:
    lines = textwrap.wrap(base64.b64encode(der).decode(), 64)
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"]) + "\n"


def caf_text(
    given: Caf | None = None, *, private: str | None = None, public: str | None = None
) -> str:
    """Return the file as text; ``private`` and ``public`` replace the loose keys, ``""`` leaves them out."""
    made = given or caf()
    secret = private_pem(made.key) if private is None else private
    loose = made.key.pem().decode() if public is None else public
    parts = made.xml().replace("><", ">\n<")
    return (
        f'<?xml version="1.0"?>\n<AUTORIZACION>\n{parts}\n'
        + (f"<RSASK>{secret}</RSASK>\n" if secret else "")
        + (f"<RSAPUBK>{loose}</RSAPUBK>\n" if loose else "")
        + "</AUTORIZACION>\n"
    )


def caf_file(given: Caf | None = None, **keys: str) -> bytes:
    """Return the file as the SII delivers it: ISO-8859-1, without saying so."""
    return caf_text(given, **keys).encode("iso-8859-1")
