"""What callers send and get, as the API documents and checks it."""

import json
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from chat import plugins
from chat.answering import attachments
from chat.answering.turns import Action
from chat.conversations import title_of
from chat.costs import CostSerializer, TokensSerializer
from chat.live.turns import TURN_ID
from chat.models import REASON_LENGTH, SESSION_ID_LENGTH, TITLE_LENGTH, Conversation, Message
from usage.http.end_user import EndUserSerializer
from usage.http.strict import StrictSerializer

MESSAGE_LENGTH: Final = 12_000  # a pasted document fits; a book does not
CONTEXT_LENGTH: Final = 8_000


@extend_schema_field(OpenApiTypes.OBJECT)
class UserContextField(serializers.JSONField):
    """What the caller's system knows about the user: a flat or nested JSON object, bounded."""

    def to_internal_value(self, data: Any) -> dict[str, object]:
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


class SessionSerializer(StrictSerializer, EndUserSerializer):
    """The request that opens a session."""

    user_context = UserContextField(
        required=False, allow_null=True, help_text="Datos de la situación del usuario."
    )


class AskedSerializer(StrictSerializer):
    message = serializers.CharField(max_length=MESSAGE_LENGTH, help_text="La pregunta.")
    session_id = serializers.CharField(
        max_length=SESSION_ID_LENGTH,
        required=False,
        allow_null=True,
        allow_blank=True,
        trim_whitespace=False,
        help_text="Cualquier texto; pertenece a la cuenta de la clave. Sin él se abre una sesión nueva.",
    )


class FileSerializer(StrictSerializer):
    """A file that goes with a question."""

    filename = serializers.CharField(max_length=200)
    content = serializers.CharField(
        max_length=attachments.LONGEST,
        trim_whitespace=False,
        help_text="El texto del archivo: XML o JSON.",
    )


class AttachedSerializer(serializers.Serializer[None]):
    """What was found out about a file that came with a question."""

    filename = serializers.CharField()
    kind = serializers.CharField()
    verdict = serializers.CharField(help_text="send, review o reject.")
    summary = serializers.CharField()


