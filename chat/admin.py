"""Conversations as operators read them. Nothing here can be changed: it is what was said."""

import json
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from chat.models import Conversation, Message
from knowledge.render import to_html
from usage.admin.base import ReadOnlyAdmin, grouped, moment

MESSAGES_PER_PAGE = 40


def usage_link(message: Message) -> SafeString | str:
    """Link an answer to what it cost."""
    if message.usage_id is None:
        return "–"
    url = reverse("admin:usage_usagerecord_change", args=[message.usage_id])
    return format_html('<a href="{}">ver registro</a>', url)


def read(message: Message) -> SafeString:
    """Show a text as its reader saw it: an answer rendered, a question as it was typed."""
    if message.role == Message.Role.ASSISTANT:
        html = mark_safe(to_html(message.content))  # noqa: S308  # sanitised by nh3
        return format_html('<div class="as-read">{}</div>', html)
    return format_html('<div class="as-read"><pre>{}</pre></div>', message.content)


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = ["session", "key", "specialist", "count", "began", "active"]
    list_filter = ["specialist", "updated_at", "api_key"]
    list_select_related = ["api_key"]
    search_fields = ["session_id", "api_key__name", "messages__content"]
    search_help_text = "Busca en la sesión, el nombre de la clave y el texto de los mensajes."
    date_hierarchy = "updated_at"
    show_full_result_count = False
    readonly_fields = ["session_id", "api_key", "specialist", "context", "created_at", "updated_at"]
    fields = [("session_id", "api_key"), ("created_at", "updated_at"), "specialist", "context"]
    change_form_after_template = "admin/chat/conversation/transcript.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        conversations: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = conversations.annotate(message_count=Count("messages"))
        return counted

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Add a page of the transcript: the whole of a long one would take minutes to read anyway."""
        messages = Message.objects.filter(conversation=object_id).order_by("pk").defer("prompt")
        page = Paginator(messages, MESSAGES_PER_PAGE).get_page(request.GET.get("pagina"))
        # Django's own view takes any other parameter for a filter to go back to.
        return super().change_view(
            request,
            object_id,
            form_url,
            {
                "transcript": page,
                "read": [(m, read(m), usage_link(m)) for m in page],
                **(extra_context or {}),
            },
        )

    @admin.display(description="sesión", ordering="session_id")
    def session(self, conversation: Conversation) -> SafeString:
        return format_html('<span class="nowrap">{}</span>', conversation.session_id[:40])

    @admin.display(description="clave", ordering="api_key")
    def key(self, conversation: Conversation) -> str:
        return conversation.api_key.name

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
class MessageAdmin(ReadOnlyAdmin):
    list_display = ["created", "role", "excerpt", "conversation", "specialist", "by", "state"]
    list_filter = ["role", "llm_used", "specialist", "rating", "cut", "created_at"]
    list_select_related = ["conversation"]
    search_fields = ["content", "conversation__session_id"]
    date_hierarchy = "created_at"
    show_full_result_count = False
    readonly_fields = [
        "conversation", "role", "created_at", "text", "sent", "passages", "specialist", "by", "sure",
        "grounding",
        "rating", "state", "cost",
    ]  # fmt: skip
    fields = [
        ("conversation", "role"), ("created_at", "state"), "text", "sent", "passages",
        ("specialist", "by"), ("sure", "grounding"), ("rating", "cost"),
    ]  # fmt: skip

    @admin.display(description="fecha", ordering="created_at")
    def created(self, message: Message) -> str:
        return moment(message.created_at)

    @admin.display(description="texto")
    def excerpt(self, message: Message) -> str:
        return message.content[:100]

    @admin.display(description="texto")
    def text(self, message: Message) -> SafeString:
        return read(message)

    @admin.display(description="respondido por", ordering="llm_used")
    def by(self, message: Message) -> str:
        return message.llm_used or "–"

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
        text = json.dumps(message.citations, ensure_ascii=False, indent=2)
        return format_html('<div class="as-read"><pre>{}</pre></div>', text)

    @admin.display(description="uso")
    def cost(self, message: Message) -> SafeString | str:
        return usage_link(message)
