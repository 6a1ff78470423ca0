"""What every kind of file answers, and what a kind is.

A kind is a folder of ``dte/`` named by the SII's word, with a function that recognises a file and one
that examines it; ``dte/kinds.py`` lists them. How to add one is in CONTRIBUTING.md.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple, Protocol

from dte.examining.given import Given
from dte.rules.findings import Finding
from dte.rules.registry import Environment, Mode, SiiOutcome


class Past(NamedTuple):
    """A document that this API key had validated before."""

    id: str
    issuer: str
    tipo: int
    folio: str
    receiver: str
    total: Decimal | None
    recommendation: str
    outcome: SiiOutcome


class Records(Protocol):
    """What the history of an API key tells a kind; nothing is known where there is no key."""

    def used_folios(self, issuer: str, tipo: int, first: int, last: int) -> frozenset[int]:
        """Return the folios of a range that were used, as far as is known."""

    def document(self, issuer: str, tipo: int, folio: str) -> Past | None:
        """Return the newest validation of a document that was to be sent."""

    def sent_as(self, track_id: str) -> Sequence[Past]:
        """Return the documents of the upload that the SII gave this number."""


class NoRecords:
    """Nothing is known of the past, as on the command line."""

    def used_folios(self, issuer: str, tipo: int, first: int, last: int) -> frozenset[int]:
        """Return none."""
        return frozenset()

    def document(self, issuer: str, tipo: int, folio: str) -> Past | None:
        """Return nothing."""
        return None

    def sent_as(self, track_id: str) -> Sequence[Past]:
        """Return none."""
        return ()


@dataclass(frozen=True, slots=True)
class Case:
    """What an examination may know besides the file."""

    as_of: datetime
    mode: Mode = "emission"
    environment: Environment = ""
    receiver: str = ""
    records: Records = field(default_factory=NoRecords)


@dataclass(frozen=True, slots=True)
class Answered:
    """What the SII answered about a document; the history keeps it as that document's outcome."""

    outcome: SiiOutcome
    codes: tuple[str, ...] = ()
    detail: str = ""
    issuer: str = ""
    tipo: int = 0
    folio: str = ""
    track_id: str = ""
    """Number of the upload: with a document, which one it was sent in; without, all that were in it."""


class Table(NamedTuple):
    """Rows for people, such as the documents that an answer names."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    """As many texts as columns."""


class Ask(NamedTuple):
    """Something that would let the examination say more, if it came in the form beside the file."""

    name: str
    """Of the field: ``password``, ``usados``, ``document``, …"""
    label: str
    hint: str = ""
    type: Literal["text", "password", "file"] = "text"


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found out about one file that is no DTE."""

    state: str
    """One stable lower-case word: what the file is worth, or the state that the SII gave."""
    headline: str
    """The answer in a few Spanish words, as a title."""
    statement: str
    """The answer in one or two Spanish sentences."""
    findings: Sequence[Finding] = ()
    """The verdict follows from them: reject if one rejects, review if one asks for it, else send."""
    summary: dict[str, Any] = field(default_factory=dict)
    """For programs. ``type``, ``folio``, ``issuer`` and ``receiver`` (``{"rut", "name"}``) and ``total``
    go by these names, and are found in the history by them; ``track_id`` too."""
    facts: Sequence[tuple[str, str]] = ()
    """For people: what identifies the file, as Spanish labels and texts."""
    tables: Sequence[Table] = ()
    checked: Sequence[str] = ()
    not_checked: Sequence[str] = ()
    asks: Sequence[Ask] = ()
    confidence: int = 95
    answered: Sequence[Answered] = ()
    """What the SII said of documents, if this file is an answer of the SII."""


Examine = Callable[[Given, Case], Examination]
Together = Callable[[Sequence[Examination]], Examination]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file that the service takes."""

    name: str
    """The SII's word, at most 20 characters; ``kind`` of the answer."""
    title: str
    """What people call it, in Spanish."""
    recognise: Callable[[Given], bool]
    """Tells by a cheap look; must not raise. Parsing is for ``examine``."""
    examine: Examine
    """May raise ``Unreadable`` for a file that cannot be read; the answer is then a 400."""
    keeps_content: bool = True
    """False for files with a secret: their bytes are never stored, whatever the key's policy, nor
    their digest."""
    keeps_answer: bool = True
    """False where nothing at all is to be kept: the history gets the kind, the verdict and the codes."""
    together: Together | None = None
    """Says what several files of a ZIP show only together, such as a range of folios loaded twice."""
