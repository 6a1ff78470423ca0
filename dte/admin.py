"""Validations in the admin: the findings beside the document, and how right the rules are."""

from contextlib import suppress
from uuid import UUID

from django.contrib import admin
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from dte.documents.rut import tidy
from dte.formato.tipos import TYPE_NAMES
from dte.history.statistics import frequent_codes, precision, raised_codes
from dte.models import KeyPolicy, RaisedCode, Validation
from usage.admin.base import moment
from usage.admin.columns import Column, identifier, usd
from usage.admin.exports import ExportAdmin
from usage.admin.large import DaysFilter, KnownFilter, known
from usage.admin.origins import ORIGINS, Origin
from usage.models import UsageRecord

_SEVERITIES = {"reject": "rechazo", "review": "revisar", "warn": "aviso"}


def _kinds() -> list[tuple[str, str]]:
    from dte.kinds import KINDS  # its readers need DRF, which is not loaded when admins are

    names = ["DTE", "EnvioDTE", "EnvioBOLETA", *(kind.name for kind in KINDS)]
    return [(name, name) for name in names]


def _types() -> list[tuple[str, str]]:
    return [(str(tipo), f"{tipo} {name}") for tipo, name in TYPE_NAMES.items()]


class CodeFilter(KnownFilter):
    """By the code of a rule that was raised."""

    title = "regla"
    parameter_name = "regla"
    column = "codes__code"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        from dte.rules import REGISTRY  # as above

        titles = {code: rule.title for code, rule in REGISTRY.items()}
        return [(code, f"{code} {titles.get(code, '')}"[:60].strip()) for code in raised_codes()]


def origin_links(request: HttpRequest, record: UsageRecord) -> list[tuple[str, str]]:
    """Return the validations that a call was made for."""
    if not request.user.has_perm("dte.view_validation"):
        return []
    found = Validation.objects.filter(usage=record).only("pk", "folio", "kind", "summary")[:20]
    return [
        (reverse("admin:dte_validation_change", args=[one.pk]), f"validación {one}")
        for one in found
    ]


def calls_of(term: str) -> list[UUID | None]:
    """Return the call of a validation."""
    try:
        pk = UUID(term)
    except ValueError:
        return []
    return list(Validation.objects.filter(pk=pk).values_list("usage", flat=True))


ORIGINS.append(Origin(origin_links, calls_of))


@admin.register(Validation)
class ValidationAdmin(ExportAdmin):
    position = ("-created_at", "-id")
    list_display = [
        "created", "verdict", "document_named", "parties", "amount", "answer", "found", "key",
    ]  # fmt: skip
    list_filter = [
        ("created_at", DaysFilter),
        known("kind", "clase", _kinds),
        ("recommendation", ChoicesDropdownFilter),
        ("outcome", ChoicesDropdownFilter),
        ("mode", ChoicesDropdownFilter),
        known("tipo", "tipo", _types),
        CodeFilter,
        ("api_key__account", RelatedDropdownFilter),
        ("api_key", RelatedDropdownFilter),
    ]
    list_select_related = ["api_key"]
    view_on_site = False  # the API's address needs a key, which a browser does not send
    search_fields = ["folio"]
    search_help_text = "Folio, RUT, n° de envío o identificador"
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

    export_columns = [
        Column("fecha", "created_at", "moment"), Column("clave", "api_key__name"), Column("clase", "kind"),
        Column("modo", "mode"), Column("tipo", "tipo", "number"), Column("folio", "folio"),
        Column("emisor", "issuer"), Column("receptor", "receiver"), Column("total", "total", "number"),
        Column("veredicto", "recommendation"), Column("confianza", "confidence", "number"),
        Column("estado", "state"), Column("envio_sii", "track_id"), Column("respuesta_sii", "outcome"),
        Column("respondida", "outcome_at", "moment"), usd("costo_usd", "usage__cost_usd"),
        Column("sha256", "digest"), identifier("id", "id"), identifier("uso", "usage_id"),
    ]  # fmt: skip

    class Media:
        css = {"all": ["dte/admin.css"]}

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """Find what a whole folio, RUT, upload or identifier names: each is a look into an index."""
        term = search_term.strip()
        if not term or "\x00" in term:
            return queryset, False
        rut = tidy(term)
        named = Q(folio=term) | Q(track_id=term) | Q(issuer=rut) | Q(receiver=rut)
        with suppress(ValueError):
            named |= Q(pk=UUID(term))
        return queryset.filter(named), False

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
