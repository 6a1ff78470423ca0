"""From findings to an answer: what to do, how sure we are, and what was and was not checked."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from dte.documents.document import Dte, Form
from dte.formato.tipos import TYPE_NAMES
from dte.rules import REGISTRY
from dte.rules.findings import Finding, plain, worst_severity
from dte.rules.recepcion import CLAIMABLE
from dte.rules.registry import Mode

Recommendation = Literal["send", "review", "reject"]

# From the best to the worst: a verdict can only move to the right.
RECOMMENDATIONS: tuple[Recommendation, ...] = ("send", "review", "reject")

# How sure the answer "send" is by what could be looked at: without the XML nobody saw stamp and
# signatures, and the flat form has a dozen fields. Never 100: only the SII knows what it received.
_SEND_CONFIDENCE: dict[Form, int] = {"xml": 95, "json": 85, "legacy": 60}
# How sure it is that the SII acts on a fault, by the catalogue's own confidence in its source. Faults
# that are not the SII's matter ("n/a") are certain: they are ours.
_FAULT_CONFIDENCE = {"alta": 98, "media": 85, "baja": 70, "n/a": 98}

_CHECKED: dict[Form, tuple[str, ...]] = {
    "xml": (
        "formato vigente del SII (esquemas de 2026-02-06)",
        "contenido, fechas y aritmética",
        "timbre electrónico y CAF",
        "firma electrónica y vigencia del certificado al firmar",
    ),
    "json": ("tipos, largos y códigos del formato del SII", "contenido, fechas y aritmética"),
    "legacy": ("RUT, tipo, fecha y montos de la forma plana",),
}
_UNCHECKED: dict[Form, tuple[str, ...]] = {
    "xml": (),
    "json": ("timbre y CAF", "firma electrónica"),
    "legacy": ("formato completo", "timbre y CAF", "firma electrónica", "referencias y encabezado"),
}
# Known to the SII alone, whatever the form.
_ONLY_SII = (
    "si el folio ya fue usado o anulado",
    "si el emisor está autorizado y el Acteco es suyo",
    "si el documento referenciado existe en el SII",
    "revocación del certificado",
)

_WORDS: dict[Mode, dict[Recommendation, str]] = {
    "emission": {
        "send": "No se encontraron faltas por las que el SII lo rechazaría, en lo que se pudo revisar.",
        "review": "El SII probablemente lo recibiría, pero hay puntos que una persona debe revisar antes.",
        "reject": "Tiene faltas por las que el SII lo rechazaría o que deben corregirse antes de usarlo.",
    },
    "reception": {
        "send": "No se encontró nada que objetar, en lo que se pudo revisar.",
        "review": "Hay puntos que una persona debe revisar antes de aceptarlo.",
        "reject": "Tiene faltas por las que el SII lo rechazaría o por las que no conviene aceptarlo.",
    },
}
# A rule's fix speaks to whoever can change the document, who is not its receiver.
_RECEIVER = "Las correcciones le corresponden al emisor."
_ENVELOPE_ONLY = "Lo señalado es del sobre con que llegó, que no pasa por el SII: no es motivo para reclamar el documento."
_RECEIVER_MAY: dict[bool, str] = {
    True: "Usted puede reclamar el documento en el registro del SII dentro de los 8 días desde que el "
    "SII lo recibió, o pedirle una nota de crédito que lo anule o lo corrija.",
    False: "Usted puede pedirle que lo anule o lo corrija.",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one document or one envelope."""

    recommendation: Recommendation
    confidence: int
    errors: tuple[str, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Return the four fields that older clients read."""
        return {
            "recommendation": self.recommendation,
            "confidence": self.confidence,
            "errors": list(self.errors),
            "warnings": list(self.warnings),
        }


def decide(findings: Sequence[Finding], form: Form) -> Verdict:
    """Return reject if any finding rejects, review if any asks for it, else send."""
    severity = worst_severity(findings)
    recommendation: Recommendation = "send" if severity == "warn" else severity
    return Verdict(
        recommendation=recommendation,
        confidence=_confidence(findings, recommendation, form),
        errors=tuple(_line(found) for found in findings if found.severity == "reject"),
        warnings=tuple(_line(found) for found in findings if found.severity != "reject"),
    )


def worst(recommendations: Iterable[Recommendation]) -> Recommendation:
    """Return the worst of several answers: an envelope is as good as its worst document."""
    return max(recommendations, key=RECOMMENDATIONS.index, default="send")


def _confidence(findings: Sequence[Finding], recommendation: Recommendation, form: Form) -> int:
    if recommendation == "send":
        return _SEND_CONFIDENCE[form]
    return max(
        _FAULT_CONFIDENCE[REGISTRY[found.code].confidence] if found.code in REGISTRY else 60
        for found in findings
        if found.severity == recommendation
    )


def _line(found: Finding) -> str:
    """One line for clients that show text: the code first, so that people can search for it."""
    where = f" ({found.path})" if found.path and found.path not in found.message else ""
    return f"[{found.code}] {found.message}{where}"


def statement(
    recommendation: Recommendation,
    form: Form,
    mode: Mode = "emission",
    types: Iterable[int | None] = (),
    *,
    of_envelope: bool = False,
) -> dict[str, object]:
    """Return ``valid_for_sii``: an answer in words, with what it rests on and what it cannot know.

    Args:
        recommendation: The verdict.
        form: In which form the document came.
        mode: To whom it speaks: who is about to send the document, or who received it.
        types: The types of the documents, by which a receiver can claim against them or not.
        of_envelope: Whether what is wrong is the envelope's, and its documents are good.
    """
    words = [_WORDS[mode][recommendation]]
    if mode == "reception" and recommendation != "send":
        words += (
            [_ENVELOPE_ONLY]
            if of_envelope
            else [_RECEIVER, _RECEIVER_MAY[not CLAIMABLE.isdisjoint(types)]]
        )
    return {
        "statement": " ".join(words),
        "checked": list(_CHECKED[form]),
        "not_checked": [*_UNCHECKED[form], *_ONLY_SII],
    }


def summary(dte: Dte) -> dict[str, object]:
    """Return what identifies a document, for the answer and the history."""
    return {
        "type": dte.tipo or None,
        "type_name": TYPE_NAMES.get(dte.tipo, ""),
        "folio": dte.folio,
        "issue_date": dte.issued.isoformat() if dte.issued else None,
        "issuer": {
            "rut": dte.issuer,
            "name": dte.text("Encabezado/Emisor/RznSoc")
            or dte.text("Encabezado/Emisor/RznSocEmisor"),
        },
        "receiver": {
            "rut": dte.receiver,
            "name": dte.text("Encabezado/Receptor/RznSocRecep"),
        },
        "total": plain(dte.totals("MntTotal")),
        "currency": dte.text("Encabezado/Totales/TpoMoneda") or "CLP",
        "lines": len(dte.lines),
        "form": dte.form,
    }
