"""Conversations and their messages, each conversation the property of an account."""

from typing import Any, ClassVar

from django.db import models
from django.utils import timezone
from rest_framework.exceptions import NotFound

from usage.models import ApiKey, UsageRecord
from usage.models.end_user import EndUserField

SESSION_ID_LENGTH = 100
TITLE_LENGTH = 120
REASON_LENGTH = 500


def owner_of(api_key: ApiKey) -> int:
    """Return what stands for the owner of a caller's conversations."""
    return int(api_key.account_id)


class ConversationQuerySet(models.QuerySet["Conversation"]):
    """Conversations as their owner sees them."""

    def owned_by(self, api_key: ApiKey) -> "ConversationQuerySet":
        """Return those that a caller may see."""
        found = self.filter(api_key__account=api_key.account_id)
        return found.filter(end_user=api_key.end_user) if api_key.is_visitor else found

    def named(self, api_key: ApiKey, session_id: str) -> "Conversation | None":
        """Return the conversation of a name; of two, the key's own.

        Keys that were moved to one account may have used the same name before.
        """
        found = self.owned_by(api_key).filter(session_id=session_id)
        return min(found, key=lambda one: one.rank(api_key), default=None)

    def of(self, api_key: ApiKey, session_id: str) -> "Conversation":
        """Return the conversation of the caller's account.

        Raises:
            NotFound: The account has no such session; whether another has one is not told.
        """
        # PostgreSQL cannot compare text with a NUL, which a percent-encoded path may hold.
        known = None
        if "\x00" not in session_id:
            known = self.named(api_key, session_id)
        if known is None:
            raise NotFound("No existe esa sesión para esta clave de API.")
        return known


class Conversation(models.Model):
    """One session of an account, begun by one of its keys and open to all of them."""

    api_key = models.ForeignKey(
        ApiKey, models.PROTECT, related_name="conversations", verbose_name="clave de API"
    )
    session_id = models.CharField("sesión", max_length=SESSION_ID_LENGTH)
    title = models.CharField(
        "título",
        max_length=TITLE_LENGTH,
        blank=True,
        default="",
        db_default="",
        help_text="Vacío: el comienzo de la primera pregunta.",
    )
    end_user = EndUserField()
    user_context = models.JSONField("contexto del usuario", default=dict, blank=True)
    specialist = models.CharField("último especialista", max_length=40, blank=True)
    history_start = models.BigIntegerField(
        "inicio del historial",
        default=0,
        help_text="Las respuestas anteriores a este número ya no se envían al modelo.",
    )
    created_at = models.DateTimeField("creada", default=timezone.now, editable=False)
    updated_at = models.DateTimeField("última actividad", default=timezone.now, db_index=True)

    objects: ClassVar[ConversationQuerySet] = ConversationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        verbose_name = "conversación"
        verbose_name_plural = "conversaciones"
        ordering = ["-updated_at", "-id"]
        indexes = [
            # Its beginning is searched for.
            models.Index(
                fields=["session_id"],
                name="chat_conversation_by_name",
                opclasses=["varchar_pattern_ops"],
            ),
            models.Index(fields=["specialist", "-updated_at"], name="chat_conversation_by_expert"),
            models.Index(
                fields=["api_key", "end_user", "-updated_at"],
                name="chat_conversation_by_end_user",
                condition=~models.Q(end_user=""),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["api_key", "session_id"], name="chat_conversation_one_per_key_and_session"
            )
        ]

    def __str__(self) -> str:
        return self.session_id

    def rank(self, api_key: ApiKey) -> tuple[bool, int]:
        """Order the conversations of one name: the key's own before the others', then by age."""
        return self.api_key_id != api_key.pk, self.pk


