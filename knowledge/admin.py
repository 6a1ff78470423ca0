"""The knowledge base in the admin: write documents, see how they are cut, compare versions."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

from knowledge import ingest
from knowledge.models import Document, DocumentVersion, Passage
from knowledge.render import to_html


class ValidityFilter(admin.SimpleListFilter):
    """In use, expired, or removed."""

    title = "vigencia"
    parameter_name = "vigencia"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("vencidos", "Vencidos"), ("retirados", "Retirados"), ("todos", "Todos")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Document]) -> QuerySet[Document]:
        match self.value():
            case "vencidos":
                return queryset.filter(removed_at=None, valid_to__lt=timezone.localdate())
            case "retirados":
                return queryset.exclude(removed_at=None)
            case "todos":
                return queryset
        return queryset.filter(removed_at=None)


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):
    list_display = ["title", "module", "slug", "version", "valid_to", "updated_at"]
    list_filter = [ValidityFilter, "module"]
    search_fields = ["title", "slug", "source", "body"]
    readonly_fields = ["preview", "passages", "version", "created_at", "updated_at", "source_path"]
    actions = ["remove"]
    fieldsets = [
        (None, {"fields": ["title", ("module", "slug"), "tags", "source"]}),
        ("Vigencia", {"fields": [("valid_from", "valid_to")]}),
        ("Texto", {"fields": ["body", "preview"]}),
        ("Pasajes", {"fields": ["passages"], "classes": ["collapse"]}),
        ("Registro", {"fields": [("version", "created_at", "updated_at"), "source_path"]}),
    ]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Document | None = None
    ) -> list[str] | tuple[str, ...]:
        # The identifier is what answers cite: it does not change once it exists.
        return [*self.readonly_fields, "slug"] if obj else self.readonly_fields

    @admin.display(description="vista previa")
    def preview(self, document: Document) -> SafeString:
        return mark_safe(to_html(document.body))  # noqa: S308 - to_html sanitises

    @admin.display(description="pasajes vigentes")
    def passages(self, document: Document) -> SafeString:
        current = Passage.objects.filter(version__document=document, version__is_current=True)
        return format_html_join(
            "",
            "<details><summary>{} <small>#{} · {} palabras</small></summary><pre>{}</pre></details>",
            (
                (p.section or document.title, p.anchor, len(p.content.split()), p.content)
                for p in current
            ),
        )

    def save_model(self, request: HttpRequest, obj: Document, form: Any, change: bool) -> None:
        if not ingest.save(obj, author=request.user.get_username()):
            self.message_user(request, "No había cambios que guardar.", messages.INFO)

    @admin.action(description="Retirar los documentos seleccionados", permissions=["delete"])
    def remove(self, request: HttpRequest, documents: QuerySet[Document]) -> None:
        count = ingest.remove(documents)
        self.message_user(request, f"Documentos retirados: {count}.", messages.SUCCESS)

    def delete_model(self, request: HttpRequest, obj: Document) -> None:
        ingest.remove([obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        ingest.remove(queryset)


@admin.register(DocumentVersion)
class DocumentVersionAdmin(admin.ModelAdmin):
    list_display = ["title", "number", "is_current", "created_at", "created_by"]
    list_filter = ["is_current", "module"]
    search_fields = ["title", "document__slug"]
    list_select_related = ["document"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
