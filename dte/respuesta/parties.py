"""What RespuestaDTE and EnvioRecibos have in common: documents named, signatures, comparisons."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from dte.documents.document import Dte, Values
from dte.examining.examination import Answered, Case
from dte.examining.signatures import SignatureNotices
from dte.formato.reading import Problem
from dte.formato.tipos import TYPE_NAMES
from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import read_xml
from dte.respuesta import avisos
from dte.respuesta.answer import to_int
from dte.rules.findings import Finding

MOST_COMPARED = 500

signature: Final = SignatureNotices(avisos.SIGNATURE, avisos.CERTIFICATE)


@dataclass(frozen=True, slots=True)
class Named:
    """A document that an answer names."""

    path: str
    values: Values
    tipo_field: str = "TipoDTE"

    @property
    def tipo(self) -> int:
        """Its type."""
        return to_int(self.values.text(self.tipo_field))

    @property
    def folio(self) -> str:
        return self.values.text("Folio").lstrip("0")

    @property
    def issuer(self) -> str:
        """RUT of its issuer."""
        return self.values.text("RUTEmisor")

    @property
    def receiver(self) -> str:
        """RUT of its receiver."""
        return self.values.text("RUTRecep")

    @property
    def name(self) -> str:
        """What people call it."""
        return f"{TYPE_NAMES.get(self.tipo, f'Documento tipo {self.tipo}')} N° {self.folio}"

    def answered(self) -> Answered:
        """Link to its validation, without saying what the SII thinks of it."""
        return Answered("", issuer=self.issuer, tipo=self.tipo, folio=self.folio)


def structure(problems: Sequence[Problem]) -> Iterator[Finding]:
    """Say what does not fit the schema."""
    for problem in problems[:50]:
        yield avisos.STRUCTURE.at(
            problem.path, line=problem.line, lugar=problem.path, problema=problem.text
        )


def against_document(named: Sequence[Named], content: bytes | None) -> Iterator[Finding]:
    """Compare with the document that came beside, if one did."""
    if content is None:
        return
    try:
        documents = [dte for dte, _ in zip(read_xml(content).documents(), range(50), strict=False)]
    except Unreadable:
        return
    by_identity = {(one.tipo, one.folio): one for one in named}
    for dte in documents:
        one = by_identity.get((dte.tipo, dte.folio))
        if one is None:
            yield avisos.NOT_NAMED.at("/", tipo=dte.tipo, folio=dte.folio)
        else:
            yield from _differences(one, dte)


def _differences(one: Named, dte: Dte) -> Iterator[Finding]:
    amount = dte.totals("MntTotal")
    pairs = (
        ("FchEmis", one.values.text("FchEmis"), dte.text("Encabezado/IdDoc/FchEmis")),
        ("RUTEmisor", one.issuer, dte.issuer),
        ("RUTRecep", one.receiver, dte.receiver),
        ("MntTotal", str(one.values.amount("MntTotal") or 0), str(amount or 0)),
    )
    for name, says, is_ in pairs:
        if says.upper() != is_.upper():
            yield avisos.OTHER_DOCUMENT.at(
                f"{one.path}/{name}", documento=one.name, campo=name, dice=says, es=is_
            )


def against_history(named: Sequence[Named], case: Case) -> Iterator[Finding]:
    """Compare with what this key had validated of the same folios."""
    for one in named[:MOST_COMPARED]:
        known = case.records.document(one.issuer, one.tipo, one.folio)
        if known is None:
            continue
        amount = one.values.amount("MntTotal")
        if known.total is not None and amount is not None and known.total != amount:
            yield avisos.OTHER_THAN_KNOWN.at(
                f"{one.path}/MntTotal",
                documento=one.name,
                campo="MntTotal",
                dice=amount,
                es=known.total,
            )
        if known.receiver and known.receiver != one.receiver:
            yield avisos.OTHER_THAN_KNOWN.at(
                f"{one.path}/RUTRecep", documento=one.name, campo="RUTRecep", dice=one.receiver,
                es=known.receiver,
            )  # fmt: skip


def from_receiver(named: Sequence[Named], answering: str) -> Iterator[Finding]:
    """Say where somebody else than the receiver answers."""
    for one in named[:MOST_COMPARED]:
        if answering and one.receiver and answering != one.receiver:
            yield avisos.OTHER_RECEIVER.at(
                one.path, documento=one.name, responde=answering, receptor=one.receiver
            )
            return
