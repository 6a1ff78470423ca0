"""Judging documents: the rules that apply are run, their faults become findings.

``judge`` takes one document, ``judge_envelope`` what only the whole envelope shows. Neither reaches the
network; the database is asked for earlier documents where the context has a history, and only then.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import lru_cache

import structlog

from dte import metrics
from dte.documents.document import Dte, Form
from dte.documents.envelope import Envelope
from dte.parsing.unreadable import Unreadable
from dte.rules import REGISTRY
from dte.rules.findings import SEVERITIES, Fault, Finding, plain, spell
from dte.rules.registry import ON_ENVELOPES, Context, Level, Mode, Rule

log = structlog.get_logger(__name__)

# A document of a thousand wrong lines is shown a few: more would bury the rest.
MAX_FINDINGS_PER_RULE = 20

_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}


def judge(dte: Dte, ctx: Context) -> list[Finding]:
    """Return every finding on one document, the worst first."""
    findings = _run(plan(dte.tipo, dte.form, "document", ctx.mode), dte, ctx, dte.present)
    if ctx.history is not None:
        findings += _run(plan(dte.tipo, dte.form, "history", ctx.mode), dte, ctx, dte.present)
    return sort(findings)


def judge_envelope(envelope: Envelope, ctx: Context) -> list[Finding]:
    """Return the findings of an envelope as a whole; call it after its last document."""
    return sort(_run(plan(0, "xml", "envelope", ctx.mode), envelope, ctx))


@lru_cache(maxsize=256)  # a document may claim any type
def plan(tipo: int, form: Form, level: Level, mode: Mode) -> tuple[Rule, ...]:
    """Return the rules that apply; for a type nobody knows, those that apply to every type."""
    from_type = _for_envelopes() if level == "envelope" else _for_type(tipo)
    return tuple(
        unit
        for unit in from_type
        if unit.level == level and form in unit.forms and mode in unit.modes
    )


def _for_envelopes() -> Iterator[Rule]:
    yield from REGISTRY.values()
    for code, function in ON_ENVELOPES.items():
        yield replace(REGISTRY[code], level="envelope", function=function)


def _for_type(tipo: int) -> Iterable[Rule]:
    known = any(tipo in unit.types for unit in REGISTRY.values())
    widest = max((unit.types for unit in REGISTRY.values()), key=len)
    return (
        unit
        for unit in REGISTRY.values()
        if (tipo in unit.types if known else unit.types == widest)
    )


def sort(findings: list[Finding]) -> list[Finding]:
    """Put the worst first; within a severity, in the order of the catalogue's codes."""
    findings.sort(key=lambda finding: (_RANK[finding.severity], finding.code))
    return findings


def _run(
    units: tuple[Rule, ...],
    subject: Dte | Envelope,
    ctx: Context,
    present: AbstractSet[str] = frozenset(),
) -> list[Finding]:
    findings: list[Finding] = []
    for unit in units:
        if unit.given and unit.given.isdisjoint(present):
            continue
        try:
            before = len(findings)
            for fault in unit.function(subject, ctx):
                found = to_finding(unit, fault, subject)
                findings.append(found if ctx.mode == "emission" else _as_received(found, unit))
                if len(findings) - before == MAX_FINDINGS_PER_RULE:
                    break
        except Exception:
            log.exception("dte.rule_failed", rule=unit.code)
            metrics.RULE_FAILURES.labels(unit.code).inc()
            findings.append(_failed(unit, ctx.mode))
    return findings


def to_finding(unit: Rule, fault: Fault, subject: Dte | Envelope | None = None) -> Finding:
    """Join what the rule always says with what this breach shows."""
    values = fault.values
    template = fault.message or unit.message
    message = template
    if "{" in template:
        message = template.format_map({name: spell(value) for name, value in values.items()})
    line = fault.line
    if line is None and subject is not None and fault.path:
        line = subject.line_of(fault.path)
    return Finding(
        code=unit.code,
        severity=fault.severity or unit.severity,
        sii_severity=unit.sii,
        sii_code=unit.sii_code,
        path=fault.path,
        line=line,
        message=message,
        fix=fault.fix or unit.fix,
        source=unit.source,
        values={name: plain(value) for name, value in values.items()},
        document=fault.document,
    )


def _as_received(found: Finding, unit: Rule) -> Finding:
    """Weigh a finding on what was received: an envelope's faults are none of its documents'."""
    most = unit.received or ("warn" if unit.level == "envelope" else None)
    if most is None or _RANK[found.severity] >= _RANK[most]:
        most = found.severity
    return replace(found, severity=most, responsible=unit.responsible)


def finding_of(reason: Unreadable, mode: Mode = "emission") -> Finding:
    """Return what the rule that stopped the reading says of it, and who acts on it in that mode."""
    fault = Fault(reason.path, line=reason.line, fix=reason.fix)
    fault.values.update(reason.values)
    unit = REGISTRY[reason.code]
    found = to_finding(unit, fault)
    return found if mode == "emission" else replace(found, responsible=unit.responsible)


def _failed(unit: Rule, mode: Mode) -> Finding:
    return Finding(
        code=unit.code,
        severity="review",
        sii_severity="n/a",
        sii_code="",
        path="",
        line=None,
        message=f"La regla {unit.code} no se pudo evaluar en este documento; revíselo a mano.",
        fix=unit.fix,
        source=unit.source,
        values={},
        responsible="issuer" if mode == "emission" else "receiver",
    )
