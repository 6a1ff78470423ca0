"""What goes in and comes out of the validation API; the OpenAPI pages are in ``schema``."""

from datetime import date
from typing import Any, Final

from django.core.validators import MaxValueValidator, MinValueValidator
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from dte.documents.rut import is_well_formed, tidy
from dte.history.listing import Pages
from dte.models import Validation
from usage.http.strict import StrictSerializer
from usage.models.end_user import LONGEST

_DAYS: Final = [MinValueValidator(date(1990, 1, 1)), MaxValueValidator(date(2199, 12, 31))]


class FindingSerializer(serializers.Serializer[None]):
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
    responsible = serializers.ChoiceField(
        ["issuer", "receiver"],
        required=False,
        help_text="Quién debe actuar: el emisor o quien lo recibió. Falta en respuestas antiguas.",
    )
    document = serializers.IntegerField(required=False, help_text="N° en el envío.")


class PartySerializer(serializers.Serializer[None]):
    """Issuer or receiver."""

    rut = serializers.CharField()
    name = serializers.CharField()


class SummarySerializer(serializers.Serializer[None]):
    """What identifies the document: less where it could not be read, and of an envelope how many it holds."""

    type = serializers.IntegerField(allow_null=True)
    type_name = serializers.CharField(allow_blank=True)
    form = serializers.ChoiceField(["xml", "json", "legacy"])
    folio = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Como lo siguiente, falta si el documento no se pudo leer.",
    )
    issue_date = serializers.DateField(required=False, allow_null=True)
    issuer = PartySerializer(required=False)
    receiver = PartySerializer(required=False)
    total = serializers.JSONField(required=False, help_text="Número; texto si lleva decimales.")
    currency = serializers.CharField(required=False)
    lines = serializers.IntegerField(required=False)
    documents = serializers.IntegerField(required=False, help_text="Cuántos trae un sobre.")


class FileSummarySerializer(serializers.Serializer[None]):
    """What identifies a file that is no document, with more according to its kind."""

    type_name = serializers.CharField()
    state = serializers.CharField()
    headline = serializers.CharField()


_ANY_SUMMARY: Final = PolymorphicProxySerializer(
    component_name="AnySummary",
    serializers=[SummarySerializer, FileSummarySerializer],
    resource_type_field_name=None,
)


class ScopeSerializer(serializers.Serializer[None]):
    """What the answer rests on."""

    statement = serializers.CharField()
    checked = serializers.ListField(child=serializers.CharField())
    not_checked = serializers.ListField(child=serializers.CharField())


class ReviewSerializer(serializers.Serializer[None]):
    """What became of Claude's review."""

    status = serializers.ChoiceField(["done", "skipped", "unavailable"], required=False)
    reason = serializers.CharField(
        required=False,
        help_text="Por qué falta: not_configured, budget_exceeded, call_too_large, breaker_open, timeout…",
    )
    detail = serializers.CharField(required=False)
    model = serializers.CharField(required=False)
    doubts = serializers.IntegerField(required=False)
    cost_usd = serializers.CharField(required=False, help_text="Lo que costó, en dólares.")
    cached = serializers.BooleanField(
        required=False, help_text="Repetida de una solicitud idéntica, sin costo."
    )
    cache_read_share = serializers.FloatField(
        required=False, help_text="Parte de la entrada leída de la caché del proveedor, de 0 a 1."
    )


class DocumentAnswerSerializer(serializers.Serializer[None]):
    id = serializers.UUIDField()
    kind = serializers.CharField(
        help_text="Qué es: DTE, EnvioDTE, EnvioBOLETA; o CAF, RespuestaDTE y las demás clases."
    )
    recommendation = serializers.ChoiceField(Validation.Recommendation.choices)
    confidence = serializers.IntegerField(min_value=0, max_value=100)
    errors = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]
    warnings = serializers.ListField(child=serializers.CharField())
    findings = FindingSerializer(many=True)
    document = SummarySerializer(help_text="Lo mismo que `summary`, para clientes antiguos.")
    summary = SummarySerializer()
    not_checked = serializers.ListField(child=serializers.CharField())
    valid_for_sii = ScopeSerializer()
    review = ReviewSerializer(required=False)


class NumberedAnswerSerializer(DocumentAnswerSerializer):
    """The answer for one document of an envelope."""

    number = serializers.IntegerField()


class ValidationAnswerSerializer(DocumentAnswerSerializer):
    """The answer and what it cost; ``documents`` only for an envelope."""

    cost_usd = serializers.CharField(help_text="Lo que costó esta respuesta, en dólares.")
    cached = serializers.BooleanField(help_text="Repetida de una solicitud idéntica, sin costo.")
    cache_read_share = serializers.FloatField(
        help_text="Parte de la entrada leída de la caché del proveedor, de 0 a 1."
    )
    documents = NumberedAnswerSerializer(many=True, required=False)


