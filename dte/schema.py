"""What the OpenAPI page says about validation, and the one input that serializers check."""

from datetime import date
from typing import Any, Final

from django.core.validators import MaxValueValidator, MinValueValidator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from dte.documents.rut import is_well_formed, tidy
from dte.history.listing import Pages
from dte.models import Validation
from usage.http.openapi import RefusalSerializer

TAGS: Final = ["Validación de DTE"]
_DAYS: Final = [MinValueValidator(date(1990, 1, 1)), MaxValueValidator(date(2199, 12, 31))]


class FindingSerializer(serializers.Serializer[Any]):
    """One finding."""

    code = serializers.CharField(help_text="Código de la regla; IA-01 si la duda es de la IA.")
    severity = serializers.ChoiceField(["reject", "review", "warn"])
    sii_severity = serializers.ChoiceField(["rechazo", "reparo", "aviso", "n/a"])
    sii_code = serializers.CharField(help_text="Código con que responde el SII, si se conoce.")
    path = serializers.CharField(help_text="Campo, por ejemplo Detalle[3]/MontoItem.")
    line = serializers.IntegerField(allow_null=True, help_text="Línea del XML.")
    message = serializers.CharField()
    fix = serializers.CharField(help_text="Qué hacer.")
    source = serializers.CharField(  # type: ignore[assignment]  # DRF's Field.source is another
        help_text="De dónde sale la regla; «ai» si es de la IA."
    )
    values = serializers.DictField(help_text="Los valores que prueban la falta.")
    document = serializers.IntegerField(required=False, help_text="N° en el envío.")


class PartySerializer(serializers.Serializer[Any]):
    """Issuer or receiver."""

    rut = serializers.CharField()
    name = serializers.CharField()


class SummarySerializer(serializers.Serializer[Any]):
    """What identifies the document."""

    type = serializers.IntegerField(allow_null=True)
    type_name = serializers.CharField()
    folio = serializers.CharField()
    issue_date = serializers.DateField(allow_null=True)
    issuer = PartySerializer()
    receiver = PartySerializer()
    total = serializers.JSONField(help_text="Número; texto si lleva decimales.")
    currency = serializers.CharField()
    lines = serializers.IntegerField()
    form = serializers.ChoiceField(["xml", "json", "legacy"])


class ScopeSerializer(serializers.Serializer[Any]):
    """What the answer rests on."""

    statement = serializers.CharField()
    checked = serializers.ListField(child=serializers.CharField())
    not_checked = serializers.ListField(child=serializers.CharField())


class ReviewSerializer(serializers.Serializer[Any]):
    """What became of Claude's review."""

    status = serializers.ChoiceField(["done", "skipped", "unavailable"])
    detail = serializers.CharField(required=False)
    model = serializers.CharField(required=False)
    doubts = serializers.IntegerField(required=False)


class DocumentAnswerSerializer(serializers.Serializer[Any]):
    """The answer for one document."""

    id = serializers.UUIDField()
    recommendation = serializers.ChoiceField(Validation.Recommendation.choices)
    confidence = serializers.IntegerField(min_value=0, max_value=100)
    errors = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]
    warnings = serializers.ListField(child=serializers.CharField())
    findings = FindingSerializer(many=True)
    document = SummarySerializer()
    valid_for_sii = ScopeSerializer()
    review = ReviewSerializer(required=False)


class NumberedAnswerSerializer(DocumentAnswerSerializer):
    """The answer for one document of an envelope."""

    number = serializers.IntegerField()


class ValidationAnswerSerializer(DocumentAnswerSerializer):
    """The answer; ``documents`` only for an envelope."""

    documents = NumberedAnswerSerializer(many=True, required=False)


class LegacyRequestSerializer(serializers.Serializer[Any]):
    """The request of older clients."""

    dte_data = serializers.DictField(
        help_text="La forma plana (tipo_dte, rut_emisor, …), la estructura del SII o el XML como texto."
    )
    company_id = serializers.IntegerField(required=False)
    history = serializers.ListField(
        required=False, help_text="Rechazos anteriores del emisor: contexto para la revisión de IA."
    )
    mode = serializers.ChoiceField(Validation.Mode.choices, required=False)


class OutcomeSerializer(serializers.Serializer[Any]):
    """What the SII answered to a document."""

    outcome = serializers.ChoiceField(Validation.Outcome.choices)
    codes = serializers.ListField(
        child=serializers.CharField(max_length=20), max_length=50, default=list
    )
    detail = serializers.CharField(max_length=2_000, default="", allow_blank=True)


class StoredOutcomeSerializer(OutcomeSerializer):
    """The same, once stored."""

    reported_at = serializers.DateTimeField()


