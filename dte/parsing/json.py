"""Reading JSON: the SII's structure or the flat legacy form, strictly.

Python's parser is generous: it takes NaN, keeps the last of two equal keys and turns 1.10 into a
float. Here each of these is refused or kept as written, because a validator that repairs its input
judges another document.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from dte.documents.document import Dte, Form, to_type
from dte.formato.outline import outline_for
from dte.formato.reading import JsonNumber, JsonReader
from dte.parsing.flat import is_flat, to_sii_structure
from dte.parsing.unreadable import Unreadable
from usage.http.parsers import CrowdedError, explain, refuse_crowds

MAX_BYTES = 5 * 1024 * 1024
# A list of purchase orders may be long; a document has up to 1,000 lines, of some twenty values each.
MAX_VALUES = 250_000
MAX_DOCUMENT_VALUES = 30_000
MAX_TEXT = 30_000
MAX_DIGITS = 40
MAX_EXPONENT = 18

# In UTF-8 these bytes begin the characters that ISO-8859-1 lacks; C1 controls are C2 80 to C2 9F.
_BEYOND_LATIN_1 = bytes((0x7F, *range(0xC4, 0x100)))
_C1_CONTROL = re.compile(rb"\xc2[\x80-\x9f]")
# Escapes of NUL and of half a surrogate pair: no database stores the one, no encoding has the other.
_ESCAPED_NO_TEXT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_WRAPPERS = ("DTE", "Documento", "Liquidacion", "Exportaciones")


def parse_json(raw: bytes) -> Any:
    """Parse strictly; numbers come out as :class:`JsonNumber`, with every digit.

    Raises:
        Unreadable: JSN-01 (not JSON), JSN-04 (impossible numbers), JSN-05 (repeated key) or XML-07
            (size, depth, length of a text).
    """
    if len(raw) > MAX_BYTES:
        raise Unreadable("XML-07", exceso=f"pesa {len(raw)} bytes y el máximo es {MAX_BYTES}")
    try:
        text = raw.decode("utf-8-sig")
        refuse_crowds(text, MAX_VALUES)
        value = _DECODER.decode(text)
    except UnicodeDecodeError as exc:
        raise Unreadable("JSN-01", path="$", motivo="no está en UTF-8") from exc
    except json.JSONDecodeError as exc:
        reason = explain(exc)
        raise Unreadable("JSN-01", path="$", line=exc.lineno, motivo=reason) from exc
    except CrowdedError as exc:
        raise Unreadable("XML-07", path="$", exceso=str(exc)) from exc
    if len(raw) > MAX_TEXT or _ESCAPED_NO_TEXT.search(raw):
        _check_texts(value)
    return value


def is_odd(raw: bytes) -> bool:
    """Tell whether the JSON may hold characters the SII's encoding does not have."""
    return (
        len(raw.translate(None, _BEYOND_LATIN_1)) != len(raw)
        or b"\\u" in raw
        or b"\xc3\x82\xc2" in raw
        or b"\xc3\x83\xc2" in raw
        or _C1_CONTROL.search(raw) is not None
    )


def is_document(value: dict[str, object]) -> bool:
    """Tell whether an object looks like a document in any of the forms that are read."""
    document, _ = _unwrap(value)
    return "Encabezado" in document or is_flat(document)


def read_json(value: object, *, odd_text: bool = True) -> Dte:
    """Read a parsed document; the flat form is known by its fields, and by having no Encabezado."""
    if not isinstance(value, dict):
        raise Unreadable("JSN-01", path="$", motivo="el documento no es un objeto")
    document, kind = _unwrap(value)
    _refuse_crowd(document)
    if "Encabezado" not in document and "Detalle" not in document and is_flat(document):
        data, problems = to_sii_structure(document)
        return Dte(
            data, form="legacy", tipo=_tipo(data), problems=tuple(problems), odd_text=odd_text
        )
    header = document.get("Encabezado")
    if not isinstance(header, dict):
        raise Unreadable("JSN-01", path="Encabezado", motivo="Encabezado falta o no es un objeto")
    if not isinstance(document.get("Detalle", []), (list, dict)):
        raise Unreadable("JSN-01", path="Detalle", motivo="Detalle no es una lista ni un objeto")
    tipo = _tipo(document)
    reader = JsonReader()
    data = reader.read(document, outline_for(tipo))
    form: Form = "json"
    return Dte(
        data, form=form, tipo=tipo, kind=kind, problems=tuple(reader.problems), odd_text=odd_text
    )


