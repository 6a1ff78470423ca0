"""Validations in the admin: the findings beside the document, and how right the rules are."""

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from dte.formato.tipos import TYPE_NAMES
from dte.history.statistics import frequent_codes, precision, raised_codes
from dte.models import KeyPolicy, RaisedCode, Validation
from usage.admin.base import moment

_SEVERITIES = {"reject": "rechazo", "review": "revisar", "warn": "aviso"}


class CodeFilter(admin.SimpleListFilter):
    """By the code of a rule that was raised."""

    title = "regla"
    parameter_name = "regla"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(code, f"{code} ({times})") for code, times in raised_codes()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Validation]
    ) -> QuerySet[Validation]:
        return queryset.filter(codes__code=self.value()) if self.value() else queryset


class KindFilter(admin.SimpleListFilter):
    """By kind of file; they are known, and need not be looked for in a large table."""

    title = "clase"
    parameter_name = "clase"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        from dte.kinds import KINDS  # its readers need DRF, which is not loaded when admins are

        names = ["DTE", "EnvioDTE", "EnvioBOLETA", *(kind.name for kind in KINDS)]
        return [(name, name) for name in names]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Validation]
    ) -> QuerySet[Validation]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class TypeFilter(admin.SimpleListFilter):
    """By type of document; the types are known, and need not be looked for in a large table."""

    title = "tipo"
    parameter_name = "tipo"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(tipo), f"{tipo} {name}") for tipo, name in TYPE_NAMES.items()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Validation]
    ) -> QuerySet[Validation]:
        known = str(self.value() or "").isdecimal()
        return queryset.filter(tipo=self.value()) if known else queryset


