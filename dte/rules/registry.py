"""How a rule is written down: one small declarative unit, registered by its decorator.

    @rule(
        "GUI-06",
        types={52},
        sii="aviso",
        severity="warn",
        title="La guía no indica la comuna de destino.",
        fix="Complete Transporte/CmnaDest.",
        source="F2.2 p.20 campo 72 (obligatoriedad 1)",
        fields=("Encabezado/Transporte/CmnaDest",),
    )
    def destination_commune(dte: Dte, ctx: Context) -> Faults:
        if not dte.has("Encabezado/Transporte/CmnaDest"):
            yield Fault("Encabezado/Transporte/CmnaDest")

The function yields a fault for each breach and nothing when all is well; it never raises for what a
document may contain. The engine turns faults into findings.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple, Protocol, TypedDict, TypeVar

from dte.documents.document import Dte, Form
from dte.documents.envelope import Envelope
from dte.formato.tipos import ALL_TYPES
from dte.rules.findings import Fault, Party, Severity, SiiSeverity
from dte.rules.sources import spell_out

Level = Literal["file", "document", "envelope", "history"]
Confidence = Literal["alta", "media", "baja", "n/a"]
Mode = Literal["emission", "reception"]
Environment = Literal["produccion", "certificacion", ""]
Faults = Iterator[Fault]

XML: frozenset[Form] = frozenset({"xml"})
JSON: frozenset[Form] = frozenset({"json"})
LEGACY: frozenset[Form] = frozenset({"legacy"})
FULL: frozenset[Form] = frozenset({"xml", "json"})
EMISSION: frozenset[Mode] = frozenset({"emission"})
RECEPTION: frozenset[Mode] = frozenset({"reception"})
BOTH_MODES = EMISSION | RECEPTION
EVERY_FORM: frozenset[Form] = frozenset({"xml", "json", "legacy"})


# How the SII treats a fault, and what we recommend where the two go together; for a rule's arguments.
class Treatment(TypedDict):
    """What the SII does with a fault, and what we recommend."""

    sii: SiiSeverity
    severity: Severity


REJECTED: Treatment = {"sii": "rechazo", "severity": "reject"}
OBJECTED: Treatment = {"sii": "reparo", "severity": "review"}
WARNED: Treatment = {"sii": "aviso", "severity": "warn"}

SiiOutcome = Literal["", "accepted", "objected", "rejected", "annulled"]


class Earlier(NamedTuple):
    """What is known of a document that this API key had validated before."""

    same_content: bool
    """It was this very document, byte for byte: a retry, not another document."""
    outcome: SiiOutcome
    """What the SII answered, as the caller reported it; empty when it has not said."""
    total: Decimal | None
    """Its MntTotal."""
    received_same: bool | None = None
    """Whether the one validated on reception was this very document; None if none ever was."""


class History(Protocol):
    """Earlier validations of the same API key."""

    def expect(self, dte: Dte, digest: str) -> None:
        """Hear which content is about to be judged, so as to know a retry from another document."""

    def earlier(self, issuer: str, tipo: int, folio: str) -> Earlier | None:
        """Return the last validation of this type and folio of this issuer, if there was one."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may know besides the document."""

    as_of: datetime
    mode: Mode = "emission"
    environment: Environment = ""
    envelope: Envelope | None = None
    number: int = 1
    """Position of the document in its envelope, from 1."""
    history: History | None = None
    receiver: str = ""
    """RUT of the company that received the document, where the caller said it (reception)."""


