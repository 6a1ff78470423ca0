"""Reading JSON: the SII's structure or the flat legacy form, strictly.

Python's parser is generous: it takes NaN, keeps the last of two equal keys and turns 1.10 into a
float. Here each of these is refused or kept as written, because a validator that repairs its input
judges another document.
"""

import json
import re
from typing import Any

from dte.document import Dte, Form, to_type
from dte.formato.outline import outline_for
from dte.formato.reading import JsonNumber, JsonReader
from dte.legacy import to_sii_structure
from dte.unreadable import Unreadable

MAX_BYTES = 5 * 1024 * 1024
MAX_DEPTH = 64
MAX_DIGITS = 40
MAX_EXPONENT = 18

# A character outside ISO-8859-1, a control, or an escape that may hide one.
_ODD = re.compile(r"[\x7f-\x9f]|[^\x00-\xff]|\\u")
_WRAPPERS = ("DTE", "Documento", "Liquidacion", "Exportaciones")


def parse_json(raw: bytes | str) -> Any:
    """Parse strictly; numbers come out as :class:`JsonNumber`, with every digit.

    Raises:
        Unreadable: JSN-01 (not JSON), JSN-04 (impossible numbers), JSN-05 (repeated key) or XML-07
            (size, depth).
    """
    if len(raw) > MAX_BYTES:
        raise Unreadable("XML-07", what=f"pesa {len(raw)} bytes y el máximo es {MAX_BYTES}")
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8-sig")
        value = _DECODER.decode(text)
    except UnicodeDecodeError as exc:
        raise Unreadable("JSN-01", path="$", reason="no está en UTF-8") from exc
    except json.JSONDecodeError as exc:
        raise Unreadable(
            "JSN-01", path="$", line=exc.lineno, reason=f"error de sintaxis: {exc.msg}"
        ) from exc
    except RecursionError as exc:
        raise Unreadable("XML-07", path="$", what=f"tiene más de {MAX_DEPTH} niveles") from exc
    _check_depth(value)
    return value


def is_odd(raw: bytes | str) -> bool:
    """Tell whether the text may hold characters the SII's encoding does not have."""
    text = raw if isinstance(raw, str) else raw.decode("utf-8-sig", "replace")
    return _ODD.search(text) is not None


def read_json(value: Any, *, odd_text: bool = True) -> Dte:
    """Read a parsed document; the flat form is known by its not having an Encabezado."""
    if not isinstance(value, dict):
        raise Unreadable("JSN-01", path="$", reason="el documento no es un objeto")
    document, kind = _unwrap(value)
    if "Encabezado" not in document and "Detalle" not in document:
        data, problems = to_sii_structure(document)
        return Dte(
            data, form="legacy", tipo=_tipo(data), problems=tuple(problems), odd_text=odd_text
        )
    header = document.get("Encabezado")
    if not isinstance(header, dict):
        raise Unreadable("JSN-01", path="Encabezado", reason="Encabezado falta o no es un objeto")
    if not isinstance(document.get("Detalle", []), (list, dict)):
        raise Unreadable("JSN-01", path="Detalle", reason="Detalle no es una lista ni un objeto")
    tipo = _tipo(document)
    reader = JsonReader()
    data = reader.read(document, outline_for(tipo))
    form: Form = "json"
    return Dte(
        data, form=form, tipo=tipo, kind=kind, problems=tuple(reader.problems), odd_text=odd_text
    )


def _unwrap(value: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Step inside ``{"DTE": {"Documento": {…}}}``, which many libraries produce."""
    kind = "Documento"
    for name in _WRAPPERS:
        inner = value.get(name)
        if isinstance(inner, dict):
            value = inner
            kind = name if name != "DTE" else kind
    return value, kind


def _tipo(document: dict[str, Any]) -> int:
    node: Any = document
    for name in ("Encabezado", "IdDoc", "TipoDTE"):
        node = node.get(name) if isinstance(node, dict) else None
    if isinstance(node, JsonNumber):
        node = node.plain()
    return to_type(node) if isinstance(node, str) else 0


def _number(text: str) -> JsonNumber:
    mantissa, _, exponent = text.lower().partition("e")
    if sum(map(str.isdigit, mantissa)) > MAX_DIGITS:
        raise Unreadable(
            "JSN-04", path="$", field="un número", problem=f"tiene más de {MAX_DIGITS} dígitos"
        )
    magnitude = exponent.lstrip("+-").lstrip("0")
    if len(magnitude) > 2 or (magnitude and int(magnitude) > MAX_EXPONENT):
        raise Unreadable(
            "JSN-04",
            path="$",
            field="un número",
            problem=f"tiene un exponente mayor que {MAX_EXPONENT}",
        )
    return JsonNumber(text)


def _constant(name: str) -> Any:
    raise Unreadable("JSN-04", path="$", field=name, problem="no es JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    obj = dict(pairs)
    if len(obj) != len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Unreadable("JSN-05", path=repeated, key=repeated)
    return obj


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Unreadable("XML-07", path="$", what=f"tiene más de {MAX_DEPTH} niveles")
        level = [
            item
            for node in level
            if isinstance(node, (dict, list))
            for item in (node.values() if isinstance(node, dict) else node)
        ]


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_number,
    parse_int=_number,
    parse_constant=_constant,
)