@admin.register(Validation)
class ValidationAdmin(ModelAdmin):
    list_display = [
        "created", "verdict", "document_named", "parties", "amount", "answer", "found", "key",
    ]  # fmt: skip
    list_filter = [
        KindFilter, "recommendation", "outcome", "mode", TypeFilter, CodeFilter, "api_key", "created_at",
    ]  # fmt: skip
    list_select_related = ["api_key"]
    show_full_result_count = False
    view_on_site = False  # the API's address needs a key, which a browser does not send
    search_fields = ["folio", "issuer", "receiver", "id", "track_id"]
    date_hierarchy = "created_at"
    change_list_template = "admin/dte/validation/change_list.html"
    fieldsets = [
        (None, {"fields": [
            ("created_at", "api_key"), ("verdict", "confidence"), ("kind", "state"), ("mode", "form"),
        ]}),
        ("Documento", {"fields": [
            ("tipo", "folio", "amount"), ("issuer", "receiver"), ("batch", "number"), ("sha256", "track_id"),
        ]}),
        ("Hallazgos", {"fields": ["findings_and_document"]}),
        ("Respuesta del SII", {"fields": [
            ("outcome", "outcome_at"), "codes_of_sii", "outcome_detail",
        ]}),
    ]  # fmt: skip

    class Media:
        css = {"all": ["dte/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Validation | None = None) -> bool:
        return False  # what was said is not rewritten; erasing is possible

    def get_queryset(self, request: HttpRequest) -> QuerySet[Validation]:
        rows = super().get_queryset(request).defer("document", "findings", "review")
        return rows.prefetch_related(Prefetch("codes", RaisedCode.objects.order_by("pk")))

    def get_urls(self) -> list[URLPattern]:
        statistics = self.admin_site.admin_view(self.statistics)
        return [path("estadisticas/", statistics, name="dte_statistics"), *super().get_urls()]

    def statistics(self, request: HttpRequest) -> TemplateResponse:
        """Show the most frequent codes, and how often the SII agreed with each verdict."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Estadísticas de validación",
            "codes": [
                {**row, "severity": severity_label(row["severity"])} for row in frequent_codes()
            ],
            "precision": precision(),
            "opts": self.model._meta,
            "list_url": reverse("admin:dte_validation_changelist"),
        }
        return TemplateResponse(request, "admin/dte/validation/statistics.html", context)

    @admin.display(description="fecha", ordering="created_at")
    def created(self, validation: Validation) -> str:
        return moment(validation.created_at)

    @admin.display(description="documento", ordering="folio")
    def document_named(self, validation: Validation) -> SafeString | str:
        """Name a document by type and folio, and any other kind of file by its kind."""
        if not validation.folio:
            return validation.kind
        return format_html(
            '<span class="nowrap">{}</span><br><span class="soft nowrap">N° {}</span>',
            f"{validation.kind} {validation.tipo or ''}".strip(),
            validation.folio,
        )

    @admin.display(description="emisor / receptor", ordering="issuer")
    def parties(self, validation: Validation) -> SafeString:
        return format_html(
            '<span class="nowrap">{}</span><br><span class="nowrap soft">{}</span>',
            validation.issuer or "–",
            validation.receiver or "–",
        )

    @admin.display(description="SII", ordering="outcome")
    def answer(self, validation: Validation) -> str:
        return validation.get_outcome_display() if validation.outcome else "–"

    @admin.display(description="clave", ordering="api_key")
    def key(self, validation: Validation) -> str:
        return validation.api_key.name

    @admin.display(description="veredicto", ordering="recommendation")
    def verdict(self, validation: Validation) -> SafeString:
        return _badge(validation.recommendation, validation.get_recommendation_display())

    @admin.display(description="total", ordering="total")
    def amount(self, validation: Validation) -> str:
        """Write the total as on paper; exports have decimals, everything else whole pesos."""
        if validation.total is None:
            return "–"
        whole = validation.total == validation.total.to_integral_value()
        return number_format(validation.total, 0 if whole else 4, force_grouping=True)

    @admin.display(description="SHA-256")
    def sha256(self, validation: Validation) -> SafeString:
        return format_html('<span class="breakable">{}</span>', validation.digest)

    @admin.display(description="hallazgos")
    def found(self, validation: Validation) -> str:
        codes = [raised.code for raised in validation.codes.all()]
        shown = ", ".join(codes[:4])
        return f"{shown}…" if len(codes) > 4 else shown

    @admin.display(description="códigos del SII")
    def codes_of_sii(self, validation: Validation) -> str:
        return ", ".join(validation.outcome_codes) or "-"

    @admin.display(description="hallazgos y documento")
    def findings_and_document(self, validation: Validation) -> SafeString:
        """Put the findings on the left and the document, if it was kept, on the right."""
        findings = format_html_join(
            "",
            "<li>{} <strong>{}</strong> {}{}<br><span>{}</span><br>"
            "<em>→ {}</em><br><small>{}</small></li>",
            (
                (
                    _badge(finding["severity"], severity_label(finding["severity"])),
                    finding["code"],
                    finding["path"],
                    f" (línea {finding['line']})" if finding["line"] else "",
                    finding["message"],
                    finding["fix"],
                    finding["source"],
                )
                for finding in validation.findings
            ),
        )
        said = validation.summary.get(
            "statement", ""
        )  # what is no document says itself what it is worth
        findings = format_html("<li>{}</li>{}", said, findings) if said else findings
        return format_html(
            '<div class="dte-beside"><ul>{}</ul><pre tabindex="0" aria-label="Documento">{}</pre></div>',
            findings or format_html("<li>{}</li>", "Sin hallazgos."),
            _numbered(validation),
        )


def severity_label(severity: str) -> str:
    """Return what a severity is called on these pages."""
    return _SEVERITIES.get(severity, severity)


def _badge(kind: str, label: str) -> SafeString:
    return format_html('<span class="dte-badge {}">{}</span>', kind, label)


def _numbered(validation: Validation) -> SafeString:
    """Return the kept document with its lines numbered and those with findings marked."""
    if validation.document is None:
        return format_html("{}", "El documento no se guardó (política de la clave, o un secreto).")
    if validation.form == "binary":
        return format_html("{}", "El archivo no es un texto.")
    encoding = "utf-8" if validation.form != "xml" else "iso-8859-1"
    lines = bytes(validation.document).decode(encoding, "replace").splitlines()
    # A finding's line is that of its file; in a single document both are the same.
    marked = {finding["line"] for finding in validation.findings if finding["line"]}
    return format_html_join(
        "",
        "{}\n",
        (
            (format_html("<mark>{}</mark>" if number in marked else "{}", f"{number:>4} {line}"),)
            for number, line in enumerate(lines, 1)
        ),
    )


@admin.register(KeyPolicy)
class KeyPolicyAdmin(ModelAdmin):
    list_display = ["api_key", "keep_documents", "retention_days"]
    list_select_related = ["api_key"]