RuleFunction = Callable[..., Iterable[Fault]]
"""Of a Dte or an Envelope, by the level of the rule, and a Context."""
F = TypeVar("F", bound=Callable[..., Iterable[Fault]])


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the catalogue."""

    code: str
    title: str
    message: str
    fix: str
    source: str
    sii: SiiSeverity
    severity: Severity
    sii_code: str
    confidence: Confidence
    types: frozenset[int]
    forms: frozenset[Form]
    level: Level
    modes: frozenset[Mode]
    fields: tuple[str, ...]
    given: frozenset[str]
    received: Severity | None
    responsible: Party
    note: str
    function: RuleFunction = field(repr=False)

    @property
    def from_practice(self) -> bool:
        """Whether its evidence is what the SII was seen to do, and no document of the SII says it."""
        return self.source.startswith("práctica")

    @property
    def family(self) -> str:
        """The letters of the code."""
        return self.code.partition("-")[0]


REGISTRY: dict[str, Rule] = {}
FAMILIES: dict[str, str] = {}
"""What each family is about, by the letters of its codes."""
ON_ENVELOPES: dict[str, RuleFunction] = {}
"""Rules about documents that an envelope can breach too, with what looks for it."""


def rule(
    code: str,
    *,
    title: str,
    fix: str,
    source: str,
    sii: SiiSeverity,
    severity: Severity,
    message: str = "",
    sii_code: str = "",
    confidence: Confidence = "n/a",
    types: Collection[int] = ALL_TYPES,
    forms: Collection[Form] = FULL,
    level: Level = "document",
    modes: Collection[Mode] = BOTH_MODES,
    fields: tuple[str, ...] = (),
    given: Collection[str] = (),
    received: Severity | None = None,
    responsible: Party = "issuer",
    note: str = "",
) -> Callable[[F], F]:
    """Register the decorated function as the rule ``code``.

    Args:
        code: Family and number, such as ``TOT-13``.
        title: What is wrong, in one Spanish sentence without values.
        fix: What to do about it.
        source: Where the rule comes from; the short names of ``dte.rules.sources`` are written out.
        sii: How the SII treats the fault.
        severity: What we recommend.
        message: Sentence with ``{values}`` of the fault; the title where it needs none.
        sii_code: The SII's message code, where known.
        confidence: How sure ``sii`` is.
        types: Document types it applies to.
        forms: Forms it can judge; the flat legacy form only where its few fields suffice.
        level: ``document`` (function of a Dte), ``envelope`` (function of an Envelope, after its
            last document), ``history`` (of a Dte, only when the context has a history), ``file``
            (raised by the readers: its function is never called).
        modes: Whether it judges what one is about to send, what one has received, or both.
        fields: Paths involved, for the catalogue.
        given: Optional data that the rule is about, as ``Dte.present`` names it: where none of it is
            there, the rule has nothing to say and is not run. Empty: it always runs.
        received: The most it weighs on what was received. The envelope of an exchange never passes
            through the SII: unless a rule says otherwise, its faults are then no more than a warning.
        responsible: Who acts on the fault in a document that was received. In one to be sent it is its
            issuer in any case.
        note: What a reader of the catalogue should know.
    """

    def register(function: F) -> F:
        if code in REGISTRY:
            raise ValueError(f"rule {code} is registered twice")
        REGISTRY[code] = Rule(
            code=code,
            title=title,
            message=message or title,
            fix=fix,
            source=spell_out(source),
            sii=sii,
            severity=severity,
            sii_code=sii_code,
            confidence=confidence,
            types=frozenset(types),
            forms=frozenset(forms),
            level=level,
            modes=frozenset(modes),
            fields=fields,
            given=frozenset(given),
            received=received,
            responsible=responsible,
            note=note,
            function=function,
        )
        return function

    return register


def family(letters: str, title: str) -> None:
    """Name a family of rules, for the catalogue; in the module that holds most of them."""
    FAMILIES[letters] = title


def also_on_envelopes(code: str) -> Callable[[F], F]:
    """Register the decorated function of an Envelope as what the rule ``code`` says of envelopes."""

    def register(function: F) -> F:
        ON_ENVELOPES[code] = function
        return function

    return register


def by_reader(*_: object) -> Faults:
    """Stand where a rule's function would: its breach is found while the file is read."""
    return iter(())
