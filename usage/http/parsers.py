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


def load_json(text: str) -> Any:
    """Parse JSON: no NaN, no half surrogate pairs, no nesting without end.

    Raises:
        ParseError: With the place of the first mistake.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        if _ESCAPED_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as exc:
        raise ParseError(f"El JSON no es válido: {explain(exc)}.") from exc
    except RecursionError as exc:
        raise ParseError("El JSON tiene demasiados niveles.") from exc
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
