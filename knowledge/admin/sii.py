"""The SII monitor in the admin: what changed, whom it touches, and the pages that are watched."""

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator, slugify
from unfold.admin import ModelAdmin

from knowledge.models import SiiNotice, SiiSource
from knowledge.monitoring.addresses import problem

_CLASSES = {"+": "added", "-": "deleted", "@": "place"}
_NAMED = 30  # rules and documents shown; the rest is counted
_MAX_LINK_DIFF = 1_500  # characters of a draft that travel in an address


class ReviewedFilter(admin.SimpleListFilter):
    """Notices that wait for somebody come first."""

    title = "revisión"
    parameter_name = "revision"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("revisados", "Revisados"), ("todos", "Todos")]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        default, *others = super().choices(changelist)
        yield {**default, "display": "Sin revisar"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[SiiNotice]) -> QuerySet[SiiNotice]:
        match self.value():
            case "revisados":
                return queryset.exclude(reviewed_at=None)
            case "todos":
                return queryset
        return queryset.filter(reviewed_at=None)


@admin.register(SiiNotice)
class SiiNoticeAdmin(ModelAdmin):
    """Reads, reviews and turns into documents; what was found is never edited."""

    list_display = ["level", "headline", "created_at", "state", "act"]
    list_display_links = ["headline"]
    list_filter = [ReviewedFilter, "impact", "kind", "source", "classified_by"]
    list_select_related = ["source"]
    search_fields = ["summary", "number", "diff"]
    date_hierarchy = "created_at"
    actions = ["review"]
    readonly_fields = [
        "summary_",
        "level",
        "about",
        "page",
        "files",
        "to_do",
        "touched_rules",
        "touched_documents",
        "changes",
        "created_at",
        "classification",
        "state",
        "act",
    ]
    fieldsets = [
        (None, {"fields": ["summary_", "level", "about", "to_do", "page", "files"]}),
        ("Qué revisar", {"fields": ["touched_rules", "touched_documents"]}),
        ("Qué cambió", {"fields": ["changes"]}),
        ("Revisión", {"fields": ["state", "note", "act"]}),
        ("Registro", {"fields": ["created_at", "classification"]}),
    ]

    class Media:
        css = {"all": ["knowledge/admin.css"]}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/draft/", view(self.draft), name="knowledge_siinotice_draft"),
            *super().get_urls(),
        ]

    @admin.display(description="impacto", ordering="impact")
    def level(self, notice: SiiNotice) -> SafeString:
        return format_html(
            '<span class="sii-impact sii-impact-{}">{}</span>',
            notice.impact,
            notice.get_impact_display(),
        )

    @admin.display(description="aviso")
    def headline(self, notice: SiiNotice) -> str:
        number = f" {notice.number}" if notice.number else ""
        summary = Truncator(notice.summary).chars(160)
        return f"{notice.source}, {notice.get_kind_display()}{number}: {summary}"

    @admin.display(description="resumen")
    def summary_(self, notice: SiiNotice) -> SafeString:
        return format_html('<div class="sii-text">{}</div>', notice.summary)

    @admin.display(description="de qué trata")
    def about(self, notice: SiiNotice) -> SafeString:
        parts = [
            ("Tipo", f"{notice.get_kind_display()} {notice.number}".strip()),
            ("Fechas", ", ".join(notice.dates)),
            ("DTE", ", ".join(map(str, notice.dte_types))),
            ("Componentes", ", ".join(notice.components)),
        ]
        return format_html_join("", "<div><b>{}</b>: {}</div>", ((k, v) for k, v in parts if v))

    @admin.display(description="qué hacer")
    def to_do(self, notice: SiiNotice) -> SafeString:
        return _list("<li>{}</li>", ((action,) for action in notice.actions))

    @admin.display(description="página")
    def page(self, notice: SiiNotice) -> SafeString:
        return _outside(notice.url)

    @admin.display(description="archivos enlazados")
    def files(self, notice: SiiNotice) -> SafeString:
        return _list("<li>{}</li>", ((_outside(link),) for link in notice.links))

    @admin.display(description="reglas que citan lo mismo")
    def touched_rules(self, notice: SiiNotice) -> SafeString:
        rows = [(rule["code"], rule["title"], rule["source"]) for rule in notice.rules]
        return _list("<li><b>{}</b> {} <small>{}</small></li>", rows)

    @admin.display(description="documentos que citan lo mismo")
    def touched_documents(self, notice: SiiNotice) -> SafeString:
        base = reverse("admin:knowledge_document_changelist")
        rows = [
            (f"{base}?{urlencode({'q': found['slug']})}", found["title"], found["source"])
            for found in notice.documents
        ]
        return _list('<li><a href="{}">{}</a> <small>{}</small></li>', rows)

    @admin.display(description="cambio")
    def changes(self, notice: SiiNotice) -> SafeString:
        return format_html(
            '<div class="knowledge-diff">{}</div>',
            format_html_join(
                "",
                '<div class="{}">{}</div>',
                ((_CLASSES.get(line[:1], ""), line or " ") for line in notice.diff.split("\n")),
            ),
        )

    @admin.display(description="clasificado por")
    def classification(self, notice: SiiNotice) -> SafeString | str:
        who = notice.get_classified_by_display()
        if notice.usage_id is None:
            return who
        url = reverse("admin:usage_usagerecord_change", args=[notice.usage_id])
        return format_html('{} · <a href="{}">costo</a>', who, url)

    @admin.display(description="estado", ordering="reviewed_at")
    def state(self, notice: SiiNotice) -> str:
        if notice.reviewed_at is None:
            return "sin revisar"
        return f"{notice.reviewed_by}, {timezone.localtime(notice.reviewed_at):%d-%m-%Y}"

    @admin.display(description="conocimiento")
    def act(self, notice: SiiNotice) -> SafeString:
        url = reverse("admin:knowledge_siinotice_draft", args=[notice.pk])
        return format_html('<a href="{}">Hacer un borrador</a>', url)

    @admin.action(description="Marcar como revisados", permissions=["change"])
    def review(self, request: HttpRequest, notices: QuerySet[SiiNotice]) -> None:
        now = timezone.now()
        for notice in notices:
            notice.review(request.user.get_username(), now)
            self.log_change(request, notice, "Revisado.")
        self.message_user(request, f"Avisos revisados: {len(notices)}.", messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: SiiNotice, form: object, change: bool) -> None:
        """Saving a notice, with a note or without, is reviewing it."""
        super().save_model(request, obj, form, change)
        obj.review(request.user.get_username(), timezone.now())

    def draft(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Open a new document with what the notice says, for an editor to finish."""
        notice = self.get_object(request, str(pk))
        if notice is None or not self.has_view_permission(request, notice):
            return HttpResponseRedirect(reverse("admin:knowledge_siinotice_changelist"))
        add = reverse("admin:knowledge_document_add")
        return HttpResponseRedirect(f"{add}?{urlencode(draft_of(notice))}")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


def draft_of(notice: SiiNotice) -> dict[str, str]:
    """Return the fields of a knowledge document that a notice gives; its source is the SII's page."""
    name = f"{notice.get_kind_display()} {notice.number}".strip().capitalize()
    year = f" de {notice.dates[0][:4]}" if notice.dates and notice.number else ""
    title = f"{name}{year}: {notice.source.name}"[:300]
    day = timezone.localdate(notice.created_at)
    added = [line[1:] for line in notice.diff.split("\n") if line.startswith("+")]
    text = "\n\n".join(added)[:_MAX_LINK_DIFF]
    links = "".join(f"\n- <{link}>" for link in notice.links[:5])
    return {
        "title": title,
        "slug": slugify(title)[:200],
        "module": "dte",
        "source": f"SII, {name}{year}, {notice.url} (visto el {day:%Y-%m-%d})"[:1000],
        "checked_on": f"{day:%d-%m-%Y}",
        "body": f"## Qué cambió\n\n{notice.summary}\n\n## Texto publicado\n\n{text}\n{links}\n",
    }


class SourceForm(forms.ModelForm):
    """A source, held to the allow-list."""

    class Meta:
        model = SiiSource
        fields = ("name", "slug", "url", "kind", "is_active")

    def clean_url(self) -> str:
        """Refuse what would not be asked anyway."""
        url = str(self.cleaned_data["url"]).strip()
        if reason := problem(url):
            raise ValidationError(reason)
        return url


@admin.register(SiiSource)
class SiiSourceAdmin(ModelAdmin):
    form = SourceForm
    list_display = [
        "name",
        "kind",
        "is_active",
        "last_checked_at",
        "last_result",
        "last_changed_at",
        "checks",
        "errors",
    ]
    list_filter = ["is_active", "kind", "last_result"]
    search_fields = ["name", "slug", "url"]
    readonly_fields = [
        "last_checked_at",
        "last_ok_at",
        "last_changed_at",
        "last_result",
        "last_detail",
        "checks",
        "errors",
    ]
    fieldsets = [
        (None, {"fields": ["name", "slug", "url", "kind", "is_active"]}),
        ("Última revisión", {"fields": [*readonly_fields]}),
    ]

    def save_model(
        self, request: HttpRequest, obj: SiiSource, form: forms.ModelForm, change: bool
    ) -> None:
        if "url" in form.changed_data:
            obj.forget()
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: SiiSource | None = None) -> bool:
        # What it found would go with it; one that is not looked at any more costs nothing.
        allowed = super().has_delete_permission(request, obj)
        return allowed and obj is not None and not obj.notices.exists()


def _outside(url: str) -> SafeString:
    return format_html('<a href="{0}" rel="noreferrer noopener" target="_blank">{0}</a>', url)


def _list(item: str, rows: Iterable[tuple[object, ...]]) -> SafeString:
    """Return a list of at most `_NAMED` entries that says how many it leaves out."""
    every = list(rows)
    shown = format_html_join("", item, every[:_NAMED])
    if not every:
        return format_html("{}", "–")
    more = f"y {len(every) - _NAMED} más" if len(every) > _NAMED else ""
    return format_html('<ul class="sii-list">{}</ul>{}', shown, more)
