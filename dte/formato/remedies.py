"""What to do about a deviation from the format, where its kind says it."""

from difflib import get_close_matches

from dte.formato.outline import Field, every_name
from dte.formato.reading import FOREIGN, REPEATED, REQUIRED, STRAY_TEXT, UNKNOWN, UNORDERED, Problem

_ALIKE = 0.6  # of difflib's ratio: RznSoc is RznSocEmisor, Total is not MntNeto


def remedy(problem: Problem, outline: Field) -> str | None:
    """Return what to do about a problem; None where nothing better than the rule's own is known.

    Args:
        problem: What a reader found.
        outline: The format it read by, which ``problem.path`` is a path of.
    """
    place, _, name = problem.path.rpartition("/")
    parent = _walk(outline, place)
    where = f" en {place.rpartition('/')[2]}" if place else ""
    match problem.text:
        case text if text == REQUIRED:
            return f"Agregue {name}{where}."
        case text if text == REPEATED:
            return f"Deje {name} una sola vez{where}."
        case text if text == STRAY_TEXT:
            return f"Quite el texto suelto entre las etiquetas de {name or 'la raíz'}."
        case text if text == FOREIGN:
            return f"Quite el xmlns propio de {name}: todo va en http://www.sii.cl/SiiDte."
        case text if text == UNORDERED:
            return _order(name, parent)
        case text if text == UNKNOWN:
            return _unknown(name, parent, where)
        case text if text.startswith("tiene ") and "caracteres y el máximo" in text:
            return f"Acorte {name}."
    return None


def _walk(field: Field | None, path: str) -> Field | None:
    for step in filter(None, path.split("/")):
        field = field.children.get(step.partition("[")[0]) if field is not None else None
    return field


def _order(name: str, parent: Field | None) -> str:
    names = list(parent.children) if parent is not None else []
    if name not in names:
        return f"Mueva {name} a su lugar: el esquema fija el orden."
    at = names.index(name)
    before = f"después de {names[at - 1]}" if at else ""
    after = f"antes de {names[at + 1]}" if at + 1 < len(names) else ""
    return f"Mueva {name} {' y '.join(filter(None, (before, after)))}: el esquema fija el orden."


def _unknown(name: str, parent: Field | None, where: str) -> str:
    if name.startswith("@"):
        return f"Quite el atributo {name[1:]}{where}."
    if parent is not None and (alike := get_close_matches(name, parent.children, 1, _ALIKE)):
        return (
            f"{where.strip().capitalize() or 'Ahí'} el campo se llama {alike[0]}: cambie el nombre."
        )
    if name in every_name():
        return f"Quite {name}{where}: va en otra parte, o no en este tipo de documento."
    return f"Quite {name}{where}."
