"""What callers send and get, as the API documents and checks it."""

import json
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from chat import plugins
from chat.models import SESSION_ID_LENGTH, Message

MESSAGE_LENGTH: Final = 10_000  # a pasted document fits; a book does not
CONTEXT_LENGTH: Final = 8_000


@extend_schema_field(OpenApiTypes.OBJECT)
class UserContextField(serializers.JSONField):
    """What the caller's system knows about the user: a flat or nested JSON object, bounded."""

    def to_internal_value(self, data: Any) -> Any:
        """Return the object; what PostgreSQL cannot store is refused here, in words."""
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            raise serializers.ValidationError("Debe ser un objeto JSON.", code="invalid")
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
            text.encode()
        except ValueError as exc:
            raise serializers.ValidationError("Contiene valores no admitidos.") from exc
        if len(text) > CONTEXT_LENGTH:
            raise serializers.ValidationError(f"No debe superar {CONTEXT_LENGTH} caracteres.")
        if "\\u0000" in text:
            raise serializers.ValidationError("Contiene caracteres nulos.")
        return value


class SessionSerializer(serializers.Serializer[Any]):
    """The request that opens a session."""

    user_context = UserContextField(
        required=False, allow_null=True, help_text="Datos de la situación del usuario."
    )


class AskedSerializer(serializers.Serializer[Any]):
    message = serializers.CharField(max_length=MESSAGE_LENGTH, help_text="La pregunta.")
    session_id = serializers.CharField(
        max_length=SESSION_ID_LENGTH,
        required=False,
        allow_null=True,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Cualquier texto; pertenece a la clave de API. Sin él se abre una sesión nueva.",
    )


class QuestionSerializer(AskedSerializer, SessionSerializer):
    pass


class AssistantQuestionSerializer(AskedSerializer):
    """A question as the universal assistant of existing Odoo modules sends it."""

    context = UserContextField(  # type: ignore[assignment]  # shadows Field.context
        required=False,
        allow_null=True,
        help_text="Situación del usuario; `module` nombra al especialista o al módulo de Odoo.",
    )
    stream = serializers.BooleanField(
        default=False, help_text="Se acepta y no cambia nada: la respuesta es siempre JSON."
    )


class NewSessionSerializer(serializers.Serializer[Any]):
    session_id = serializers.CharField()
    welcome_message = serializers.CharField()


class TokensSerializer(serializers.Serializer[Any]):
    """Tokens of an answer, by kind; all zero without the model."""

    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    cache_read_tokens = serializers.IntegerField()
    cache_creation_tokens = serializers.IntegerField()


class CitationSerializer(serializers.Serializer[Any]):
    """A passage behind an answer."""

    number = serializers.IntegerField(help_text="El [n] con que la respuesta lo cita.")
    title = serializers.CharField()
    section = serializers.CharField()
    document_id = serializers.CharField()
    version = serializers.IntegerField()
    module = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # shadows Field.source
    url = serializers.CharField(help_text="El pasaje en esta API.")
    score = serializers.FloatField()
    cited = serializers.BooleanField()


class ChatAnswerSerializer(serializers.Serializer[Any]):
    message = serializers.CharField(help_text="Markdown.")
    sources = serializers.ListField(
        child=serializers.CharField(), help_text="Títulos de los documentos consultados."
    )
    citations = CitationSerializer(many=True)
    confidence = serializers.FloatField(
        min_value=0, max_value=100, help_text="0 si la respuesta dice que no sabe."
    )
    grounding = serializers.FloatField(
        min_value=0,
        max_value=1,
        allow_null=True,
        help_text="Parte de las frases que un pasaje citado sostiene.",
    )
    session_id = serializers.CharField()
    llm_used = serializers.ChoiceField(["anthropic", "offline"])
    model = serializers.CharField()
    tokens_used = TokensSerializer()
    plugin_used = serializers.CharField(help_text="Nombre interno del especialista.")
    plugin_title = serializers.CharField(help_text="El especialista, para mostrarlo.")
    plugin_reason = serializers.CharField(help_text="Por qué responde ese especialista.")
    message_id = serializers.IntegerField(allow_null=True)
    truncated = serializers.BooleanField()
    history_dropped = serializers.BooleanField(
        help_text="La conversación anterior no pudo acompañar a la pregunta."
    )
    cost_usd = serializers.CharField(help_text="Lo que costó esta respuesta, en dólares.")
    cached = serializers.BooleanField(help_text="Repetida de una solicitud idéntica, sin costo.")
    cache_read_share = serializers.FloatField(
        min_value=0, max_value=1, help_text="Parte de la entrada leída de la caché de prompts."
    )
    stop_reason = serializers.CharField(allow_blank=True, help_text="Cómo terminó el modelo.")
    reason = serializers.CharField(
        allow_null=True,
        help_text="Por qué se respondió sin el modelo: not_configured, budget_exceeded, "
        "breaker_open, timeout, refusal, thinking_only…",
    )
    window_ends = serializers.DateTimeField(
        allow_null=True, help_text="Cuándo comienza de nuevo un presupuesto agotado."
    )


class MessageSerializer(serializers.ModelSerializer[Message]):
    timestamp = serializers.DateTimeField(source="created_at")
    plugin_used = serializers.CharField(source="specialist")
    plugin_title = serializers.SerializerMethodField()
    sources = serializers.ListField(child=serializers.CharField())
    citations = CitationSerializer(many=True)

    class Meta:
        model = Message
        fields = [
            "id",
            "role",
            "content",
            "timestamp",
            "sources",
            "citations",
            "confidence",
            "grounding",
            "llm_used",
            "plugin_used",
            "plugin_title",
            "rating",
            "cut",
        ]

    def get_plugin_title(self, message: Message) -> str:
        """Return what people call the specialist that answered."""
        return plugins.title_of(message.specialist)


class FeedbackSerializer(serializers.Serializer[Any]):
    """What the user thought of an answer."""

    rating = serializers.ChoiceField(["up", "down"])


class StatsSerializer(serializers.Serializer[Any]):
    """How many messages a conversation holds."""

    total_messages = serializers.IntegerField()
    user_messages = serializers.IntegerField()
    assistant_messages = serializers.IntegerField()


class ConversationSerializer(serializers.Serializer[Any]):
    """A conversation, with its latest messages in order."""

    session_id = serializers.CharField()
    created_at = serializers.DateTimeField()
    message_count = serializers.IntegerField()
    messages = MessageSerializer(many=True)
    stats = StatsSerializer()


class ClearedSerializer(serializers.Serializer[Any]):
    """Confirmation that a session is gone."""

    status = serializers.CharField()
    session_id = serializers.CharField()
    message = serializers.CharField()
