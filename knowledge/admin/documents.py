"""Documents: the editor with its preview, how a text is cut, and the folder they travel in."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from knowledge import tryout
from knowledge.chunks import cut
from knowledge.frontmatter import MAX_FILE_BYTES, InvalidFileError, dump, parse
from knowledge.loading import archive, ingest
from knowledge.models import Document, Evaluation
from knowledge.render import to_html


class TagsField(forms.CharField):
    """Tags as people write them, separated by commas."""

    def prepare_value(self, value: object) -> object:
        """Show a list as text."""
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Read the text as a list."""
        if isinstance(value, list):
            return value
        return list(dict.fromkeys(tag.strip() for tag in (value or "").split(",") if tag.strip()))


class DocumentForm(forms.ModelForm):
    """A document, held to the same rules as a file."""

    tags = TagsField(
        label="Etiquetas",
        required=False,
        help_text="Separadas por comas.",
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        model = Document
        fields = (
            "title",
            "module",
            "slug",
            "tags",
            "source",
            "valid_from",
            "valid_to",
            "checked_on",
            "body",
        )
        widgets: ClassVar = {
            "body": UnfoldAdminTextareaWidget(attrs={"rows": 28, "class": "knowledge-editor"})
        }

    def clean(self) -> dict[str, object]:
        """Refuse what a file with this content would be refused for."""
        values: dict[str, object] = super().clean() or self.cleaned_data
        if not self.errors:
            document = Document(
                **{name: values[name] for name in values if name in self.Meta.fields}
            )
            document.slug = document.slug or self.instance.slug
            try:
                parse(dump(document.as_parsed(document.slug)).encode(), source_path="documento.md")
            except InvalidFileError as error:
                raise ValidationError(error.reason) from None
        return values


class UploadForm(forms.Form):
    """A folder of documents as a ZIP file."""

    file = forms.FileField(label="Archivo ZIP")
    prune = forms.BooleanField(
        label="Retirar los documentos de archivo que no vengan en el ZIP", required=False
    )


class ValidityFilter(admin.SimpleListFilter):
    """In use, expired, or removed."""

    title = "vigencia"
    parameter_name = "vigencia"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("vencidos", "Vencidos"), ("retirados", "Retirados"), ("todos", "Todos")]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        default, *others = super().choices(changelist)
        yield {**default, "display": "Sin retirar"}
        yield from others

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
class DocumentAdmin(ModelAdmin):
    form = DocumentForm
    view_on_site = False  # the API's address needs a key, which a browser does not send
    list_display = ["title", "module", "version", "state", "checked_on", "updated_at"]
    list_filter = [ValidityFilter, "module"]
    search_fields = ["title", "slug", "source", "body"]
    readonly_fields = ["passages", "history", "created_at", "updated_at", "source_path"]
    actions = ["remove", "restore"]
    fieldsets = [
        (None, {"fields": ["title", ("module", "slug"), "tags", "source"]}),
        ("Vigencia", {"fields": [("valid_from", "valid_to"), "checked_on"]}),
        ("Texto", {"fields": ["body"]}),
        ("Pasajes", {"fields": ["passages"], "classes": ["collapse"]}),
        ("Registro", {"fields": ["history", ("created_at", "updated_at"), "source_path"]}),
    ]

    class Media:
        css = {"all": ["knowledge/admin.css"]}
        js = ["knowledge/editor.js"]

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("preview/", view(require_POST(self.preview)), name="knowledge_preview"),
            path("try/", view(self.try_out), name="knowledge_try"),
            path("export/", view(self.export_folder), name="knowledge_export"),
            path("import/", view(self.import_folder), name="knowledge_import"),
            *super().get_urls(),
        ]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Document | None = None
    ) -> list[str] | tuple[str, ...]:
        # The identifier is what answers cite: it does not change once it exists.
        return [*self.readonly_fields, "slug"] if obj else self.readonly_fields

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Document | None = None
    ) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("title",)}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        expired = Document.objects.stale(timezone.localdate()).count()
        if expired and "vigencia" not in request.GET:
            link = format_html('<a href="?vigencia=vencidos">{}</a>', f"{expired} vencidos")
            self.message_user(
                request, format_html("Hay documentos fuera de uso: {}.", link), messages.WARNING
            )
        context = {"evaluation": Evaluation.objects.first()}
        return super().changelist_view(request, context | (extra_context or {}))

    @admin.display(description="estado")
    def state(self, document: Document) -> str:
        if document.removed_at:
            return "retirado"
        today = timezone.localdate()
        if document.is_valid_on(today):
            return "vigente"
        return "vencido" if document.valid_to and document.valid_to < today else "futuro"

    @admin.display(description="cómo se divide")
    def passages(self, document: Document) -> SafeString:
        return format_html_join(
            "",
            "<details><summary>{} <small>#{} · {} palabras</small></summary><pre>{}</pre></details>",
            (
                (
                    part.section or document.title,
                    part.anchor,
                    len(part.content.split()),
                    part.content,
                )
                for part in cut(document.body, title=document.title)
            ),
        )

    @admin.display(description="versiones")
    def history(self, document: Document) -> SafeString:
        return format_html_join(
            "",
            '<a href="{}">v{}</a> {} {}<br>',
            (
                (
                    reverse("admin:knowledge_documentversion_change", args=[version.pk]),
                    version.number,
                    timezone.localtime(version.created_at).strftime("%d-%m-%Y %H:%M"),
                    version.created_by,
                )
                for version in document.versions.all()[:20]
            ),
        )

    def save_model(self, request: HttpRequest, obj: Document, form: object, change: bool) -> None:
        if not ingest.save(obj, author=request.user.get_username()):
            self.message_user(request, "No había cambios que guardar.", messages.INFO)

    @admin.action(description="Retirar los documentos seleccionados", permissions=["delete"])
    def remove(self, request: HttpRequest, documents: QuerySet[Document]) -> None:
        count = ingest.remove(documents)
        self.message_user(request, f"Documentos retirados: {count}.", messages.SUCCESS)

    @admin.action(description="Volver a usar los documentos seleccionados", permissions=["change"])
    def restore(self, request: HttpRequest, documents: QuerySet[Document]) -> None:
        author = request.user.get_username()
        count = sum(ingest.save(document, author=author) for document in documents)
        self.message_user(request, f"Documentos en uso otra vez: {count}.", messages.SUCCESS)

    def get_deleted_objects(
        self, objs: Iterable[Document], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        # Nothing is deleted with it, so the permissions of versions and passages do not matter.
        return [f"Se retira: {document}" for document in objs], {}, set(), []

    def delete_model(self, request: HttpRequest, obj: Document) -> None:
        ingest.remove([obj])

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Document]) -> None:
        ingest.remove(queryset)

    def preview(self, request: HttpRequest) -> HttpResponse:
        """Render what is being written; the page shows it beside the editor."""
        body = request.POST.get("body", "")
        if len(body) > MAX_FILE_BYTES:
            return HttpResponse(status=413)
        return HttpResponse(to_html(body))

    def try_out(self, request: HttpRequest) -> HttpResponse:
        """Show what a question finds, and why."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        question = request.GET.get("q", "").strip()[:2_000]
        context = {
            **self.admin_site.each_context(request),
            "title": "Probar una pregunta",
            "question": question,
            "trial": tryout.run(question) if question else None,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/knowledge/document/try.html", context)

    def export_folder(self, request: HttpRequest) -> HttpResponse:
        """Download every document in use as a folder of files."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        name = f"conocimiento-{timezone.localdate():%Y-%m-%d}.zip"
        return HttpResponse(
            archive.export(Document.objects.active()),
            content_type="application/zip",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def import_folder(self, request: HttpRequest) -> HttpResponse:
        """Load a folder of files, as ``load_knowledge`` would."""
        if not (self.has_add_permission(request) and self.has_change_permission(request)):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        report = None
        if form.is_valid():
            try:
                documents, failures = archive.read(form.cleaned_data["file"])
            except archive.InvalidArchiveError as error:
                form.add_error("file", str(error))
            else:
                report = ingest.load(
                    documents,
                    failures,
                    prune=form.cleaned_data["prune"],
                    author=request.user.get_username(),
                )
                if not report.failures:
                    self.message_user(request, report.summary, messages.SUCCESS)
                    return HttpResponseRedirect(reverse("admin:knowledge_document_changelist"))
        context = {
            **self.admin_site.each_context(request),
            "title": "Importar documentos",
            "form": form,
            "report": report,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/knowledge/document/import.html", context)
