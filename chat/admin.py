"""Conversations as operators read them. Nothing here can be changed: it is what was said."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chat.models import Conversation, Message
from usage.models import UsageRecord


class ReadOnlyAdmin(admin.ModelAdmin):
    """May be looked at."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def usage_link(message: Message) -> SafeString | str:
    """Link an answer to what it cost."""
    if message.usage_id is None:
        return "–"
    if not admin.site.is_registered(UsageRecord):
        return str(message.usage_id)
    url = reverse("admin:usage_usagerecord_change", args=[message.usage_id])
    return format_html('<a href="{}">{}</a>', url, "ver registro")


class MessageInline(admin.TabularInline):
    model = Message
    readonly_fields = [
        "created_at",
        "role",
        "text",
        "specialist",
        "llm_used",
        "confidence",
        "grounding",
        "cut",
        "cost",
    ]
    fields = [*readonly_fields]
    extra = 0
    can_delete = False
    show_change_link = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description="texto")
    def text(self, message: Message) -> SafeString:
        return format_html('<div class="as-written">{}</div>', message.content)

    @admin.display(description="uso")
    def cost(self, message: Message) -> SafeString | str:
        return usage_link(message)


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = ["session_id", "api_key", "specialist", "count", "created_at", "updated_at"]
    list_filter = ["specialist", "updated_at", "api_key"]
    list_select_related = ["api_key"]
    search_fields = ["session_id", "api_key__name", "messages__content"]
    search_help_text = "Busca en la sesión, el nombre de la clave y el texto de los mensajes."
    date_hierarchy = "updated_at"
    show_full_result_count = False
    readonly_fields = ["session_id", "api_key", "specialist", "context", "created_at", "updated_at"]
    fields = [*readonly_fields]
    inlines = [MessageInline]

    class Media:
        css = {"all": ["chat/css/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        conversations: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = conversations.annotate(message_count=Count("messages"))
        return counted

    @admin.display(description="mensajes", ordering="message_count")
    def count(self, conversation: Any) -> int:
        return int(conversation.message_count)

    @admin.display(description="contexto del usuario")
    def context(self, conversation: Conversation) -> SafeString:
        text = json.dumps(conversation.user_context, ensure_ascii=False, indent=2, sort_keys=True)
        return format_html("<pre>{}</pre>", text)


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    list_display = [
        "created_at",
        "role",
        "excerpt",
        "conversation",
        "specialist",
        "llm_used",
        "cut",
    ]
    list_filter = ["role", "llm_used", "specialist", "rating", "cut", "created_at"]
    list_select_related = ["conversation"]
    search_fields = ["content", "conversation__session_id"]
    date_hierarchy = "created_at"
    show_full_result_count = False
    readonly_fields = [
        "conversation",
        "role",
        "created_at",
        "text",
        "sent",
        "passages",
        "specialist",
        "llm_used",
        "confidence",
        "grounding",
        "rating",
        "cut",
        "cost",
    ]
    fields = [*readonly_fields]

    class Media:
        css = {"all": ["chat/css/admin.css"]}

    @admin.display(description="texto")
    def excerpt(self, message: Message) -> str:
        return message.content[:100]

    @admin.display(description="texto")
    def text(self, message: Message) -> SafeString:
        return format_html('<div class="as-written">{}</div>', message.content)

    @admin.display(description="turno enviado al modelo")
    def sent(self, message: Message) -> SafeString | str:
        return format_html('<pre class="as-written">{}</pre>', message.prompt)

    @admin.display(description="pasajes")
    def passages(self, message: Message) -> SafeString:
        return format_html(
            "<pre>{}</pre>", json.dumps(message.citations, ensure_ascii=False, indent=2)
        )

    @admin.display(description="uso")
    def cost(self, message: Message) -> SafeString | str:
        return usage_link(message)
