"""What can be said of a file that is no DTE: a catalogue of notices, each made a finding where it applies."""

from dataclasses import dataclass
from datetime import date

from dte.rules.findings import Finding, Severity, SiiSeverity, plain, spell
from dte.rules.sources import spell_out as cite


def spell_out(value: object) -> str:
    """Write a value as a Chilean reads it; a day as 31-12-2026."""
    return value.strftime("%d-%m-%Y") if isinstance(value, date) else spell(value)


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that can be wrong, or that must be known.

    ``RANGE = Notice("CAF-23", "reject", "El rango va de {first} a {last}.", fix=…, source=…)`` and then
    ``RANGE.at("CAF/DA/RNG", first=5, last=1)``.
    """

    code: str
    severity: Severity
    message: str
    """Spanish, with ``{values}``."""
    fix: str
    source: str
    """Where it comes from; the short names of ``dte.rules.sources`` are written out."""
    sii: SiiSeverity = "n/a"

    def at(
        self,
        path: str,
        /,
        *,
        line: int | None = None,
        severity: Severity | None = None,
        message: str | None = None,
        fix: str | None = None,
        sii_code: str = "",
        document: int | None = None,
        **values: object,
    ) -> Finding:
        """Return the finding at a place, with the values that prove it."""
        spelled = {name: spell_out(value) for name, value in values.items()}
        return Finding(
            code=self.code,
            severity=severity or self.severity,
            sii_severity=self.sii,
            sii_code=sii_code,
            path=path,
            line=line,
            message=(message or self.message).format_map(spelled),
            fix=(fix or self.fix).format_map(spelled),
            source=cite(self.source),
            values={name: plain(value) for name, value in values.items()},
            document=document,
        )
