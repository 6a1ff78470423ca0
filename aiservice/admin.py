"""The log of changes as people read it; nobody edits it."""

from typing import Any, Final

from auditlog.models import LogEntry
from django.contrib import admin
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import FieldDoesNotExist
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from unfold.admin import ModelAdmin
from unfold.decorators import display

from aiservice.audit import audited
from usage.admin.base import ReadOnlyAdmin, moment

admin.site.unregister(LogEntry)

_ACTIONS: Final = {
    LogEntry.Action.CREATE: "creó",
    LogEntry.Action.UPDATE: "cambió",
    LogEntry.Action.DELETE: "eliminó",
    LogEntry.Action.ACCESS: "leyó",
}
_LONGEST: Final = 2_000
_LONGEST_NAME: Final = 100


class ActionFilter(admin.SimpleListFilter):
    """By what was done."""

    title = "acción"
    parameter_name = "accion"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [(str(action), name) for action, name in _ACTIONS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LogEntry]) -> QuerySet[LogEntry]:
        chosen = self.value()
        if chosen is None or not chosen.isdecimal():
            return queryset
        return queryset.filter(action=int(chosen))


class KindFilter(admin.SimpleListFilter):
    """By what it was done to."""

    title = "tipo"
    parameter_name = "tipo"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        types = ContentType.objects.get_for_models(*audited()).values()
        return sorted(((str(one.pk), one.name) for one in types), key=lambda pair: pair[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[LogEntry]) -> QuerySet[LogEntry]:
        chosen = self.value()
        if chosen is None or not chosen.isdecimal():
            return queryset
        return queryset.filter(content_type=int(chosen))


@admin.register(LogEntry)
class AuditAdmin(ReadOnlyAdmin):
    list_display = ["when", "who", "did", "what", "fields_changed"]
    list_filter = [ActionFilter, KindFilter]
    list_select_related = ["content_type", "actor"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "timestamp"
    search_fields = ["object_repr", "actor__username", "actor_email"]
    search_help_text = "Busca en lo cambiado y en quién lo cambió."
    readonly_fields = ["when", "who", "address", "did", "what", "before_and_after"]
    fields = [("when", "who"), ("did", "address"), "what", "before_and_after"]

    @admin.display(description="fecha", ordering="timestamp")
    def when(self, entry: LogEntry) -> str:
        return moment(entry.timestamp)

    @admin.display(description="quién", ordering="actor")
    def who(self, entry: LogEntry) -> str:
        return str(entry.actor or entry.actor_email or "el servicio")

    @admin.display(description="desde la dirección")
    def address(self, entry: LogEntry) -> str:
        return entry.remote_addr or "–"

    @display(
        description="acción",
        ordering="action",
        label={"creó": "success", "cambió": "info", "eliminó": "danger", "leyó": "warning"},
    )
    def did(self, entry: LogEntry) -> str:
        return _ACTIONS[entry.action]

    @admin.display(description="qué")
    def what(self, entry: LogEntry) -> SafeString:
        kind = entry.content_type
        named = Truncator(entry.object_repr).chars(_LONGEST_NAME)
        try:
            url = reverse(f"admin:{kind.app_label}_{kind.model}_change", args=[entry.object_pk])
        except NoReverseMatch:
            return format_html('<span class="anywhere">{}: {}</span>', kind.name, named)
        return format_html(
            '<span class="anywhere">{}: <a href="{}">{}</a></span>', kind.name, url, named
        )

    @admin.display(description="campos")
    def fields_changed(self, entry: LogEntry) -> str:
        if entry.action in (LogEntry.Action.DELETE, LogEntry.Action.ACCESS):
            return "–"
        names = [name for name, _ in _changes(entry)]
        shown = ", ".join(names[:4])
        return f"{shown}…" if len(names) > 4 else shown or "–"

    @admin.display(description="antes y después")
    def before_and_after(self, entry: LogEntry) -> SafeString | str:
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            ((name, *_sides(change)) for name, change in _changes(entry)),
        )
        if not rows:
            return "–"
        head = "<thead><tr><th>Campo</th><th>Antes</th><th>Después</th></tr></thead>"
        return format_html(
            '<div class="as-read"><table>' + head + "<tbody>{}</tbody></table></div>", rows
        )


def _changes(entry: LogEntry) -> list[tuple[str, Any]]:
    """Return what changed by what it is called on its form; not what others say of the object."""
    model = entry.content_type.model_class()
    found = []
    for name, change in entry.changes_dict.items():
        label: object = name
        if model is not None:
            try:
                field = model._meta.get_field(name)
            except FieldDoesNotExist:  # the model has it no more
                field = None
            if field is not None and field.auto_created and not field.concrete:
                continue
            label = getattr(field, "verbose_name", name)
        found.append((str(label), change))
    return found


def _sides(change: Any) -> tuple[str, str]:
    """Return what a field was and is; of a relation to many, what was taken away and added."""
    if isinstance(change, dict):
        names = ", ".join(str(one) for one in change.get("objects", []))
        return ("–", f"+ {names}") if change.get("operation") == "add" else (f"− {names}", "–")
    before, after = (_shown(value) for value in change)
    return before, after


def _shown(value: object) -> str:
    text = "–" if value in (None, "None", "") else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