class Message(models.Model):
    """A question, or the answer to one.

    An answer points at its question, so two questions asked at once in a session never get each
    other's answer, whatever order they finish in.
    """

    class Role(models.TextChoices):
        """Who speaks, in the provider's vocabulary."""

        USER = "user", "usuario"
        ASSISTANT = "assistant", "asistente"

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="messages", verbose_name="conversación"
    )
    role = models.CharField("rol", max_length=10, choices=Role)
    content = models.TextField("texto")
    created_at = models.DateTimeField("fecha", default=timezone.now, editable=False, db_index=True)
    prompt = models.TextField(
        "turno enviado al modelo",
        blank=True,
        help_text="La pregunta con sus pasajes, tal como se envió: los turnos siguientes la repiten "
        "byte por byte para que la caché de prompts acierte.",
    )
    reply_to = models.OneToOneField(
        "self",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="reply",
        verbose_name="responde a",
    )
    citations = models.JSONField("pasajes", default=list, blank=True)
    confidence = models.FloatField("confianza", null=True, blank=True)
    grounding = models.FloatField(
        "respaldo",
        null=True,
        blank=True,
        help_text="Parte de las frases que un pasaje citado sostiene, de 0 a 1.",
    )
    llm_used = models.CharField("respondido por", max_length=20, blank=True)
    specialist = models.CharField("especialista", max_length=40, blank=True)
    usage = models.ForeignKey(
        UsageRecord,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="chat_messages",
        verbose_name="registro de uso",
    )
    turn_id = models.CharField(
        "turno",
        max_length=64,
        blank=True,
        default="",
        db_default="",  # for the version before, while both are running
        help_text="Identifica la pregunta con su respuesta al reanudar y al volver a preguntar.",
    )
    turn_start = models.PositiveIntegerField(
        "inicio del turno",
        default=0,
        db_default=0,
        help_text="Bytes de la respuesta que ya estaban antes de continuarla.",
    )
    process = models.CharField(
        "proceso",
        max_length=40,
        blank=True,
        default="",
        db_default="",  # for the version before, while both are running
        help_text="El que responde, o respondió, la pregunta; vacío si nadie la responde.",
    )
    rating = models.CharField(
        "valoración", max_length=4, choices=[("up", "útil"), ("down", "no útil")], blank=True
    )
    attachments = models.JSONField(
        "adjuntos",
        default=list,
        db_default=[],
        blank=True,
        help_text="Lo que se dijo al modelo de los archivos que vinieron con la pregunta.",
    )
    rating_reason = models.CharField(
        "motivo", max_length=REASON_LENGTH, blank=True, default="", db_default=""
    )
    cut = models.BooleanField(
        "cortada",
        default=False,
        help_text="La respuesta quedó incompleta: cliente ausente o fallo.",
    )

    class Meta:
        verbose_name = "mensaje"
        verbose_name_plural = "mensajes"
        ordering = ["id"]
        indexes = [
            models.Index(fields=["conversation", "id"], name="chat_message_by_conversation"),
            models.Index(fields=["specialist", "-created_at"], name="chat_message_by_expert"),
            models.Index(fields=["llm_used", "-created_at"], name="chat_message_by_model"),
            models.Index(
                fields=["rating", "-created_at"],
                name="chat_message_by_rating",
                condition=~models.Q(rating=""),
            ),
            models.Index(
                fields=["-created_at"], name="chat_message_cut", condition=models.Q(cut=True)
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="chat_message_answers_have_a_question",
                condition=models.Q(role="user", reply_to=None)
                | models.Q(role="assistant", reply_to__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["conversation", "turn_id"],
                condition=models.Q(role="user") & ~models.Q(turn_id=""),
                name="chat_message_one_question_per_turn",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_role_display()}: {self.content[:60]}"

    @property
    def sources(self) -> list[str]:
        """Titles of the documents behind the answer, each once, best first."""
        return unique_titles(self.citations)


def unique_titles(citations: list[dict[str, Any]]) -> list[str]:
    """Return the documents' titles without repetition, in order."""
    return list(dict.fromkeys(citation["title"] for citation in citations))
