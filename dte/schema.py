"""What the OpenAPI page says about validation."""

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    PolymorphicProxySerializer,
)

from dte.kinds import KINDS
from dte.serializers import (
    ArchiveAnswerSerializer,
    FileAnswerSerializer,
    LegacyRequestSerializer,
    ListParameters,
    OutcomeSerializer,
    PageSerializer,
    StoredAnswerSerializer,
    ValidationAnswerSerializer,
)
from usage.http.openapi import RefusalSerializer

TAGS: Final = ["Validación de DTE"]

_KINDS: Final = "; ".join(f"{kind.name}, {kind.title}" for kind in KINDS)


def _day(form: str) -> dict[str, str]:
    return {"type": "string", "format": form, "pattern": r"^(199\d|2[01]\d\d)-"}


_OPTIONS: Final = [
    OpenApiParameter("mode", str, enum=["emission", "reception"], description="Emitir o recibir."),
    OpenApiParameter("ai", str, enum=["auto", "always", "never"], description="Revisión de IA."),
    OpenApiParameter(
        "as_of",
        {"anyOf": [_day("date"), _day("date-time")]},
        description="Juzgar a esta fecha y hora, entre 1990 y 2199; sin desfase, la de Chile.",
    ),
    OpenApiParameter("receptor", str, description="RUT de la empresa que recibe (recepción)."),
    OpenApiParameter("end_user", str, description="Para cuál de sus usuarios es; a su elección."),
    OpenApiParameter(
        "ambiente",
        str,
        enum=["", "produccion", "certificacion"],
        description="Ambiente del SII al que va; por omisión o vacío, el del servicio.",
    ),
]
_REFUSED: Final = OpenApiResponse(
    RefusalSerializer, description="El documento no se puede leer; `code` dice qué regla lo impide."
)
_UNKNOWN: Final = OpenApiResponse(RefusalSerializer, description="No existe, o es de otra clave.")
_EXAMPLE_FLAT: Final = {
    "dte_data": {
        "tipo_dte": "33",
        "folio": 1201,
        "fecha_emision": "2026-03-02",
        "rut_emisor": "76192083-9",
        "razon_social_emisor": "Molinos del Itata SpA",
        "rut_receptor": "77120455-4",
        "razon_social_receptor": "Panificadora La Espiga Limitada",
        "monto_neto": 1000,
        "monto_iva": 190,
        "monto_total": 1190,
        "items": [{"nombre": "Harina", "cantidad": 2, "precio_unitario": 500, "monto": 1000}],
    },
    "company_id": 1,
    "history": [],
    "mode": "emission",
}
_EXAMPLE_ANSWER: Final = {
    "id": "0d8a4f5e-6b1b-4c55-9d0e-3f2a4b5c6d7e",
    "recommendation": "review",
    "confidence": 98,
    "errors": [],
    "warnings": ["[TOT-04] El IVA informado es 180 y el neto por la tasa da 190."],
    "findings": [
        {
            "code": "TOT-04",
            "severity": "review",
            "sii_severity": "reparo",
            "sii_code": "",
            "path": "Encabezado/Totales/IVA",
            "line": 31,
            "message": "El IVA informado es 180 y el neto por la tasa da 190.",
            "fix": "IVA = neto x 19%, redondeado al peso.",
            "source": "F2.2 p.25 campo 112",
            "values": {"stated": 180, "expected": 190},
        }
    ],
}

