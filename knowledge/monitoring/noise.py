"""The lines of a text that say something; what changes by itself is left out.

Page dates, clocks, counters, sessions and the indicators of the day are noise. A date inside a sentence
or beside a document's name is not.
"""

import re
import unicodedata
from typing import Final

MONTHS: Final = "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre|diciembre"
_DAYS: Final = "lunes|martes|mi[ée]rcoles|jueves|viernes|s[áa]bado|domingo"
_TIME: Final = (
    rf"(?:{_DAYS})\b|\d{{1,2}}\s*(?:de\s+)?(?:{MONTHS})(?:\s*(?:de|del|,)?\s*\d{{4}})?|(?:{MONTHS})\s+(?:de\s+)?\d{{4}}|"
    r"\d{1,4}[/.-]\d{1,2}[/.-]\d{2,4}|\d{1,2}:\d{2}(?::\d{2})?(?:\s*(?:hrs?|horas|am|pm|a\.m\.|p\.m\.)\b\.?)?"
)
_DATE: Final = re.compile(_TIME, re.IGNORECASE)
# What may stand beside a date that is only the page's own.
_LABEL: Final = re.compile(
    r"(?:[uú]ltima|fecha|hora|oficial|actualizaci[oó]n|actualizad[oa]|modificaci[oó]n|modificad[oa]|revisad[oa]|"
    r"revisi[oó]n|publicad[oa]|publicaci[oó]n|generad[oa]|consultad[oa]|consulta|p[áa]gina|sitio|contenido|servidor|"
    r"santiago|chile|hoy|es|la|el|los|las|a|al|en|de|del|y|esta|este|fue|por|vez)",
    re.IGNORECASE,
)
_NOISE: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # Counters.
        r"(?:visitas?|visitantes?|contador|usuarios? (?:conectados?|en l[ií]nea)|lecturas?)\b[^a-z]*$",
        r".{0,40}\b(?:visitas|visitantes|usuarios conectados|usuarios en l[ií]nea)\s*:?\s*[\d.,]+$",
        r"(?:eres|es usted|usted es) el visitante\b.*$",
        # Sessions, servers, how long it took.
        r"(?:id(?:entificador)? de )?(?:sesi[oó]n|session|request id|support id|servidor|nodo)\b\s*[:#n°º]*\s*(?:[\w.-]*\d[\w.-]*)?$",
        r"(?:tiempo de respuesta|(?:p[áa]gina )?generad[ao] en)\b.*\d.*$",
        r"(?:hace|actualizado hace) (?:\d+|un|una|unos|unas|pocos) (?:segundos?|minutos?|horas?|d[ií]as?)\.?$",
        # Indicators of the day, and the line below every page.
        r"(?:valor )?(?:uf|utm|uta|ipc|d[oó]lar(?: observado)?|euro)\b(?:\s+(?:hoy|"
        + MONTHS
        + r"))?[^a-z]*$",
        r"(?:©|\(c\)|copyright)\s*(?:\d{4}|servicio de impuestos).{0,80}$",
        r"(?:bienvenid[oa]s?|hola)\b.{0,40}$",
        r"(?:imprimir|volver|subir|inicio|compartir|ir arriba|ver m[áa]s|siguiente|anterior)\W*$",
    )
)
_TOKEN: Final = re.compile(
    r";jsessionid=[^\s?#]*|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|"
    r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*\d)[0-9a-f]{16,}\b",
    re.IGNORECASE,
)
_SENTENCE: Final = re.compile(r"(?<=[.;?!])\s+(?=[A-ZÁÉÍÓÚÑ¿¡«\"(])")
_LONG: Final = 160  # characters; shorter lines are not divided


def lines(text: str) -> list[str]:
    """Return the lines of a text that say something, long ones sentence by sentence."""
    found: list[str] = []
    for raw in unicodedata.normalize("NFC", text).splitlines():
        line = " ".join(_TOKEN.sub("", raw).split()).strip(" |")
        parts = _SENTENCE.split(line) if len(line) > _LONG else [line]
        found += filter(_says_something, parts)
    return found


def _says_something(line: str) -> bool:
    bare = line.strip(" .:,;-–—·•*|>»\t")
    if not re.search(r"\w", bare):
        return False
    if any(pattern.match(bare) for pattern in _NOISE):
        return False
    without, dates = _DATE.subn(" ", bare)
    if not dates:
        return True
    return any(not _LABEL.fullmatch(word) for word in re.findall(r"[^\W_]+", without))


def key(line: str) -> str:
    """Return what two lines have in common that say the same."""
    same = unicodedata.normalize("NFKC", line.replace("°", "º")).casefold()
    return " ".join(same.split()).strip(" .:,;-–—·•*|>»")
