"""Conversations as operators read them. Nothing here can be changed: it is what was said."""

import json
import re
from typing import Any
from uuid import UUID

from auditlog.models import LogEntry
from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import BigIntegerField, Count, Model, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Cast, Coalesce
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from chat.models import Conversation, Message
from chat.plugins.registry import installed_registry
from chat.words import latest, saying
from knowledge.render import to_html
from usage.admin.base import ReadOnlyAdmin, grouped, moment
from usage.admin.columns import Column, identifier, usd
from usage.admin.exports import ExportAdmin
from usage.admin.large import DaysFilter, known
from usage.admin.origins import MOST, ORIGINS, Origin
from usage.models import UsageRecord

MESSAGES_PER_PAGE = 40
_MARKS = re.compile(r"[*`#|]+|-{3,}|\[\d+\]")  # Markdown's, and the numbers of passages
SHOWN_MATCHES = 200
ANSWERED_BY = {"anthropic": "Claude", "offline": "pasajes, sin modelo"}


def usage_link(message: Message) -> SafeString | str:
    """Link an answer to what it cost."""
    if message.usage_id is None:
        return "–"
    url = reverse("admin:usage_usagerecord_change", args=[message.usage_id])
    return format_html('<a href="{}">ver registro</a>', url)


def answered_by(message: Message) -> str:
    """Say which specialist answered, and with what."""
    by = ANSWERED_BY.get(message.llm_used, message.llm_used)
    return " · ".join(filter(None, [specialist_title(message.specialist), by]))


def note_reading(conversation: Conversation) -> None:
    """Write down that somebody read what was said; the audit log says who and when."""
    LogEntry.objects.log_create(conversation, force_log=True, action=LogEntry.Action.ACCESS)


def read(message: Message) -> SafeString:
    """Show a text as its reader saw it: an answer rendered, a question as it was typed."""
    if message.role == Message.Role.ASSISTANT:
        html = mark_safe(to_html(message.content))  # noqa: S308  # sanitised by nh3
        return format_html('<div class="as-read">{}</div>', html)
    return format_html('<div class="as-read"><pre>{}</pre></div>', message.content)


def origin_links(request: HttpRequest, record: UsageRecord) -> list[tuple[str, str]]:
    """Return the conversation, at the answer's page, that a call was made for."""
    if not request.user.has_perm("chat.view_conversation"):
        return []
    answers = Message.objects.filter(usage=record).select_related("conversation")[:5]
    return [(_at(answer), f"conversación {answer.conversation}") for answer in answers]


def _at(message: Message) -> str:
    url = reverse("admin:chat_conversation_change", args=[message.conversation_id])
    earlier = Message.objects.filter(conversation=message.conversation_id, pk__lt=message.pk)
    return f"{url}?pagina={earlier.count() // MESSAGES_PER_PAGE + 1}#mensajes"


def calls_of(session_id: str) -> QuerySet[Message, UUID | None]:
    """Return the calls made for the conversations of a name."""
    answers = Message.objects.filter(conversation__session_id=session_id, usage__isnull=False)
    return answers.order_by("-pk").values_list("usage", flat=True)[:MOST]


ORIGINS.append(Origin(origin_links, calls_of))


def _specialists() -> list[tuple[str, str]]:
    return [(specialist.name, specialist.title) for specialist in installed_registry().everyone]


def specialist_title(name: str) -> str:
    """Return what a specialist is called, or the name of one that is gone."""
    found = installed_registry().by_name(name)
    return found.title if found else name or "–"


def found_ids(
    request: HttpRequest, found: QuerySet[Message], column: str
) -> QuerySet[Message, dict[str, object]] | list[object]:
    """Return what a search found: on a page the latest, in a file all of it."""
    match = request.resolver_match
    if match is not None and str(match.url_name).endswith("_export"):
        return found.values(column)
    return latest(found, column, SHOWN_MATCHES)


def _sessions(name: str) -> list[int]:
    return list(Conversation.objects.filter(session_id=name).values_list("pk", flat=True)[:50])


class UpdatedFilter(DaysFilter):
    """By the day of the last message."""

    label = "última actividad"


