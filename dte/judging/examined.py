"""Examining one file that is no DTE, and its answer in the shape of a document's."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import structlog

from dte.examining.examination import Case, Examination, Kind, Table
from dte.examining.given import Given
from dte.examining.notices import Notice
from dte.judging.verdict import Verdict, decide
from dte.parsing.unreadable import Unreadable
from dte.rules.findings import SEVERITIES, Finding
from dte.rules.registry import Mode

log = structlog.get_logger(__name__)

FAILED = Notice(
    "KND-01",
    "review",
    "El archivo se reconoció como {title}, pero no se pudo examinar.",
    fix="Revíselo a mano, y avise a quien administra el servicio.",
    source="Regla propia",
)


@dataclass
class Examined:
    """One file with everything said about it; to the history and to a batch it is like a ``Judged``."""

    kind: Kind
    examination: Examination
    form: str
    digest: str
    """SHA-256 of the file; empty where nothing of it may be kept."""
    mode: Mode = "emission"
    content: bytes = field(default=b"", repr=False)
    """The file, for a key that asked us to keep it; empty where nothing of it may be kept."""
    number: int = 1
    id: str = ""
    links: list[dict[str, object]] = field(default_factory=list)
    """The validations that this file is about, once the history was asked."""
    review: dict[str, object] = field(default_factory=dict)

    @property
    def kind_name(self) -> str:
        """The SII's word for it."""
        return self.kind.name

    @cached_property
    def findings(self) -> list[Finding]:
        """The findings, the worst first; within a severity, as the kind tells them."""
        return sorted(self.examination.findings, key=lambda found: SEVERITIES.index(found.severity))

    @property
    def summary(self) -> dict[str, Any]:
        """What identifies it, for programs."""
        return self.examination.summary

    @cached_property
    def verdict(self) -> Verdict:
        """What to do with it."""
        return replace(decide(self.findings, "xml"), confidence=self.examination.confidence)

    @cached_property
    def stored(self) -> Mapping[str, Any]:
        """What the history keeps to show later, besides the findings."""
        if not self.kind.keeps_answer:
            return {"type_name": self.kind.title, "state": self.examination.state}
        found = self.examination
        return {
            **found.summary,
            "type_name": self.kind.title,
            "state": found.state,
            "headline": found.headline,
            "statement": found.statement,
            "facts": _pairs(found.facts),
            "tables": [_table(table) for table in found.tables],
            "not_checked": list(found.not_checked),
            "links": self.links,
        }

    @property
    def stored_findings(self) -> list[dict[str, object]]:
        """The findings as the history keeps them."""
        shown = [found.as_dict() for found in self.findings]
        if self.kind.keeps_answer:
            return shown
        return [{**one, "message": "", "path": "", "line": None, "values": {}} for one in shown]

    def as_dict(self) -> dict[str, object]:
        """Return the answer."""
        found, verdict = self.examination, self.verdict
        return {
            **({"id": self.id} if self.id else {}),
            "kind": self.kind.name,
            "title": self.kind.title,
            "state": found.state,
            "headline": found.headline,
            **verdict.as_dict(),
            "findings": [one.as_dict() for one in self.findings],
            "summary": found.summary,
            "facts": _pairs(found.facts),
            "tables": [_table(table) for table in found.tables],
            "links": self.links,
            "asks": [ask._asdict() for ask in found.asks],
            "not_checked": list(found.not_checked),
            "valid_for_sii": {
                "statement": found.statement,
                "checked": list(found.checked),
                "not_checked": list(found.not_checked),
            },
        }


def _pairs(facts: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"label": label, "value": value} for label, value in facts if value]


def _table(table: Table) -> dict[str, object]:
    return {
        "title": table.title,
        "columns": list(table.columns),
        "rows": [list(row) for row in table.rows],
    }


def examine(kind: Kind, given: Given, case: Case) -> Examined:
    """Examine a file that was recognised.

    Raises:
        Unreadable: It cannot be read.
    """
    try:
        examination = kind.examine(given, case)
    except Unreadable:
        raise
    except Exception as exc:  # noqa: BLE001 - one kind's bug is no reason to refuse the file
        # The text of an exception may quote the file, which may hold a secret.
        log.error("dte.kind_failed", kind=kind.name, error=type(exc).__name__)
        examination = _failed(kind)
    keeps = kind.keeps_content and kind.keeps_answer
    return Examined(
        kind=kind,
        examination=examination,
        form=given.form,
        digest=hashlib.sha256(given.content).hexdigest() if keeps else "",
        mode=case.mode,
        content=given.content if keeps else b"",
    )


def _failed(kind: Kind) -> Examination:
    return Examination(
        state="sin examinar",
        headline="No se pudo examinar",
        statement="El archivo se reconoció, pero su examen falló: revíselo a mano.",
        findings=[FAILED.at("/", title=kind.title)],
        confidence=50,
    )
