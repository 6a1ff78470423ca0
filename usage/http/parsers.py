"""Reading JSON that callers send, and saying in Spanish what is wrong with it."""

import json
import re
from collections.abc import Mapping
from typing import IO, Any, Final, NoReturn

from django.conf import settings
from rest_framework import parsers
from rest_framework.exceptions import ParseError

from usage.errors import RequestTooLarge

# What Python's decoder says, up to details that follow a colon or stand in quotes.
_EXPLANATIONS: Final = {
    "Expecting value": "falta un valor",
    "Expecting property name": "falta un nombre entre comillas dobles",
    "Expecting ':' delimiter": "faltan dos puntos entre un nombre y su valor",
    "Expecting ',' delimiter": "falta una coma o un cierre",
    "Illegal trailing comma": "sobra la última coma",
    "Unterminated string": "un texto no se cierra",
    "Invalid control character": "un texto contiene un salto de línea u otro carácter de control",
    "Invalid \\escape": "un texto contiene una barra invertida con un carácter que no corresponde",
    "Invalid \\uXXXX escape": "un texto contiene un \\u sin cuatro dígitos hexadecimales",
    "Extra data": "sobra texto después del final",
}
# What a JSON text may hold: values in lists and objects, and nesting. A value takes twenty times the
# room of the `1,` that it comes from, and whoever goes through them holds up everybody else.
MAX_VALUES: Final = 5_000
MAX_DEPTH: Final = 64
# A string is one token, whatever stands in it; one that does not end goes on to the end.
_TOKEN: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[,\[{\]}]', re.DOTALL)
_ESCAPED_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


class JSONParser(parsers.JSONParser):
    """JSON bodies: bounded, strict, and refused in Spanish."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the parsed body.

        Raises:
            RequestTooLarge: It is larger than ``MAX_UPLOAD_BYTES``.
            ParseError: It is not JSON.
        """
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise RequestTooLarge
        encoding = (parser_context or {}).get("encoding") or "utf-8"
        try:
            text = body.decode("utf-8-sig" if encoding.lower() == "utf-8" else encoding)
        except (LookupError, UnicodeError) as exc:
            raise ParseError(f"El JSON no está en {encoding.upper()}.") from exc
        return load_json(text)


class CrowdedError(ValueError):
    """A JSON text holds more values, or deeper ones, than anybody should go through."""


def refuse_crowds(text: str, most: int = MAX_VALUES) -> None:
    """Look at a JSON text before any of it is built.

    Raises:
        CrowdedError: It holds more than ``most`` values, or nests them deeper than ``MAX_DEPTH``.
    """
    opened = text.count("[") + text.count("{")
    if opened > MAX_DEPTH or opened + text.count(",") > most:
        _count(text, most)


def _count(text: str, most: int) -> None:
    values = depth = strings = 0
    for found in _TOKEN.finditer(text):
        match text[found.start()]:
            case '"':
                strings += 1
            case "]" | "}":
                depth -= 1
            case ",":
                values += 1
            case _:
                values += 1
                depth += 1
        if depth > MAX_DEPTH:
            raise CrowdedError(f"tiene más de {MAX_DEPTH} niveles")
        if values > most or strings > 3 * most:
            raise CrowdedError(f"trae más de {most} valores")


def load_json(text: str) -> Any:
    """Parse JSON: no NaN, no half surrogate pairs, no nesting or values without end.

    Raises:
        ParseError: With the place of the first mistake.
    """
    try:
        refuse_crowds(text)
        value = json.loads(text, parse_constant=_refuse_constant)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as exc:
        raise ParseError(f"El JSON no es válido: {explain(exc)}.") from exc
    except CrowdedError as exc:
        raise ParseError(f"El JSON {exc}.") from exc
    except UnicodeEncodeError as exc:
        raise ParseError("El JSON contiene un carácter que no existe en Unicode.") from exc
    except ValueError as exc:  # CPython reads integers of up to 4,300 digits
        raise ParseError("El JSON contiene un número con demasiados dígitos.") from exc
    return value


def explain(error: json.JSONDecodeError) -> str:
    """Say what is wrong with a JSON text, and where; in Spanish, without a final stop."""
    found = (text for start, text in _EXPLANATIONS.items() if error.msg.startswith(start))
    reason = next(found, "hay un error de sintaxis")
    return f"{reason} (línea {error.lineno}, columna {error.colno})"


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"El JSON no es válido: {name} no es un número de JSON.")
