"""Why a file is no XML, said as whoever sent it would understand: it is a PDF, it is coded otherwise.

Each answer is the reason and the remedy of rule XML-01; readers ask only once they cannot go on.
"""

import re
from typing import Final, NamedTuple


class Cause(NamedTuple):
    """What is wrong with the file, and what to do."""

    reason: str
    fix: str


_SEND_THE_XML: Final = "Suba el XML del documento, el mismo archivo que se envía al SII."
_PRINTED: Final = (
    "Suba el XML del documento: la representación impresa no lleva su firma, sólo su timbre."
)
# The first bytes of what people send instead of an XML.
_MAGIC: Final = (
    (b"%PDF", Cause("el archivo es un PDF", _PRINTED)),
    (b"\x89PNG", Cause("el archivo es una imagen PNG", _PRINTED)),
    (b"\xff\xd8\xff", Cause("el archivo es una imagen JPEG", _PRINTED)),
    (b"GIF8", Cause("el archivo es una imagen GIF", _PRINTED)),
    (b"BM", Cause("el archivo es una imagen BMP", _PRINTED)),
    (b"II*\x00", Cause("el archivo es una imagen TIFF", _PRINTED)),
    (b"MM\x00*", Cause("el archivo es una imagen TIFF", _PRINTED)),
    (
        b"PK\x03\x04",
        Cause(
            "el archivo es un ZIP, o un documento de Office",
            "Descomprímalo y suba el XML; varios XML en un ZIP van a /api/dte/validate/batch.",
        ),
    ),
    (b"\x1f\x8b", Cause("el archivo está comprimido con gzip", "Descomprímalo y suba el XML.")),
    (b"7z\xbc\xaf\x27\x1c", Cause("el archivo es un 7z", "Descomprímalo y suba el XML.")),
    (b"Rar!", Cause("el archivo es un RAR", "Descomprímalo y suba el XML.")),
    (b"\xd0\xcf\x11\xe0", Cause("el archivo es un documento de Office", _SEND_THE_XML)),
    (b"{\\rtf", Cause("el archivo es un documento RTF", _SEND_THE_XML)),
    (b"-----BEGIN", Cause("el archivo es un certificado o una llave en PEM", _SEND_THE_XML)),
)
_WEB_PAGE: Final = re.compile(rb"<!doctype\s+html[\s>]", re.IGNORECASE)
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/=\s]{64,}")
_DECLARATION: Final = re.compile(rb"\s+<\?xml\s")


def cause_of(raw: bytes) -> Cause | None:
    """Return why bytes are no XML, None where they look like one."""
    if raw[8:12] == b"WEBP" and raw.startswith(b"RIFF"):
        return Cause("el archivo es una imagen WEBP", _PRINTED)
    for magic, cause in _MAGIC:
        if raw.startswith(magic):
            return cause
    start = raw.removeprefix(b"\xef\xbb\xbf")
    text = start.lstrip()
    if not text:
        return Cause("el archivo está vacío", _SEND_THE_XML)
    if _WEB_PAGE.match(text):
        return Cause(
            "el archivo es una página web (HTML), quizás un mensaje de error",
            "Descargue de nuevo el XML; lo guardado es la página que respondió el servidor.",
        )
    if _DECLARATION.match(start):
        return Cause(
            "hay una línea en blanco o espacios antes de <?xml",
            "Borre lo que va antes de <?xml: la declaración debe ser lo primero del archivo.",
        )
    if text.startswith(b"<"):
        return None
    if b"\x00" in text[:512]:
        return Cause("el archivo no es texto", _SEND_THE_XML)
    if text.startswith(b"PD94bWwg") or _BASE64.fullmatch(text):
        return Cause("el archivo está en base64", "Decodifíquelo y suba el XML que contiene.")
    found = text.find(b"<?xml")
    if 0 < found < 4096:
        return Cause(
            "hay texto antes de <?xml",
            "Borre lo que va antes de <?xml: la declaración debe ser lo primero del archivo.",
        )
    return Cause("el archivo es texto y no comienza con «<»", _SEND_THE_XML)


def wrong_encoding(raw: bytes, declared: str) -> Cause | None:
    """Return what is wrong between a file's bytes and its encoding, None where they agree.

    Args:
        raw: The file.
        declared: The encoding it declares; ``""`` for none, which means UTF-8.
    """
    if (declared or "utf-8").lower() not in {"utf-8", "us-ascii", "ascii"}:
        return None
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        line = raw.count(b"\n", 0, exc.start) + 1
        if declared:
            return Cause(
                f"declara {declared} y sus bytes no lo son (línea {line}): parecen ISO-8859-1",
                'Declare lo que el archivo es, encoding="ISO-8859-1", antes de firmarlo; no lo '
                "convierta ni lo edite después.",
            )
        return Cause(
            f"no declara su codificación y no está en UTF-8 (línea {line}): parece ISO-8859-1",
            'Declare la codificación: el archivo comienza con <?xml version="1.0" '
            'encoding="ISO-8859-1"?>. El contenido está bien, no lo edite.',
        )
    return None