class FactSerializer(serializers.Serializer[None]):
    label = serializers.CharField()  # type: ignore[assignment]  # DRF's Field.label is another
    value = serializers.CharField()


class TableSerializer(serializers.Serializer[None]):
    title = serializers.CharField()
    columns = serializers.ListField(child=serializers.CharField())
    rows = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))


class LinkSerializer(serializers.Serializer[None]):
    """A validation that the file is about."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    type = serializers.IntegerField(allow_null=True)
    folio = serializers.CharField()
    outcome = serializers.ChoiceField(Validation.SiiOutcome.choices, allow_null=True)
    url = serializers.CharField()


class AskSerializer(serializers.Serializer[None]):
    """What would let the examination say more: a field to send beside the file."""

    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # DRF's Field.label is another
    hint = serializers.CharField(allow_blank=True)
    type = serializers.ChoiceField(["text", "password", "file"])


class FileAnswerSerializer(serializers.Serializer[None]):
    """The answer for a file that is no document."""

    id = serializers.UUIDField()
    kind = serializers.CharField(help_text="La palabra del SII, por ejemplo CAF.")
    title = serializers.CharField(help_text="Cómo se llama en español.")
    state = serializers.CharField(help_text="En qué estado está, o el que dio el SII.")
    headline = serializers.CharField(help_text="La respuesta, como título.")
    recommendation = serializers.ChoiceField(
        Validation.Recommendation.choices,
        help_text="send: en orden; review: mírelo; reject: no sirve o fue rechazado.",
    )
    confidence = serializers.IntegerField(min_value=0, max_value=100)
    errors = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]
    warnings = serializers.ListField(child=serializers.CharField())
    findings = FindingSerializer(many=True)
    summary = serializers.DictField(help_text="Según la clase; vea docs/validation.md.")
    facts = FactSerializer(many=True)
    tables = TableSerializer(many=True)
    links = LinkSerializer(many=True, help_text="Las validaciones de que trata el archivo.")
    asks = AskSerializer(many=True)
    not_checked = serializers.ListField(child=serializers.CharField())
    valid_for_sii = ScopeSerializer()


class ArchiveAnswerSerializer(serializers.Serializer[None]):
    """The answer for a small ZIP, as a whole."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(["ZIP"])
    title = serializers.CharField()
    recommendation = serializers.ChoiceField(Validation.Recommendation.choices)
    counts = serializers.DictField(
        child=serializers.IntegerField(), help_text="Cuántos documentos y archivos por veredicto."
    )
    codes = serializers.DictField(
        child=serializers.IntegerField(), help_text="Las reglas más frecuentes y cuántas veces."
    )
    documents = serializers.ListField(
        child=serializers.DictField(),
        help_text="Como las líneas `document`, `envelope` y `file` de /api/dte/validate/batch.",
    )
    files = serializers.IntegerField(help_text="Archivos que no son documentos.")
    unreadable = serializers.IntegerField(help_text="Archivos que no se pudieron leer.")
    envelopes = serializers.IntegerField()
    summary = serializers.DictField(child=serializers.IntegerField())
    findings = FindingSerializer(many=True)
    not_checked = serializers.ListField(child=serializers.CharField())
    together = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        help_text="Lo que muestran juntos varios archivos de una clase.",
    )


@extend_schema_field({"oneOf": [{"type": "object"}, {"type": "string"}]})
class DteDataField(serializers.JSONField):
    """A document in JSON, or its XML as text."""


@extend_schema_field({"anyOf": [{"enum": Validation.Mode.values}, {"enum": [None, False]}]})
class ModeField(serializers.JSONField):
    """From which side the document is judged; null, or false as Odoo writes it, for emission."""


class LegacyRequestSerializer(serializers.Serializer[None]):
    """The request of older clients."""

    dte_data = DteDataField(
        help_text="La forma plana (tipo_dte, rut_emisor, …), la estructura del SII o el XML como texto."
    )
    company_id = serializers.JSONField(required=False, help_text="Se acepta y no se usa.")
    history = serializers.JSONField(
        required=False,
        help_text="Lista de rechazos anteriores del emisor, contexto para la revisión de IA; otra cosa "
        "se ignora.",
    )
    mode = ModeField(required=False)


