"""The envelope documents are sent in: EnvioDTE or EnvioBOLETA."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from lxml import etree

from dte.crypto import SignatureCheck, verify_envelope
from dte.documents.document import Dte, Values, line_below
from dte.formato.reading import Problem


class Reference(NamedTuple):
    """What a document refers to."""

    tipo: str
    folio: str
    code: str
    """CodRef: what a note does to it; empty where it only mentions it."""
    issuer: str
    """RUTOtr: whose it is, where it is not the issuer's own."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What an envelope remembers of each of its documents, so that it need not keep them all."""

    number: int
    tipo: int
    folio: str
    issuer: str
    receiver: str
    issued: date | None
    total: Decimal | None
    references: tuple[Reference, ...]
    line: int

    @classmethod
    def of(cls, dte: Dte, number: int) -> "Summary":
        """Summarise a document."""
        return cls(
            number=number,
            tipo=dte.tipo,
            folio=dte.folio,
            issuer=dte.issuer,
            receiver=dte.receiver,
            issued=dte.issued,
            total=dte.totals("MntTotal"),
            references=tuple(
                Reference(
                    ref.text("TpoDocRef"),
                    ref.text("FolioRef"),
                    ref.text("CodRef"),
                    ref.text("RUTOtr"),
                )
                for ref in dte.references
            ),
            line=dte.xml.first_line if dte.xml else 0,
        )


@dataclass
class Envelope:
    """EnvioDTE or EnvioBOLETA: its own data, and a summary of each document read so far."""

    kind: str
    """Local name of the root: ``EnvioDTE`` or ``EnvioBOLETA``."""
    caratula: Values
    raw: bytes
    """The whole file."""
    shell: etree._Element
    """The root with an empty ``<DTE/>`` in the place of each document; lines are the file's."""
    fragments: tuple[tuple[int, int], ...]
    """Start and end of each ``<DTE>…</DTE>`` in ``raw``."""
    encoding: str
    problems: tuple[Problem, ...] = ()
    documents: list[Summary] = field(default_factory=list)

    @cached_property
    def signature_check(self) -> SignatureCheck:
        """What is wrong with its signature; looking reads the whole file."""
        return verify_envelope(self.raw, self.fragments, self.encoding)

    def line_of(self, path: str) -> int | None:
        """Return the line of ``SetDTE/Caratula/RutEnvia`` and the like."""
        return line_below(self.shell, path.removeprefix(f"{self.kind}/"))
