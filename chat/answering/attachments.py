"""Files attached to a question: examined first, then given to the model as data."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.conf import settings
from django.utils.module_loading import import_string

from usage.models import ApiKey

MOST: Final = 3
LONGEST: Final = 500_000  # characters of one file
# What the model is told of one file: a long envelope has more to say than anybody would read.
_FINDINGS: Final = 25
_TEXT: Final = 8_000
_FINDING_FIELDS: Final = ("code", "severity", "message", "fix", "location", "values")
_VERDICTS: Final = {
    "send": "se puede enviar",
    "review": "conviene revisarlo antes de enviarlo",
    "reject": "no se debe enviar",
}

Examine = Callable[[ApiKey, str, str], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class File:
    """A file as it came."""

    filename: str
    content: str


@dataclass(frozen=True)
class Attached:
    """A file that was examined.

    Attributes:
        kind: The SII's word for what it is.
        verdict: ``send``, ``review`` or ``reject``.
        summary: One line about it, in Spanish.
        text: What the model is told: verdict and findings, JSON.
    """

    filename: str
    kind: str
    verdict: str
    summary: str
    text: str

    def as_dict(self) -> dict[str, str]:
        """Return what is stored with the question."""
        return asdict(self)


async def examined(files: Sequence[File], api_key: ApiKey) -> tuple[Attached, ...]:
    """Examine files, one after the other, by what ``CHAT_EXAMINE`` names."""
    examine: Examine = import_string(settings.CHAT_EXAMINE)
    return tuple(
        [
            _attached(one.filename, await examine(api_key, one.filename, one.content))
            for one in files
        ]
    )


def stored(rows: Sequence[dict[str, str]]) -> tuple[Attached, ...]:
    """Return the files of a question that was asked before."""
    return tuple(Attached(**row) for row in rows)


def _attached(filename: str, answer: dict[str, Any]) -> Attached:
    results = answer.get("results") or [answer]
    findings = [one for result in results for one in result.get("findings", [])]
    findings += answer.get("findings", []) if "results" in answer else []
    verdict = str(answer.get("recommendation", ""))
    kind = str(answer.get("kind", ""))
    told = {
        "kind": kind,
        "recommendation": verdict,
        "headline": answer.get("headline", ""),
        "summary": answer.get("summary") or {},
        "documents": len(results),
        "findings_total": len(findings),
        "findings": [
            {name: one[name] for name in _FINDING_FIELDS if one.get(name)}
            for one in findings[:_FINDINGS]
        ],
    }
    return Attached(filename, kind, verdict, _line(kind, verdict, len(findings)), _bounded(told))


def _line(kind: str, verdict: str, findings: int) -> str:
    count = "sin observaciones" if not findings else f"{findings} observaciones"
    count = "1 observación" if findings == 1 else count
    parts = (kind, _VERDICTS.get(verdict, ""), count)
    return " · ".join(part for part in parts if part)


def _bounded(told: dict[str, Any]) -> str:
    """Return it as JSON of a bounded length, leaving out findings from the end."""
    while len(text := json.dumps(told, ensure_ascii=False, default=str)) > _TEXT:
        if told["findings"]:
            told["findings"] = told["findings"][:-1]
        elif told["summary"]:
            told["summary"] = {}
        else:
            return text[:_TEXT]
    return text
