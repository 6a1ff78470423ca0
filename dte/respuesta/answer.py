"""What the SII answered, whatever the form: the facts that the readers find and the examination explains."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from dte.documents.rut import tidy

MAX_DOCUMENTS = 5_000
_RULE_CODE = re.compile(r"\b([A-Z]{3})(?: ?L?\[\d{1,4}\])?-(\d)-(\d{1,4})\b")
_STATE = re.compile(r"\s*(-?\d{1,3}|[A-Z]{3})\b[\s:.–-]*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DocumentState:
    """What it says of one document."""

    tipo: int
    folio: str
    state: str
    glosa: str = ""
    details: Sequence[str] = ()

    @property
    def codes(self) -> list[str]:
        """The SII's message codes in its details, as ``CAF-3-517``."""
        return rule_codes(" ".join((self.glosa, *self.details)))


@dataclass(frozen=True, slots=True)
class Totals:
    """How many documents of a type, by what became of them."""

    tipo: int
    informed: int = 0
    accepted: int = 0
    rejected: int = 0
    objected: int = 0


@dataclass(slots=True)
class SiiAnswer:
    state: str = ""
    """Its code; ``""`` when only words were found."""
    glosa: str = ""
    upload: str = ""
    """STATUS of the answer to an upload; ``""`` for every other answer."""
    track_id: str = ""
    issuer: str = ""
    sender: str = ""
    received: str = ""
    file: str = ""
    attention: str = ""
    """NUM_ATENCION, by which the SII finds the query."""
    totals: list[Totals] = field(default_factory=list)
    documents: list[DocumentState] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def says_something(self) -> bool:
        """Tell whether anything of use was found."""
        return bool(self.state or self.glosa or self.upload or self.documents)


def split_state(text: str) -> tuple[str, str]:
    """Return code and gloss of ``RSC - Rechazado por Error en Schema``."""
    found = _STATE.fullmatch(text)
    return (found[1], found[2].strip()[:300]) if found else ("", text.strip()[:300])


def rule_codes(text: str) -> list[str]:
    """Return the SII's message codes in a text, without the line of a reference."""
    return list(dict.fromkeys("-".join(found.groups()) for found in _RULE_CODE.finditer(text)))


def to_int(text: object) -> int:
    """Return a count; 0 for what is none."""
    digits = str(text).strip()
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 9 else 0


def to_folio(text: object) -> str:
    """Return a folio as documents carry it; ``""`` for what is none."""
    digits = str(text).strip().lstrip("0")
    return digits if digits.isascii() and digits.isdecimal() and len(digits) <= 10 else ""


def to_track(text: object) -> str:
    """Return the number of an upload, without leading zeros."""
    digits = str(text).strip().lstrip("0")
    return digits if digits.isascii() and digits.isdecimal() and len(digits) <= 20 else ""


def to_rut(text: object) -> str:
    """Return a RUT without dots, as documents carry it."""
    return tidy(str(text))[:12]
