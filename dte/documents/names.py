"""Company names as people read them: without case, accents and signs, abbreviated or not."""

import re
import unicodedata
from functools import lru_cache

# The SII cuts the registered name at 40 characters, and a blank at the end is lost.
CUT = 40
_NEARLY_CUT = 38

# Written out, so that a name cut inside a word is still the beginning of the whole one.
_LONG_FORMS = {
    "ltda": "limitada",
    "sa": "sociedadanonima",
    "spa": "sociedadporacciones",
    "eirl": "empresaindividualderesponsabilidadlimitada",
    "cia": "compania",
    "soc": "sociedad",
    "com": "comercial",
    "hnos": "hermanos",
    "ing": "ingenieria",
    "inv": "inversiones",
    "serv": "servicios",
    "transp": "transportes",
    "dist": "distribuidora",
    "agric": "agricola",
    "constr": "constructora",
    "inmob": "inmobiliaria",
    "imp": "importadora",
    "exp": "exportadora",
    "y": "",
    "e": "",
}
_INITIALS = re.compile(r"\b([a-z](?: [a-z])+)\b")


@lru_cache(maxsize=2048)
def same_name(registered: str, name: str) -> bool:
    """Tell whether two company names are one; the registered one may be cut at 40 characters."""
    if _fold(name[:CUT]) == _fold(registered[:CUT]):
        return True
    whole = "".join(_words(name))
    words = _words(registered)
    if "".join(words) == whole:
        return True
    if len(registered) < _NEARLY_CUT:
        return False
    # The last word may be a piece: of a word, or of an abbreviation that the name writes out.
    *before, _ = words
    piece = _fold(registered.split()[-1])
    start = "".join(before)
    return whole.startswith((start + piece, start + words[-1])) or (
        whole.startswith(start) and _begins_abbreviation(piece, whole.removeprefix(start))
    )


def _begins_abbreviation(piece: str, rest: str) -> bool:
    return any(short.startswith(piece) and rest == long for short, long in _LONG_FORMS.items())


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name.lower().replace("&", " y "))
    letters = "".join(sign if sign.isalnum() else " " for sign in plain if not _is_mark(sign))
    joined = _INITIALS.sub(lambda found: found[1].replace(" ", ""), " ".join(letters.split()))
    return [_LONG_FORMS.get(word, word) for word in joined.split()] or [""]


def _is_mark(sign: str) -> bool:
    """Accents, which NFKD sets apart, and dots, which stand in S.A. and Ltda."""
    return unicodedata.combining(sign) > 0 or sign in ".'"


def _fold(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower().replace("&", "y"))
    return "".join(letter for letter in plain if letter.isalnum())
