"""Versions: what a document said, and what changed against the version before."""

import difflib

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from knowledge.frontmatter import dump
from knowledge.models import DocumentVersion
from usage.admin.base import moment

_CLASSES = {"+": "added", "-": "deleted", "@": "place"}


@admin.register(DocumentVersion)
class DocumentVersionAdmin(ModelAdmin):
    list_display = ["title", "number", "is_current", "created", "created_by"]
    list_filter = ["is_current", "module"]
    search_fields = ["title", "document__slug"]
    date_hierarchy = "created_at"
    fields = ("of_document", "number", "is_current", "created_at", "created_by", "changes")
    readonly_fields = fields

    class Media:
        css = {"all": ["knowledge/admin.css"]}

    @admin.display(description="creada", ordering="created_at")
    def created(self, version: DocumentVersion) -> str:
        return moment(version.created_at)

    @admin.display(description="documento")
    def of_document(self, version: DocumentVersion) -> SafeString:
        url = reverse("admin:knowledge_document_change", args=[version.document_id])
        return format_html('<a href="{}">{}</a>', url, version.document)

    @admin.display(description="cambios contra la versión anterior")
    def changes(self, version: DocumentVersion) -> SafeString:
        before = version.document.versions.filter(number__lt=version.number).first()
        lines = difflib.unified_diff(
            _lines(before) if before else [], _lines(version), lineterm="", n=4
        )
        shown = [line for line in lines if not line.startswith(("---", "+++"))]
        return format_html(
            '<div class="knowledge-diff">{}</div>',
            format_html_join(
                "",
                '<div class="{}">{}</div>',
                ((_CLASSES.get(line[:1], ""), line or " ") for line in shown),
            ),
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


def _lines(version: DocumentVersion) -> list[str]:
    """Return a version as its file, so that a changed title or date shows like changed text."""
    parsed = version.as_parsed(version.document.slug)
    return dump(parsed).split("\n")