class WrittenFilter(DaysFilter):
    """By the day on which it was written."""

    label = "fecha"


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin, ExportAdmin):
    list_display = ["session", "named", "key", "expert", "count", "began", "active"]
    position = ("-updated_at", "-id")
    list_filter = [
        ("updated_at", UpdatedFilter),
        ("api_key__account", RelatedDropdownFilter),
        ("api_key", RelatedDropdownFilter),
        known("specialist", "especialista", _specialists),
    ]
    list_select_related = ["api_key"]
    search_fields = ["session_id"]
    search_help_text = "Comienzo de la sesión, o palabras de los mensajes"
    readonly_fields = [
        "session_id",
        "title",
        "api_key",
        "expert",
        "context",
        "created_at",
        "updated_at",
    ]
    fields = [("session_id", "api_key"), "title", ("created_at", "updated_at"), "expert", "context"]
    change_form_after_template = "admin/chat/conversation/transcript.html"
    export_position = ("-pk",)
    export_columns = [
        Column("sesion", "session_id"), Column("clave", "api_key__name"),
        Column("especialista", "specialist"), Column("creada", "created_at", "moment"),
        Column("ultima_actividad", "updated_at", "moment"), Column("mensajes", "message_count", "number"),
        Column("costo_usd", "cost_picousd", "usd"),
    ]  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        conversations: QuerySet[Conversation] = super().get_queryset(request)
        # Counted of the rows that are shown; joined, it would be of all.
        of_it = Message.objects.filter(conversation=OuterRef("pk")).order_by()
        counted = of_it.values("conversation").annotate(n=Count("pk")).values("n")
        return conversations.annotate(message_count=Coalesce(Subquery(counted), 0))

    def export_rows(self, rows: QuerySet[Model]) -> QuerySet[Model]:
        """Add what its answers cost."""
        of_it = Message.objects.filter(conversation=OuterRef("pk")).order_by()
        cost = of_it.values("conversation").annotate(
            n=Cast(Sum("usage__cost_usd"), BigIntegerField())
        )
        return rows.annotate(cost_picousd=Coalesce(Subquery(cost.values("n")), 0))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """Find conversations by the beginning of their name, or by what their latest messages say."""
        term = search_term.strip()
        if not term or "\x00" in term:
            return queryset, False
        said = found_ids(request, saying(term), "conversation")
        return queryset.filter(Q(session_id__startswith=term) | Q(pk__in=said)), False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, object] | None = None,
    ) -> HttpResponse:
        """Add a page of the transcript: the whole of a long one would take minutes to read anyway."""
        opened = (
            Conversation.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        )
        if opened is not None and self.has_view_permission(request, opened):
            note_reading(opened)
        messages = Message.objects.filter(conversation=opened).order_by("pk").defer("prompt")
        page = Paginator(messages, MESSAGES_PER_PAGE).get_page(request.GET.get("pagina"))
        # Django's own view takes any other parameter for a filter to go back to.
        return super().change_view(
            request,
            object_id,
            form_url,
            {
                "transcript": page,
                "read": [(m, read(m), usage_link(m), answered_by(m)) for m in page],
                **(extra_context or {}),
            },
        )

    @admin.display(description="sesión", ordering="session_id")
    def session(self, conversation: Conversation) -> SafeString:
        return format_html('<span class="nowrap">{}</span>', conversation.session_id[:40])

    @admin.display(description="título", ordering="title")
    def named(self, conversation: Conversation) -> str:
        return conversation.title[:60] or "–"

    @admin.display(description="clave", ordering="api_key")
    def key(self, conversation: Conversation) -> str:
        return conversation.api_key.name

    @admin.display(description="especialista", ordering="specialist")
    def expert(self, conversation: Conversation) -> str:
        return specialist_title(conversation.specialist)

    @admin.display(description="mensajes", ordering="message_count")
    def count(self, conversation: Any) -> str:
        return grouped(conversation.message_count)

    @admin.display(description="creada", ordering="created_at")
    def began(self, conversation: Conversation) -> str:
        return moment(conversation.created_at)

    @admin.display(description="última actividad", ordering="updated_at")
    def active(self, conversation: Conversation) -> str:
        return moment(conversation.updated_at)

    @admin.display(description="contexto del usuario")
    def context(self, conversation: Conversation) -> SafeString:
        text = json.dumps(conversation.user_context, ensure_ascii=False, indent=2, sort_keys=True)
        return format_html("<pre>{}</pre>", text)


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin, ExportAdmin):
    list_display = ["created", "role", "excerpt", "session", "expert", "by", "state"]
    position = ("-created_at", "-id")
    list_filter = [
        ("created_at", WrittenFilter),
        ("role", ChoicesDropdownFilter),
        known("llm_used", "respondido por", lambda: list(ANSWERED_BY.items())),
        known("specialist", "especialista", _specialists),
        ("rating", ChoicesDropdownFilter),
        "cut",
    ]
    list_select_related = ["conversation"]
    search_fields = ["content"]
    search_help_text = "Palabras del mensaje, o la sesión completa"
    export_columns = [
        Column("fecha", "created_at", "moment"), Column("sesion", "conversation__session_id"),
        Column("clave", "conversation__api_key__name"), Column("rol", "role"), Column("texto", "content"),
        Column("especialista", "specialist"), Column("respondido_por", "llm_used"),
        Column("confianza", "confidence", "number"), Column("valoracion", "rating"),
        Column("cortada", "cut", "flag"), usd("costo_usd", "usage__cost_usd"), identifier("uso", "usage_id"),
    ]  # fmt: skip
    readonly_fields = [
        "conversation", "role", "created_at", "text", "sent", "passages", "expert", "by", "sure",
        "supported",
        "rating", "rating_reason", "state", "cost",
    ]  # fmt: skip
    fields = [
        ("conversation", "role"), ("created_at", "state"), "text", "sent", "passages",
        ("expert", "by"), ("sure", "supported"), ("rating", "rating_reason"), "cost",
    ]  # fmt: skip

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """Find messages by their words, the latest, or by the whole name of their conversation."""
        term = search_term.strip()
        if not term or "\x00" in term:
            return queryset, False
        said = found_ids(request, saying(term), "pk")
        return queryset.filter(Q(pk__in=said) | Q(conversation__in=_sessions(term))), False

    @admin.display(description="conversación", ordering="conversation")
    def session(self, message: Message) -> SafeString:
        url = reverse("admin:chat_conversation_change", args=[message.conversation_id])
        return format_html('<a href="{}">{}</a>', url, message.conversation.session_id[:40])

    @admin.display(description="especialista", ordering="specialist")
    def expert(self, message: Message) -> str:
        return specialist_title(message.specialist)

    @admin.display(description="respaldo")
    def supported(self, message: Message) -> str:
        return "–" if message.grounding is None else f"{grouped(100 * message.grounding)} %"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, object] | None = None,
    ) -> HttpResponse:
        """Show a message, and write down that its conversation was read."""
        known = Message.objects.select_related("conversation")
        opened = known.filter(pk=object_id).first() if object_id.isdecimal() else None
        if opened is not None and self.has_view_permission(request, opened):
            note_reading(opened.conversation)
        return super().change_view(request, object_id, form_url, extra_context)

    @admin.display(description="fecha", ordering="created_at")
    def created(self, message: Message) -> str:
        return moment(message.created_at)

    @admin.display(description="texto")
    def excerpt(self, message: Message) -> str:
        return " ".join(_MARKS.sub(" ", message.content[:400]).split())[:100]

    @admin.display(description="texto")
    def text(self, message: Message) -> SafeString:
        return read(message)

    @admin.display(description="respondido por", ordering="llm_used")
    def by(self, message: Message) -> str:
        return ANSWERED_BY.get(message.llm_used, message.llm_used) or "–"

    @admin.display(description="confianza")
    def sure(self, message: Message) -> str:
        return "–" if message.confidence is None else f"{grouped(100 * message.confidence)} %"

    @admin.display(description="estado", ordering="cut")
    def state(self, message: Message) -> SafeString | str:
        if message.role == Message.Role.USER:
            return "–"
        return format_html("<strong>{}</strong>", "cortada") if message.cut else "completa"

    @admin.display(description="turno enviado al modelo")
    def sent(self, message: Message) -> SafeString | str:
        return format_html('<div class="as-read"><pre>{}</pre></div>', message.prompt or "–")

    @admin.display(description="pasajes")
    def passages(self, message: Message) -> SafeString:
        rows = [
            (
                one["number"],
                one.get("official_url") or one.get("document_url") or one["url"],
                ", ".join(filter(None, (one["title"], one["section"]))),
                "citado" if one["cited"] else "no citado",
                one["version"],
                one.get("date") or "sin fecha",
                one["source"],
            )
            for one in message.citations
        ]
        return format_html_join(
            "",
            '<p class="as-read">[{}] <a href="{}">{}</a> · {} · versión {} · {} · {}</p>',
            rows,
        )

    @admin.display(description="uso")
    def cost(self, message: Message) -> SafeString | str:
        return usage_link(message)
