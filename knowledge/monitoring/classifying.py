"""What a change means, by rules alone: numbers, words and dates that stand in it.

Used as it is where the model cannot be asked, and as the ground that the model's word is held to where
it can (knowledge/monitoring/asking.py).
"""

import re
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from knowledge.models import Kind, SiiNotice
from knowledge.monitoring.comparing import Change
from knowledge.monitoring.references import dates, dte_types, references

Impact = SiiNotice.Impact

# What of the trade a change may touch, by the words that say so.
COMPONENTS: Final[dict[str, str]] = {
    "esquema y formato": r"\besquemas?\b|\bxsd\b|\bschema|\bformato|\bcampos?\b|\bxml\b",
    "folios y CAF": r"\bfolios?\b|\bcaf\b|timbraje",
    "firma y timbre": r"\bfirmas?\b|firma electr[oó]nica|\btimbre|\bted\b|pdf417",
    "certificados": r"certificados?\s+digital|prestador(?:es)? de servicios de certificaci[oó]n",
    "envío y estados": r"\benv[ií]o|\btoken|\bsemilla|web\s*services?|track\s?id|\breparos?\b|\brechaz",
    "boletas": r"\bboletas?\b|\bvoucher",
    "guías y traslado": r"gu[ií]as? de despacho|\btraslado|\btransport",
    "notas": r"notas? de (?:cr[ée]dito|d[ée]bito)",
    "aceptación y cesión": r"\bacuse|\bacepta|\breclam|\bcesi[oó]n|\bceder|\bfactoring|m[ée]rito ejecutivo",
    "libros y registros": r"\blibros?\b|registro de compras|\brcv\b|\biecv\b|\bf29\b|formulario 29",
    "exportación": r"\bexportaci|\baduana|\bdus\b",
    "impuestos y retenciones": r"\biva\b|\bimpuestos?\b|\bretenci|cambio de sujeto|\btasas?\b",
    "representación impresa": r"representaci[oó]n impresa|\bimpres[ao]s?\b|\bcedible",
    "certificación de software": r"certificaci[oó]n de (?:software|sistemas)|set de pruebas|postulaci[oó]n",
}
_COMPONENTS: Final = {name: re.compile(words, re.IGNORECASE) for name, words in COMPONENTS.items()}
_DTE: Final = re.compile(
    r"electr[oó]nic[ao]s?\b|\bdte\b|\bboletas?\b|\bfacturas?\b|gu[ií]as? de despacho|notas? de (?:cr|d[ée]b)|\bcaf\b|\bfolios?\b",
    re.IGNORECASE,
)
_BINDING: Final = re.compile(
    r"\bobligator|\bobligaci|\bdeber[áa]n?\b|\brechaz|\breparo|\bderog|\bsustitu|\breemplaz|\bmodific|\belimin|"
    r"\bnuev[oa]s?\s+(?:campos?|versi[oó]n|esquemas?|formatos?|c[oó]digos?|tipos?)|\bvigencia|entrar[áa]n? en vigor|"
    r"a contar del?|a partir del?|\bplazo|\bproh[ií]b|\bprorrog|\bmultas?\b|\bsancion",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Classification:
    """What a change is about and what it asks for; the fields are those of `SiiNotice`."""

    kind: str
    number: str
    dates: list[str]
    dte_types: list[int]
    components: list[str]
    summary: str
    impact: int
    actions: list[str]
    classified_by: str = SiiNotice.Author.RULES
    usage_id: UUID | None = None


def by_rules(change: Change, source_kind: str, source_name: str) -> Classification:
    """Classify a change without the model.

    Args:
        change: What changed.
        source_kind: What the page publishes.
        source_name: Its name, for the summary.
    """
    said = "\n".join(change.added) or change.text
    kind = _kind(said, source_kind)
    numbers = [found.number for found in references(said) if found.kind == kind]
    types = dte_types(change.text)
    components = [name for name, words in _COMPONENTS.items() if words.search(change.text)]
    return Classification(
        kind=kind,
        number=", ".join(dict.fromkeys(numbers))[:60],
        dates=[day.isoformat() for day in dates(said)][:10],
        dte_types=types,
        components=components,
        summary=_summary(change, source_name),
        impact=_impact(change.text, kind, bool(types)),
        actions=_actions(kind, components),
    )


def _kind(said: str, source_kind: str) -> str:
    """The page's own kind, unless it lists things of several kinds and the change names one."""
    if source_kind in (Kind.FAQ, Kind.FORMATO):
        return source_kind
    named = [found.kind for found in references(said) if found.kind in Kind.values]
    if source_kind in named:
        return source_kind
    return named[0] if named else source_kind


def _impact(text: str, kind: str, names_types: bool) -> int:
    concerns, binds = bool(_DTE.search(text)) or names_types, bool(_BINDING.search(text))
    if kind == Kind.FORMATO:
        return Impact.HIGH if binds or re.search(r"\.xsd|\.zip|_v\d", text) else Impact.MEDIUM
    if kind in (Kind.CIRCULAR, Kind.RESOLUCION):
        if not concerns:
            return Impact.LOW
        return Impact.HIGH if binds else Impact.MEDIUM
    return Impact.MEDIUM if concerns and binds else Impact.LOW


def _summary(change: Change, source_name: str) -> str:
    first = (change.added or change.removed)[0]
    more = len(change.added) + len(change.removed) - 1
    verb = "Se agregó" if change.added else "Se quitó"
    rest = f" (y {more} línea{'s' if more > 1 else ''} más)" if more else ""
    return f"{source_name}: {verb.lower()} «{first[:300]}»{rest}."


def _actions(kind: str, components: list[str]) -> list[str]:
    actions = ["Leer el texto en el sitio del SII y confirmar su fecha de vigencia."]
    if kind == Kind.FORMATO:
        actions.append("Comparar el formato o esquema nuevo con el que usa el validador.")
    if components:
        actions.append(f"Revisar lo que toca a: {', '.join(components)}.")
    return actions