LEGACY: Final[dict[str, Any]] = {
    "operation_id": "ai_validate",
    "tags": TAGS,
    "summary": "Valida un documento (clientes Odoo existentes)",
    "parameters": _OPTIONS,
    "request": LegacyRequestSerializer,
    "responses": {200: ValidationAnswerSerializer, 400: _REFUSED},
    "examples": [
        OpenApiExample("Forma plana", _EXAMPLE_FLAT, request_only=True),
        OpenApiExample(
            "IVA que no cuadra", _EXAMPLE_ANSWER, response_only=True, status_codes=["200"]
        ),
    ],
}
VALIDATE: Final[dict[str, Any]] = {
    "operation_id": "dte_validate",
    "tags": TAGS,
    "summary": "Valida un documento, un envío o cualquier archivo de un emisor",
    "description": "El cuerpo es el archivo; qué es se reconoce por su contenido y se dice en `kind`: "
    "DTE, EnvioDTE o EnvioBOLETA (XML, o JSON con la estructura del SII), o una de estas clases: "
    f"{_KINDS}. Un ZIP se responde con un resultado por archivo. En un formulario, `document` es el "
    "documento con que se compara, y `password` la clave de un certificado, que no se guarda.",
    "parameters": [
        *_OPTIONS,
        OpenApiParameter("usados", str, description="CAF: folios ya usados, por ejemplo 1-40,45."),
        OpenApiParameter(
            "track_id",
            {"type": "string", "pattern": r"^\d{1,20}$"},
            description="N° de envío que dio el SII.",
        ),
        OpenApiParameter(
            "validation", OpenApiTypes.UUID, description="La validación a que responde el SII."
        ),
    ],
    "request": {
        "application/xml": OpenApiTypes.STR,
        "text/xml": OpenApiTypes.STR,
        "multipart/form-data": {
            "type": "object",
            "required": ["file"],
            "properties": {
                "file": {"type": "string", "format": "binary"},
                "document": {"type": "string", "format": "binary"},
                "password": {"type": "string", "format": "password"},
            },
        },
        "application/pdf": OpenApiTypes.BINARY,
        "application/zip": OpenApiTypes.BINARY,
        "application/octet-stream": OpenApiTypes.BINARY,
        "text/plain": OpenApiTypes.STR,
        "application/json": {"type": "object", "description": "Encabezado, Detalle, …"},
    },
    "responses": {
        200: PolymorphicProxySerializer(
            component_name="Answer",
            serializers=[
                ValidationAnswerSerializer,
                FileAnswerSerializer,
                ArchiveAnswerSerializer,
            ],
            resource_type_field_name=None,
        ),
        400: _REFUSED,
        413: _REFUSED,
    },
    "examples": [
        OpenApiExample(
            "IVA que no cuadra", _EXAMPLE_ANSWER, response_only=True, status_codes=["200"]
        )
    ],
}
BATCH: Final[dict[str, Any]] = {
    "operation_id": "dte_validate_batch",
    "tags": TAGS,
    "summary": "Valida un envío grande o un ZIP, línea por línea",
    "description": "Responde NDJSON: una línea `start`, una `document` por documento a medida que se "
    "juzga, una `envelope` por sobre y una `summary` al final. Hasta 2.000 archivos, 20.000 documentos y 32 MB. "
    "La IA no revisa lotes.",
    "parameters": [_OPTIONS[0], *_OPTIONS[2:]],
    "request": {"application/xml": OpenApiTypes.STR, "application/zip": OpenApiTypes.BINARY},
    "responses": {
        (200, "application/x-ndjson"): OpenApiTypes.STR,
        400: _REFUSED,
        413: _REFUSED,
    },
}
LIST: Final[dict[str, Any]] = {
    "operation_id": "dte_validation_list",
    "tags": TAGS,
    "summary": "Lista las validaciones de la clave, la más nueva primero",
    "parameters": [
        ListParameters,
        OpenApiParameter("cursor", str, description="La página: viene en `next` y `previous`."),
    ],
    "responses": {
        200: PageSerializer,
        400: OpenApiResponse(RefusalSerializer, description="Un filtro no es válido."),
        404: OpenApiResponse(RefusalSerializer, description="No existe la página."),
    },
}
READ: Final[dict[str, Any]] = {
    "operation_id": "dte_validation_read",
    "tags": TAGS,
    "summary": "Lee una validación pasada",
    "responses": {200: StoredAnswerSerializer, 404: _UNKNOWN},
}
ERASE: Final[dict[str, Any]] = {
    "operation_id": "dte_validation_erase",
    "tags": TAGS,
    "summary": "Borra una validación y lo que se guardó del documento",
    "responses": {204: None, 404: _UNKNOWN},
}
OUTCOME: Final[dict[str, Any]] = {
    "operation_id": "dte_validation_outcome",
    "tags": TAGS,
    "summary": "Informa lo que el SII respondió",
    "request": OutcomeSerializer,
    "responses": {200: StoredAnswerSerializer, 404: _UNKNOWN},
    "examples": [
        OpenApiExample(
            "Rechazo",
            {"outcome": "rejected", "codes": ["REF-3-415"], "detail": "Referencia inexistente"},
            request_only=True,
        )
    ],
}