class QuestionSerializer(AskedSerializer, SessionSerializer):
    message = serializers.CharField(  # not of an action that takes the last question as it is
        max_length=MESSAGE_LENGTH, required=False, allow_blank=True, help_text="La pregunta."
    )
    action = serializers.ChoiceField(
        Action.values(),
        default=Action.SEND.value,
        help_text="`regenerate`, `edit` y `continue` son de la última pregunta de la sesión.",
    )
    attachments = serializers.ListField(
        child=FileSerializer(),
        max_length=attachments.MOST,
        required=False,
        allow_null=True,
        help_text="Se validan primero; el veredicto y sus observaciones acompañan a la pregunta.",
    )
    turn_id = serializers.RegexField(
        f"^{TURN_ID}$",
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="Identifica la pregunta: repetida con él, no se responde ni se cobra dos veces.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require what the action needs."""
        if attrs["action"] in (Action.SEND, Action.EDIT):
            if "message" not in attrs:
                raise _missing("message", "required")
            if not attrs["message"]:
                raise _missing("message", "blank")
        if attrs["action"] != Action.SEND and not attrs.get("session_id"):
            raise _missing("session_id", "required")
        return attrs


def _missing(name: str, code: str) -> serializers.ValidationError:
    text = (
        serializers.CharField.default_error_messages.get(code)
        or (serializers.Field.default_error_messages[code])
    )
    return serializers.ValidationError({name: [serializers.ErrorDetail(str(text), code)]})


class ResumeSerializer(serializers.Serializer[None]):
    """What a socket sends to go on reading an answer."""

    session_id = serializers.CharField(max_length=SESSION_ID_LENGTH, trim_whitespace=False)
    last_event_id = serializers.CharField(max_length=80, required=False, allow_null=True)


class StoppedSerializer(serializers.Serializer[None]):
    """Whether there was an answer to stop."""

    status = serializers.ChoiceField(["stopped", "idle"])


class AssistantQuestionSerializer(AskedSerializer, EndUserSerializer):
    """A question as the universal assistant of existing Odoo modules sends it."""

    context = UserContextField(  # type: ignore[assignment]  # shadows Field.context
        required=False,
        allow_null=True,
        help_text="Situación del usuario; `module` nombra al especialista o al módulo de Odoo.",
    )
    stream = serializers.BooleanField(
        default=False, help_text="Se acepta y no cambia nada: la respuesta es siempre JSON."
    )


class NewSessionSerializer(serializers.Serializer[None]):
    session_id = serializers.CharField()
    welcome_message = serializers.CharField()


class OfficialLinkSerializer(serializers.Serializer[None]):
    """An official text."""

    label = serializers.CharField()  # type: ignore[assignment]  # shadows Field.label
    url = serializers.CharField()


class CitationSerializer(serializers.Serializer[None]):
    """A passage behind an answer."""

    number = serializers.IntegerField(help_text="El [n] con que la respuesta lo cita.")
    title = serializers.CharField()
    section = serializers.CharField()
    document_id = serializers.CharField()
    version = serializers.IntegerField()
    module = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # shadows Field.source
    url = serializers.CharField(help_text="El pasaje en esta API.")
    document_url = serializers.CharField(default="", help_text="El documento entero en esta API.")
    date = serializers.CharField(
        default="", help_text="Cuándo se comparó con sus fuentes, o desde cuándo rige."
    )
    official_url = serializers.CharField(default="", help_text="El primer texto oficial.")
    official_links = OfficialLinkSerializer(
        many=True, default=list, help_text="Los textos oficiales que la fuente nombra."
    )
    score = serializers.FloatField()
    cited = serializers.BooleanField()


class ChatAnswerSerializer(serializers.Serializer[None]):
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
    turn_id = serializers.CharField(help_text="Con él se reanuda y se vuelve a preguntar.")
    continued = serializers.BooleanField(help_text="Continúa una respuesta que quedó cortada.")
    truncated = serializers.BooleanField()
    history_dropped = serializers.BooleanField(
        help_text="La conversación anterior no pudo acompañar a la pregunta."
    )
    attachments = AttachedSerializer(
        many=True, help_text="Lo que se encontró en los archivos de la pregunta."
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
    attachments = AttachedSerializer(many=True)
    cost = CostSerializer(source="*", help_text="Lo que costó; en cero si no respondió el modelo.")

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
            "rating_reason",
            "attachments",
            "cost",
            "cut",
            "turn_id",
        ]

    def get_plugin_title(self, message: Message) -> str:
        """Return what people call the specialist that answered."""
        return plugins.title_of(message.specialist)


class FeedbackSerializer(StrictSerializer):
    """What the user thought of an answer."""

    rating = serializers.ChoiceField(
        ["up", "down"], allow_null=True, help_text="null retira la valoración."
    )
    reason = serializers.CharField(
        max_length=REASON_LENGTH, required=False, allow_blank=True, help_text="Por qué."
    )


class StatsSerializer(serializers.Serializer[None]):
    """How many messages a conversation holds."""

    total_messages = serializers.IntegerField()
    user_messages = serializers.IntegerField()
    assistant_messages = serializers.IntegerField()


class RunningTurnSerializer(serializers.Serializer[None]):
    """An answer that is being given."""

    turn_id = serializers.CharField(help_text="Se sigue en /events.")


class ConversationSerializer(serializers.Serializer[None]):
    """A conversation, with its latest messages in order."""

    session_id = serializers.CharField()
    title = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    running = RunningTurnSerializer(allow_null=True, help_text="La respuesta en curso.")
    message_count = serializers.IntegerField()
    messages = MessageSerializer(many=True)
    stats = StatsSerializer()


class ExportedConversationSerializer(serializers.Serializer[None]):
    """A whole conversation, to keep elsewhere."""

    session_id = serializers.CharField()
    title = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    messages = MessageSerializer(many=True)


class ListedConversationSerializer(serializers.Serializer[Any]):
    """A conversation in the list."""

    session_id = serializers.CharField()
    title = serializers.SerializerMethodField(help_text="El suyo, o su primera pregunta.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    message_count = serializers.IntegerField()
    specialist = serializers.CharField()
    plugin_title = serializers.SerializerMethodField()

    def get_title(self, conversation: Any) -> str:
        """Return the title to show."""
        return title_of(conversation.title, conversation.first_question)

    def get_plugin_title(self, conversation: Conversation) -> str:
        """Return what people call the specialist that answered last."""
        return plugins.title_of(conversation.specialist)


class ConversationPageSerializer(serializers.Serializer[None]):
    """A page of the list."""

    next = serializers.CharField(allow_null=True, help_text="Dirección de la página siguiente.")
    previous = serializers.CharField(allow_null=True)
    results = ListedConversationSerializer(many=True)


class ConversationFilterSerializer(EndUserSerializer):
    """How the list is narrowed."""

    q = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="Texto del título, o palabras de los mensajes, en cualquier forma; la última puede "
        "estar incompleta. Entre comillas, seguidas.",
    )


class TitleSerializer(StrictSerializer):
    """A conversation's title."""

    session_id = serializers.CharField(read_only=True)
    title = serializers.CharField(
        max_length=TITLE_LENGTH, allow_blank=True, help_text="Vacío: el de su primera pregunta."
    )


class AfterSerializer(serializers.Serializer[None]):
    """From where on a conversation is read."""

    after = serializers.IntegerField(
        required=False, min_value=0, max_value=2**62, help_text="Solo los mensajes posteriores."
    )


class ExportFormatSerializer(serializers.Serializer[None]):
    """How a conversation is exported."""

    format = serializers.ChoiceField(["json", "markdown"], default="json")


class ClearedSerializer(serializers.Serializer[None]):
    """Confirmation that a session is gone."""

    status = serializers.CharField()
    session_id = serializers.CharField()
    message = serializers.CharField()
