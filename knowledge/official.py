"""Where the official texts are that a source names."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypedDict

# The SII's questions by the second part of their number: the folder of www.sii.cl where they are.
# Of other parts several folders are in use, so nothing is guessed.
_FOLDERS: Final = {"003": "factura_electronica", "380": "bol_electr_vtas_serv"}
_QUESTION: Final = re.compile(r"\b001[._](\d{3})[._](\d{4})\b")
_LAW: Final = re.compile(r"\bLey (\d{1,2}\.\d{3})\b")
_VAT: Final = re.compile(r"\bDL 825\b")
_LEYCHILE: Final = "https://www.bcn.cl/leychile/navegar"


class OfficialLink(TypedDict):
    """An official text, by its usual name."""

    label: str
    url: str


@lru_cache(maxsize=4_000)  # sources are few, and every answer names some
def official_links(source: str) -> Sequence[OfficialLink]:
    """Return the official texts that a document's source names and whose address is known, in order.

    Questions of the SII by number (https://www.sii.cl/preguntas_frecuentes/), laws by number, and DL 825
    (https://www.bcn.cl/leychile).
    """
    found: list[tuple[int, str, str]] = []
    for match in _QUESTION.finditer(source):
        if folder := _FOLDERS.get(match[1]):
            page = f"{folder}/001_{match[1]}_{match[2]}.htm"
            url = f"https://www.sii.cl/preguntas_frecuentes/{page}"
            found.append((match.start(), f"001.{match[1]}.{match[2]}", url))
    for match in _LAW.finditer(source):
        url = f"{_LEYCHILE}?idLey={match[1].replace('.', '')}"
        found.append((match.start(), match[0], url))
    found += [(vat.start(), vat[0], f"{_LEYCHILE}?idNorma=6369") for vat in _VAT.finditer(source)]
    links = {url: OfficialLink(label=label, url=url) for _, label, url in sorted(found)}
    return tuple(links.values())
