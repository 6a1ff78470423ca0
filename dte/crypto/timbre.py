"""The electronic stamp (TED) and the folio authorisation (CAF) inside it.

Two signatures, both RSA-SHA1 over a flattened element: FRMT over DD with the key the SII gave in the
CAF (DA/RSAPK), and FRMA over DA with a key of the SII chosen by DA/IDK. Verified on documents the SII
accepted.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache, partial

from lxml import etree

from dte.crypto.authorities import caf_authority_keys
from dte.crypto.flatten import flat_text, literal_text, readings
from dte.crypto.rsa import PublicKey, decode_base64, key_from_base64
from dte.formato.elements import child


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
class Verification:
    """The result of one signature check; ``reason`` is the Spanish sentence that explains it."""

    status: Status
    reason: str = ""

    @property
    def valid(self) -> bool:
        """Tell whether the signature is good."""
        return self.status is Status.VALID


_VALID = Verification(Status.VALID)
_FRMA = re.compile(r"<FRMA(?: [^<>]*)?>([^<]*)</FRMA>")
_KEY = re.compile(r"<RSAPK><M>([^<]*)</M><E>([^<]*)</E></RSAPK>")
_IDK = re.compile(r"<IDK>\s*([0-9]{1,9})\s*</IDK>")


@dataclass(frozen=True, slots=True)
class StampCheck:
    """The checks of the two signatures in a TED."""

    stamp: Verification
    """FRMT: the stamp was made with the key of its own CAF, over these very data."""
    caf: Verification
    """FRMA: the SII signed the folio authorisation."""


def verify_stamp(
    ted: etree._Element | None,
    raw: bytes = b"",
    encoding: str = "ISO-8859-1",
    keys: Mapping[int, PublicKey] | None = None,
) -> StampCheck:
    """Verify both signatures of a stamp.

    Args:
        ted: the TED element.
        raw: the bytes of the document, for stamps over unusual character escapes.
        encoding: the encoding of ``raw``.
        keys: authority keys by IDK; those of the settings when not given.
    """
    dd, frmt = child(ted, "DD"), child(ted, "FRMT")
    if ted is None or dd is None:
        missing = Verification(Status.MISSING, "el timbre no trae DD")
        return StampCheck(missing, missing)
    flat = flat_text(dd)
    da, frma = _split_caf(flat)
    if not da:
        missing = Verification(Status.MISSING, "el timbre no trae un CAF con DA y FRMA")
        return StampCheck(missing, missing)
    literal = partial(literal_text, dd, raw, encoding)
    return StampCheck(
        stamp=_verify_frmt(flat, da, frmt.text if frmt is not None else "", literal),
        caf=_verify_frma(da, frma, caf_authority_keys() if keys is None else keys),
    )


def _split_caf(flat: str) -> tuple[str, str]:
    """Return DA and the text of FRMA; empty when the flattened stamp lacks one of them."""
    start = flat.find("<DA>", max(flat.find("<CAF"), 0))
    end = flat.find("</DA>", start)
    frma = _FRMA.search(flat, end) if 0 <= start < end else None
    return (flat[start : end + len("</DA>")], frma[1]) if frma else ("", "")


def _verify_frmt(flat: str, da: str, frmt: str | None, literal: Callable[[], str]) -> Verification:
    pair = _KEY.search(da)
    key = key_from_base64(pair[1], pair[2]) if pair else None
    if key is None:
        return Verification(
            Status.UNREADABLE, "la llave pública del CAF (RSAPK) no es una llave RSA"
        )
    signature = decode_base64(frmt)
    if signature is None:
        return Verification(Status.UNREADABLE, "FRMT falta o no es base64")
    if any(key.verifies(signature, octets) for octets in readings(flat, literal)):
        return _VALID
    if any(key.verifies(signature, octets) for octets in readings(flat, charset="utf-8")):
        # A frequent mistake of emitters, worth naming.
        return Verification(
            Status.INVALID, "el timbre se calculó sobre UTF-8 y el SII lo verifica sobre ISO-8859-1"
        )
    return Verification(
        Status.INVALID, "FRMT no corresponde a los datos del timbre con la llave del CAF"
    )


def _verify_frma(da: str, frma: str, keys: Mapping[int, PublicKey]) -> Verification:
    found = _IDK.search(da)
    key = keys.get(int(found[1])) if found else None
    if key is None:
        named = found[1] if found else "ilegible"
        return Verification(
            Status.UNKNOWN_AUTHORITY, f"no se conoce la llave del SII con IDK {named}"
        )
    return _signed_by(key, da, frma)


@lru_cache(maxsize=1024)
def _signed_by(key: PublicKey, da: str, frma: str) -> Verification:
    """One CAF stamps up to thousands of documents: the check of its signature is worth keeping."""
    signature = decode_base64(frma)
    if signature is None:
        return Verification(Status.UNREADABLE, "FRMA no es base64")
    if any(key.verifies(signature, octets) for octets in readings(da)):
        return _VALID
    return Verification(
        Status.INVALID, "FRMA no corresponde al CAF con la llave del SII que nombra su IDK"
    )
