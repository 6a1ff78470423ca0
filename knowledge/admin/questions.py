"""Questions without a good answer, with the way to write one beside them."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import F, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from knowledge.models import Question
from usage.admin.base import moment


class PendingFilter(admin.SimpleListFilter):
    """Pending ones unless asked otherwise."""

    title = "estado"
    parameter_name = "estado"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("resueltas", "Resueltas"), ("todas", "Todas")]

    def choices(self, changelist: Any) -> Iterator[Any]:
        default, *others = super().choices(changelist)
        yield {**default, "display": "Pendientes"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Question]) -> QuerySet[Question]:
        if self.value() == "todas":
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() != "resueltas")


@admin.register(Question)
class QuestionAdmin(ModelAdmin):
    list_display = ["text", "module", "not_found", "thumbs_down", "last_asked", "act"]
    list_filter = [PendingFilter, "module"]
    search_fields = ["text"]
    readonly_fields = [
        "text",
        "module",
        "not_found",
        "thumbs_down",
        "first_asked_at",
        "last_asked_at",
        "resolved_at",
        "act",
    ]
    actions = ["resolve"]

    class Media:
        css = {"all": ["knowledge/admin.css"]}

    def get_ordering(self, request: HttpRequest) -> list[object]:
        # What most people miss comes first.
        return [(F("not_found") + F("thumbs_down")).desc(), "-last_asked_at"]

    @admin.display(description="última vez", ordering="last_asked_at")
    def last_asked(self, question: Question) -> str:
        return moment(question.last_asked_at)

    @admin.display(description="qué hacer")
    def act(self, question: Question) -> SafeString:
        return format_html(
            '<a href="{}?{}">Escribir un documento</a> · <a href="{}?{}">Probar</a>',
            reverse("admin:knowledge_document_add"),
            urlencode({"title": question.text[:300], "module": question.module}),
            reverse("admin:knowledge_try"),
            urlencode({"q": question.text}),
        )

    @admin.action(description="Marcar como resueltas", permissions=["change"])
    def resolve(self, request: HttpRequest, questions: QuerySet[Question]) -> None:
        count = questions.update(resolved_at=timezone.now())
        self.message_user(request, f"Preguntas resueltas: {count}.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False