class OutcomeSerializer(StrictSerializer):
    """What the SII answered to a document."""

    outcome = serializers.ChoiceField(Validation.SiiOutcome.choices)
    codes = serializers.ListField(
        child=serializers.CharField(max_length=20), max_length=50, default=list
    )
    detail = serializers.CharField(max_length=2_000, default="", allow_blank=True)


class StoredOutcomeSerializer(OutcomeSerializer):
    """The same, once stored."""

    reported_at = serializers.DateTimeField()


class StoredAnswerSerializer(serializers.Serializer[None]):
    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    kind = serializers.CharField()
    state = serializers.CharField(allow_blank=True)
    mode = serializers.ChoiceField(Validation.Mode.choices)
    recommendation = serializers.ChoiceField(Validation.Recommendation.choices)
    confidence = serializers.IntegerField()
    findings = FindingSerializer(many=True)
    document = _ANY_SUMMARY
    track_id = serializers.CharField(allow_blank=True, help_text="N° de envío que dio el SII.")
    sha256 = serializers.CharField()
    batch = serializers.UUIDField(allow_null=True)
    review = ReviewSerializer(help_text="Vacía si no la hubo.")
    outcome = StoredOutcomeSerializer(allow_null=True)


@extend_schema_field({"type": "string", "pattern": r"^(\d{1,2}\.?\d{3}\.?\d{3}|\d{1,8})-[0-9Kk]$"})
class RutField(serializers.CharField):
    """A RUT as people write it; a wrong check digit may be just what is looked for."""

    def to_internal_value(self, data: str) -> str:
        """Return it as documents carry it."""
        rut = tidy(super().to_internal_value(data))
        if not is_well_formed(rut):
            raise serializers.ValidationError("Use un RUT, por ejemplo 76192083-9.")
        return rut


class ListParameters(serializers.Serializer[None]):
    """What a list of stored answers may be narrowed to."""

    recommendation = serializers.ChoiceField(Validation.Recommendation.choices, required=False)
    kind = serializers.CharField(
        max_length=20, required=False, help_text="Clase de archivo, por ejemplo DTE o CAF."
    )
    track_id = serializers.CharField(max_length=20, required=False, help_text="N° de envío.")
    tipo = serializers.IntegerField(
        min_value=0, max_value=999, required=False, help_text="Tipo de documento, por ejemplo 33."
    )
    folio = serializers.CharField(max_length=20, required=False)
    emisor = RutField(required=False, help_text="RUT del emisor.")
    receptor = RutField(required=False, help_text="RUT del receptor.")
    desde = serializers.DateField(
        required=False, validators=_DAYS, help_text="Validados desde este día, hora de Chile."
    )
    hasta = serializers.DateField(
        required=False, validators=_DAYS, help_text="Validados hasta este día, inclusive."
    )
    outcome = serializers.ChoiceField(
        Validation.SiiOutcome.choices, required=False, help_text="Lo que el SII respondió."
    )
    batch = serializers.UUIDField(required=False, help_text="El envío o lote en que llegó.")
    end_user = serializers.CharField(max_length=LONGEST, required=False, help_text="Usuario final.")
    page_size = serializers.IntegerField(
        min_value=1, max_value=Pages.max_page_size, default=Pages.page_size
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a period that ends before it begins."""
        if "desde" in attrs and "hasta" in attrs and attrs["hasta"] < attrs["desde"]:
            raise serializers.ValidationError({"hasta": ["Debe ser igual o posterior a «desde»."]})
        return attrs


class RowSerializer(serializers.Serializer[None]):
    """A stored answer in a list."""

    id = serializers.UUIDField()
    created_at = serializers.DateTimeField()
    batch = serializers.UUIDField(allow_null=True, help_text="El envío o lote en que llegó.")
    number = serializers.IntegerField(help_text="Su lugar en él; 0 si es el sobre.")
    kind = serializers.CharField()
    state = serializers.CharField(allow_blank=True)
    mode = serializers.ChoiceField(Validation.Mode.choices)
    document = _ANY_SUMMARY
    recommendation = serializers.ChoiceField(Validation.Recommendation.choices)
    codes = serializers.ListField(
        child=serializers.CharField(), help_text="Códigos de los hallazgos, el peor primero."
    )
    outcome = serializers.ChoiceField(
        Validation.SiiOutcome.choices,
        allow_null=True,
        help_text="Lo que el SII respondió, si se sabe.",
    )
    url = serializers.CharField(help_text="Dónde leer la respuesta completa.")


class PageSerializer(serializers.Serializer[None]):
    next = serializers.URLField(allow_null=True, help_text="Página siguiente, más antigua.")
    previous = serializers.URLField(allow_null=True, help_text="Página anterior, más nueva.")
    results = RowSerializer(many=True)