class StoredAnswerSerializer(serializers.Serializer[Any]):
    """A past answer."""

    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    mode = serializers.ChoiceField(Validation.Mode.choices)
    recommendation = serializers.ChoiceField(Validation.Recommendation.choices)
    confidence = serializers.IntegerField()
    findings = FindingSerializer(many=True)
    document = SummarySerializer()
    sha256 = serializers.CharField()
    batch = serializers.UUIDField(allow_null=True)
    review = ReviewSerializer()
    outcome = StoredOutcomeSerializer(allow_null=True)


class ListParameters(serializers.Serializer[Any]):
    """What a list of stored answers may be narrowed to."""

    recommendation = serializers.ChoiceField(Validation.Recommendation.choices, required=False)
    tipo = serializers.IntegerField(
        min_value=0, max_value=999, required=False, help_text="Tipo de documento, por ejemplo 33."
    )
    folio = serializers.CharField(max_length=20, required=False)
    emisor = serializers.CharField(max_length=20, required=False, help_text="RUT del emisor.")
    receptor = serializers.CharField(max_length=20, required=False, help_text="RUT del receptor.")
    desde = serializers.DateField(
        required=False, validators=_DAYS, help_text="Validados desde este día, hora de Chile."
    )
    hasta = serializers.DateField(
        required=False, validators=_DAYS, help_text="Validados hasta este día, inclusive."
    )
    outcome = serializers.ChoiceField(
        Validation.Outcome.choices, required=False, help_text="Lo que el SII respondió."
    )
    page_size = serializers.IntegerField(
        min_value=1, max_value=Pages.max_page_size, default=Pages.page_size
    )

    def validate_emisor(self, value: str) -> str:
        """Take a RUT as people write it."""
        return _rut(value)

    validate_receptor = validate_emisor

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a period that ends before it begins."""
        if "desde" in attrs and "hasta" in attrs and attrs["hasta"] < attrs["desde"]:
            raise serializers.ValidationError({"hasta": ["Debe ser igual o posterior a «desde»."]})
        return attrs


def _rut(value: str) -> str:
    rut = tidy(value)
    if not is_well_formed(rut):  # a wrong check digit may be just what is looked for
        raise serializers.ValidationError("Use un RUT, por ejemplo 76192083-9.")
    return rut


class RowSerializer(serializers.Serializer[Any]):
    """A stored answer in a list."""

    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    mode = serializers.ChoiceField(Validation.Mode.choices)
    document = SummarySerializer()
    recommendation = serializers.ChoiceField(Validation.Recommendation.choices)
    codes = serializers.ListField(
        child=serializers.CharField(), help_text="Códigos de los hallazgos, el peor primero."
    )
    outcome = serializers.ChoiceField(
        Validation.Outcome.choices,
        allow_null=True,
        help_text="Lo que el SII respondió, si se sabe.",
    )
    url = serializers.CharField(help_text="Dónde leer la respuesta completa.")


class PageSerializer(serializers.Serializer[Any]):
    """One page of the list."""

    next = serializers.URLField(allow_null=True, help_text="Página siguiente, más antigua.")
    previous = serializers.URLField(allow_null=True, help_text="Página anterior, más nueva.")
    results = RowSerializer(many=True)


_OPTIONS: Final = [
    OpenApiParameter("mode", str, enum=["emission", "reception"], description="Emitir o recibir."),
    OpenApiParameter("ai", str, enum=["auto", "always", "never"], description="Revisión de IA."),
    OpenApiParameter("as_of", OpenApiTypes.DATETIME, description="Juzgar a esta fecha y hora."),
    OpenApiParameter("receptor", str, description="RUT de la empresa que recibe (recepción)."),
    OpenApiParameter(
        "ambiente",
        str,
        enum=["produccion", "certificacion"],
        description="Ambiente del SII al que va; por omisión, el del servicio.",
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
    "summary": "Valida un DTE, un EnvioDTE o un EnvioBOLETA",
    "description": "El cuerpo es el documento: XML, archivo o JSON con la estructura del SII.",
    "parameters": _OPTIONS,
    "request": {
        "application/xml": OpenApiTypes.STR,
        "text/xml": OpenApiTypes.STR,
        "multipart/form-data": {
            "type": "object",
            "properties": {"file": {"type": "string", "format": "binary"}},
        },
        "application/json": {"type": "object", "description": "Encabezado, Detalle, …"},
    },
    "responses": {200: ValidationAnswerSerializer, 400: _REFUSED, 413: _REFUSED},
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
    "juzga, una `envelope` por sobre y una `summary` al final. Hasta 2.000 documentos y 32 MB. "
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
