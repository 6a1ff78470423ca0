"""What a rule says (a fault) and what the caller reads (a finding)."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any, Literal

Severity = Literal["reject", "review", "warn"]
SiiSeverity = Literal["rechazo", "reparo", "aviso", "n/a"]
Party = Literal["issuer", "receiver"]

# The worst first: the order in which findings are shown and verdicts decided.
SEVERITIES: tuple[Severity, ...] = ("reject", "review", "warn")


class Fault:
    """One breach of a rule, at a place of the document, with the values that prove it.

    ``severity``, ``message`` and ``fix`` replace the rule's own where a case differs from the rule;
    every other keyword is a value: it fills the ``{placeholders}`` of the message and is reported.
    """

    __slots__ = ("document", "fix", "line", "message", "path", "severity", "values")

    def __init__(
        self,
        path: str,
        /,
        *,
        severity: Severity | None = None,
        message: str | None = None,
        fix: str | None = None,
        line: int | None = None,
        document: int | None = None,
        **values: Any,
    ) -> None:
        self.path = path
        self.severity = severity
        self.message = message
        self.fix = fix
        self.line = line
        self.document = document
        self.values = values


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding as the API answers it."""

    code: str
    severity: Severity
    sii_severity: SiiSeverity
    sii_code: str
    path: str
    line: int | None
    message: str
    fix: str
    source: str
    values: dict[str, object]
    document: int | None = None
    responsible: Party = "issuer"
    """Who has to act on it: the one who issues the document, or the one who received it."""

    def as_dict(self) -> dict[str, object]:
        """Return the JSON form; ``document`` only where it says something."""
        # Not dataclasses.asdict: it copies every value deeply, and values are plain already.
        data = {name: getattr(self, name) for name in _FINDING_FIELDS}
        if self.document is not None:
            data["document"] = self.document
        return data


_FINDING_FIELDS = tuple(field.name for field in fields(Finding) if field.name != "document")


# A value proves a fault; nobody reads more of it than this.
_LONGEST = 200


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def spell(value: object) -> str:
    """Write a value as a Chilean reads it: 1.234.567,5; None is 'nada'."""
    if value is None:
        return "nada"
    if isinstance(value, bool):
        return "sí" if value else "no"
    if isinstance(value, (Decimal, int)):
        text = f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return text.translate(str.maketrans(",.", ".,"))
    if isinstance(value, (list, tuple, set, frozenset)):
        return _short(", ".join(spell(item) for item in value))
    return _short(str(value))


def plain(value: object) -> object:
    """Return a value as JSON can carry it without losing a digit."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else format(value, "f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return _short(value) if isinstance(value, str) else value


def worst_severity(findings: Iterable[Finding]) -> Severity:
    """Return the severity of the worst finding; ``warn`` where there is none."""
    return min((found.severity for found in findings), key=SEVERITIES.index, default="warn")
