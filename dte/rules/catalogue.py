"""The catalogue of rules as a page for people, written from the rules themselves."""

from collections.abc import Iterable
from itertools import groupby

from dte.formato.tipos import ALL_TYPES
from dte.rules import REGISTRY
from dte.rules.registry import EVERY_FORM, FAMILIES, FULL, Rule

_INTRO = """\
# Reglas de validación de DTE

Generado desde el código con `manage.py document_rules`; no se edita a mano.

**{count} reglas en {families} familias.** *SII* es cómo trata el SII la falta: rechazo, reparo, aviso o n/a
(no es asunto suyo). *Nosotros*: `reject` no enviar, `review` que una persona lo vea, `warn` enviar y
mostrar el mensaje. *Certeza* es la seguridad de que el SII actúa así.

Las {practice} marcadas **(práctica)** no las dice ningún documento del SII: su fuente es lo que se le vio hacer,
con cuántos informes independientes lo cuentan.
"""


def render() -> str:
    """Return docs/dte-rules.md."""
    rules = sorted(REGISTRY.values(), key=lambda unit: unit.code)
    families = groupby(rules, key=lambda unit: unit.family)
    practice = sum(unit.from_practice for unit in rules)
    families_of = {unit.family for unit in rules}
    parts = [_INTRO.format(count=len(rules), families=len(families_of), practice=practice)]
    parts += [_family(name, list(units)) for name, units in families]
    return "\n".join(parts)


def _family(name: str, rules: Iterable[Rule]) -> str:
    return "\n".join([f"## {name}: {FAMILIES[name]}\n", *map(_rule, rules)])


def _rule(unit: Rule) -> str:
    lines = [
        f"### {unit.code}{' (práctica)' if unit.from_practice else ''}: {unit.title}\n",
        f"- **Nosotros**: `{unit.severity}`. **SII**: {unit.sii}"
        + (f" ({unit.sii_code})" if unit.sii_code else "")
        + f". **Certeza**: {unit.confidence}.",
        f"- **Tipos**: {_types(unit.types)}. **Formas**: {_forms(unit)}.",
    ]
    if unit.fields:
        lines.append(f"- **Campos**: {', '.join(f'`{path}`' for path in unit.fields)}.")
    if unit.received:
        lines.append(f"- **En un documento recibido**: a lo más `{unit.received}`.")
    lines += [f"- **Qué hacer**: {unit.fix}", f"- **Fuente**: {unit.source}."]
    if unit.note:
        lines.append(f"- **Nota**: {unit.note}")
    return "\n".join(lines) + "\n"


def _types(types: frozenset[int]) -> str:
    if types == ALL_TYPES:
        return "todos"
    missing = ALL_TYPES - types
    if len(missing) <= 3:
        return f"todos menos {', '.join(map(str, sorted(missing)))}"
    return ", ".join(map(str, sorted(types)))


def _forms(unit: Rule) -> str:
    names = {EVERY_FORM: "XML, JSON y plana", FULL: "XML y JSON"}
    forms = names.get(unit.forms, ", ".join(sorted(unit.forms)))
    extra = {"envelope": "; sobre completo", "history": "; con historial", "file": "; al leer"}
    return forms + extra.get(unit.level, "")
