"""The electronic stamp (TED) and the folio authorisation (CAF) inside it.

Two signatures, both RSA-SHA1 over a flattened element: FRMT over DD with the key the SII gave in the
CAF (DA/RSAPK), and FRMA over DA with a key of the SII chosen by DA/IDK. Recipe and samples:
dte_rules section 2, verified on documents the SII accepted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from lxml import etree

from dte.crypto.authorities import caf_authority_keys
from dte.crypto.flatten import readings
from dte.crypto.rsa import PublicKey, decode_base64, key_from_base64
from dte.crypto.xml import child, text


class Status(StrEnum):
    """What a check of one signature found."""

    VALID = "valid"
    INVALID = "invalid"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    """The signature or the key is there, but is not one."""
    UNKNOWN_AUTHORITY = "unknown_authority"
    """The CAF names a signing key (IDK) that is not known here."""


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one signature check; ``reason`` is the Spanish sentence that explains it."""

    status: Status
    reason: str = ""

    @property
    def valid(self) -> bool:
        """Tell whether the signature is good."""
        return self.status is Status.VALID


_VALID = Check(Status.VALID)


def verify_stamp(
    ted: etree._Element | None, raw: bytes = b"", encoding: str = "ISO-8859-1"
) -> Check:
    """Check FRMT: the stamp was made with the key of its own CAF, over these very data.

    Args:
        ted: the TED element.
        raw: the bytes of the document, for stamps over unusual character escapes.
        encoding: the encoding of ``raw``.
    """
    dd, frmt = child(ted, "DD"), child(ted, "FRMT")
    if ted is None or dd is None or frmt is None:
        return Check(Status.MISSING, "el timbre no trae DD o FRMT")
    key = stamp_key(dd)
    if key is None:
        return Check(Status.UNREADABLE, "la llave pública del CAF (RSAPK) no es una llave RSA")
    signature = decode_base64(frmt.text)
    if signature is None:
        return Check(Status.UNREADABLE, "FRMT no es base64")
    signed = b""
    for signed in readings(dd, raw, encoding):
        if key.verifies(signature, signed):
            return _VALID
    if not signed:
        return Check(Status.UNREADABLE, "el timbre es demasiado largo")
    return Check(Status.INVALID, _why_stamp_fails(key, signature, dd))


def stamp_key(dd: etree._Element) -> PublicKey | None:
    """Return the key that the CAF of a stamp authorises, or None when it is not one."""
    pair = child(dd, "CAF", "DA", "RSAPK")
    return key_from_base64(text(pair, "M"), text(pair, "E"))


def _why_stamp_fails(key: PublicKey, signature: bytes, dd: etree._Element) -> str:
    """Recognise the frequent mistake of stamping over UTF-8 bytes."""
    for flat in readings(dd):
        if key.verifies(signature, flat.decode("iso-8859-1").encode()):
            return "el timbre se calculó sobre UTF-8 y el SII lo verifica sobre ISO-8859-1"
    return "FRMT no corresponde a los datos del timbre con la llave del CAF"


def verify_caf(caf: etree._Element | None, keys: Mapping[int, PublicKey] | None = None) -> Check:
    """Check FRMA: the SII signed this folio authorisation.

    Args:
        caf: the CAF element of the stamp.
        keys: authority keys by IDK; those of the settings when not given.
    """
    da, frma = child(caf, "DA"), child(caf, "FRMA")
    if caf is None or da is None or frma is None:
        return Check(Status.MISSING, "el timbre no trae el CAF con DA y FRMA")
    idk = text(da, "IDK")
    trusted = caf_authority_keys() if keys is None else keys
    key = trusted.get(int(idk)) if idk.isascii() and idk.isdecimal() and len(idk) < 10 else None
    if key is None:
        return Check(
            Status.UNKNOWN_AUTHORITY, f"no se conoce la llave del SII con IDK {idk[:20]!r}"
        )
    signature = decode_base64(frma.text)
    if signature is None:
        return Check(Status.UNREADABLE, "FRMA no es base64")
    if any(_signed_by(key, signature, flat) for flat in readings(da)):
        return _VALID
    return Check(Status.INVALID, f"FRMA no corresponde al CAF con la llave IDK {idk}")


@lru_cache(maxsize=1024)
def _signed_by(key: PublicKey, signature: bytes, flat: bytes) -> bool:
    """One CAF stamps up to thousands of documents: its signature is worth remembering."""
    return key.verifies(signature, flat)
