"""The private key of a CAF against the public one that the SII authorised. In memory only."""

import re
from collections.abc import Iterator

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dte.caf import notices
from dte.caf.reading import CafFile
from dte.crypto.rsa import PublicKey, key_from_base64, key_from_pem
from dte.rules.findings import Finding

# PEM of 512 bits has some 500 characters; of the largest key we verify, 3,300.
_LONGEST = 8_000
_PEM = re.compile(
    r"-----BEGIN ((?:RSA )?(?:PRIVATE|PUBLIC) KEY)-----(.*?)-----END \1-----", re.DOTALL
)


def check_keys(file: CafFile) -> tuple[str, list[Finding]]:
    """Return how the private key relates to the public one, in a word, and what is wrong."""
    public = key_from_base64(file.modulus, file.exponent)
    findings = list(_public_key(file, public))
    if not file.private_key:
        return "falta", [*findings, notices.NO_KEY.at("RSASK")]
    private, motivo = _read(file.private_key)
    if private is None:
        return "ilegible", [*findings, notices.BROKEN_KEY.at("RSASK", motivo=motivo)]
    if _is_joined(file.private_key):
        findings.append(notices.JOINED_KEY.at("RSASK"))
    numbers = private.public_key().public_numbers()
    if public is None or (numbers.n, numbers.e) != (public.modulus, public.exponent):
        return "no corresponde", [*findings, notices.OTHER_KEY.at("RSASK")]
    return "corresponde", findings


def _read(pem: str) -> tuple[rsa.RSAPrivateKey | None, str]:
    found = _PEM.search(pem) if len(pem) <= _LONGEST else None
    if found is None:
        return None, "no tiene las líneas BEGIN y END de una llave RSA"
    try:
        key = serialization.load_pem_private_key(_rewrapped(found[1], found[2]), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None, "su contenido no es el de una llave RSA"
    if not isinstance(key, rsa.RSAPrivateKey):
        return None, "no es una llave RSA"
    return key, ""


def _rewrapped(label: str, base64_text: str) -> bytes:
    """Write PEM with the line breaks that programs need, whatever became of them."""
    text = "".join(base64_text.split())
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode()


def _is_joined(pem: str) -> bool:
    return "\n" not in pem.strip() or any(len(line) > 80 for line in pem.splitlines())


def _public_key(file: CafFile, authorised: PublicKey | None) -> Iterator[Finding]:
    found = _PEM.search(file.public_key) if len(file.public_key) <= _LONGEST else None
    if not file.public_key or authorised is None:
        return
    loose = key_from_pem(_rewrapped(found[1], found[2])) if found else None
    if loose != authorised:
        yield notices.OTHER_PUBLIC_KEY.at("RSAPUBK")