def _unwrap(value: dict[str, object]) -> tuple[dict[str, object], str]:
    """Step inside ``{"DTE": {"Documento": {…}}}``, which many libraries produce.

    OpenFactura's ``{"dte": {…}, "response": […]}`` writes it in lower case, as others do.
    """
    kind = "Documento"
    for name in _WRAPPERS:
        inner = value.get(name, value.get(name.lower()))
        if isinstance(inner, dict):
            value = inner
            kind = name if name != "DTE" else kind
    return value, kind


def _tipo(document: dict[str, object]) -> int:
    node: object = document
    for name in ("Encabezado", "IdDoc", "TipoDTE"):
        node = node.get(name) if isinstance(node, dict) else None
    if isinstance(node, JsonNumber):
        node = node.plain()
    return to_type(node) if isinstance(node, str) else 0


def _integer(text: str) -> JsonNumber:
    if len(text) > MAX_DIGITS:
        raise _impossible(f"tiene más de {MAX_DIGITS} dígitos")
    return JsonNumber(text)


def _decimal(text: str) -> JsonNumber:
    mantissa, _, exponent = text.lower().partition("e")
    magnitude = exponent.lstrip("+-").lstrip("0")
    if len(magnitude) > 2 or (magnitude and int(magnitude) > MAX_EXPONENT):
        raise _impossible(f"tiene un exponente mayor que {MAX_EXPONENT}")
    if len(mantissa) > MAX_DIGITS:
        raise _impossible(f"tiene más de {MAX_DIGITS} dígitos")
    return JsonNumber(text)


def _impossible(problem: str) -> Unreadable:
    return Unreadable("JSN-04", path="$", campo="un número", problema=problem)


def _constant(name: str) -> object:
    raise Unreadable("JSN-04", path="$", campo=name, problema="no es JSON")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    obj = dict(pairs)
    if len(obj) != len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Unreadable("JSN-05", path=repeated, clave=repeated)
    return obj


def _refuse_crowd(document: dict[str, object]) -> None:
    """Refuse what is longer than any document, before the rules go through it.

    Raises:
        Unreadable: XML-07.
    """
    values = 0
    for level in _levels(document):
        values += len(level)
        if values > MAX_DOCUMENT_VALUES:
            raise Unreadable(
                "XML-07", path="$", exceso=f"trae más de {MAX_DOCUMENT_VALUES} valores"
            )


def _check_texts(value: object) -> None:
    for level in _levels(value):
        for node in level:
            for text in (node, *node) if isinstance(node, dict) else (node,):
                if isinstance(text, str):
                    _check_text(text)


def _check_text(text: str) -> None:
    # A whole XML document may come as a text; it has limits of its own.
    if len(text) > MAX_TEXT and not text.lstrip().startswith("<"):
        raise Unreadable(
            "XML-07", path="$", exceso=f"trae un texto de más de {MAX_TEXT} caracteres"
        )
    if _NO_TEXT.search(text):
        raise Unreadable("JSN-01", path="$", motivo="trae un carácter que no existe en Unicode")


def _levels(value: object) -> Iterator[list[object]]:
    """Go through a value level by level, without recursion."""
    level = [value]
    while level:
        yield level
        level = [
            item
            for node in level
            if isinstance(node, (dict, list))
            for item in (node.values() if isinstance(node, dict) else node)
        ]


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=_decimal,
    parse_int=_integer,
    parse_constant=_constant,
)
