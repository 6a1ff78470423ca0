"""The ledger as finance reads it; only an estimate can be corrected."""

from contextlib import suppress
from typing import Any, ClassVar, cast
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from usage.accounting import reports
from usage.accounting.corrections import correct, is_correctable
from usage.admin import arithmetic
from usage.admin.base import ReadOnlyAdmin, ReadOnlyInline, grouped, moment
from usage.admin.columns import Column, identifier, usd
from usage.admin.exports import ExportAdmin
from usage.admin.large import DaysFilter, LargeChangeList, known
from usage.admin.origins import MOST, ORIGINS
from usage.models import Correction, DailyUsage, ModelPrice, Outcome, UsageRecord
from usage.models.record import TOKEN_CLASSES
from usage.money import dollars
from usage.tokens import TokenUsage

_GOOD = (Outcome.ANSWERED, Outcome.CACHED)
_WITHOUT_MODEL = (Outcome.OFFLINE, Outcome.REFUSED, Outcome.CANCELLED)
# What a filter asks of the ledger, and what the same is in the sums by day.
_ADDED_UP: dict[str, str] = {
    "api_key__id__exact": "api_key",
    "api_key__account__id__exact": "api_key__account",
    "operation__exact": "operation",
    "model": "model",
    "outcome__exact": "outcome",
}
_DAYS = {"started_at_from", "started_at_to"}
_SUMMED_AT_MOST = 2_000


class CorrectionForm(forms.ModelForm):
    """The tokens that the provider billed; the cost follows from them."""

    reason = forms.CharField(
        label="motivo",
        max_length=300,
        widget=UnfoldAdminTextInputWidget,
        help_text="De dónde sale el dato, por ejemplo la exportación de uso del proveedor.",
    )

    class Meta:
        model = UsageRecord
        fields = TOKEN_CLASSES


class CorrectionInline(ReadOnlyInline):
    """What was corrected already."""

    model = Correction
    verbose_name_plural = "correcciones"
    fields = ["corrected_at", "corrected_by", "reason", "before", "after"]
    readonly_fields = ["corrected_at", "corrected_by", "reason", "before", "after"]

    @admin.display(description="antes (USD)")
    def before(self, correction: Correction) -> str:
        return dollars(correction.cost_before_usd)

    @admin.display(description="después (USD)")
    def after(self, correction: Correction) -> str:
        return dollars(correction.cost_after_usd)


def _models() -> list[tuple[str, str]]:
    names = ModelPrice.objects.order_by("model").values_list("model", flat=True).distinct()
    return [(name, name) for name in names]


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin, ExportAdmin):
    """The ledger, with the totals of whatever is filtered."""

    form = CorrectionForm
    inlines = [CorrectionInline]
    list_before_template = "admin/usage/usagerecord/totals.html"
    position = ("-started_at", "-id")
    list_display = ["started", "key", "what", "by_model", "ended", "tokens", "cost", "seconds"]
    list_filter = [
        ("started_at", DaysFilter),
        ("api_key__account", RelatedDropdownFilter),
        ("api_key", RelatedDropdownFilter),
        ("operation", ChoicesDropdownFilter),
        known("model", "modelo", _models),
        ("outcome", ChoicesDropdownFilter),
        ("state", ChoicesDropdownFilter),
        "usage_complete",
    ]
    list_select_related = ["api_key"]
    search_fields = ["request_id"]
    search_help_text = "Solicitud, llamada o conversación, completa"
    change_form_before_template = "admin/usage/usagerecord/origin.html"
    shown: ClassVar = [
        (None, {"fields": [
            ("started_at", "settled_at"), ("api_key", "operation"), ("outcome_named", "model"),
        ]}),
        ("Costo", {"fields": ["calculation"]}),
        ("Duración", {"fields": [("seconds", "first_text")]}),
        ("Identificadores", {"fields": [
            "id", ("call_id", "attempt"), "request_id", "provider_request_id", "provider_message_id",
            ("error_type", "stop_reason"), "process",
        ]}),
    ]  # fmt: skip
    export_columns = [
        Column("inicio", "started_at", "moment"),
        Column("cuenta", "api_key__account__name"), Column("clave", "api_key__name"),
        Column("prefijo", "api_key__prefix", "word"), Column("operacion", "operation", "word"),
        Column("modelo", "model", "word"), Column("estado", "state", "word"),
        Column("resultado", "outcome", "word"), Column("error", "error_type"),
        Column("termino", "stop_reason"),
        *(Column(name, name, "number") for name in (*TOKEN_CLASSES, "total_tokens")),
        Column("uso_completo", "usage_complete", "flag"), Column("region", "inference_geo"),
        usd("costo_usd", "cost_usd"), usd("reservado_usd", "held_usd"),
        Column("ms", "latency_ms", "number"), Column("ms_primer_texto", "first_token_ms", "number"),
        identifier("id", "id"), identifier("llamada", "call_id"), Column("intento", "attempt", "number"),
        Column("solicitud", "request_id"), Column("solicitud_proveedor", "provider_request_id"),
        Column("mensaje_proveedor", "provider_message_id"),
    ]  # fmt: skip

    def has_change_permission(self, request: HttpRequest, obj: UsageRecord | None = None) -> bool:
        allowed = request.user.has_perm("usage.change_usagerecord")
        return obj is not None and allowed and is_correctable(obj)

    def get_fieldsets(
        self, request: HttpRequest, obj: UsageRecord | None = None
    ) -> list[tuple[str | None, object]]:
        found = list(self.shown)
        if self.has_change_permission(request, obj):
            found.insert(2, ("Corregir", {"fields": [*TOKEN_CLASSES, "reason"]}))
        return found

    def get_readonly_fields(
        self, request: HttpRequest, obj: UsageRecord | None = None
    ) -> list[str]:
        own = ["outcome_named", "calculation", "seconds", "first_text"]
        stored = [f.name for f in UsageRecord._meta.fields if f.name not in TOKEN_CLASSES]
        return stored + own

    def save_model(
        self, request: HttpRequest, obj: UsageRecord, form: forms.ModelForm, change: bool
    ) -> None:
        usage = TokenUsage(**{name: form.cleaned_data[name] for name in TOKEN_CLASSES})
        correct(obj.pk, usage, reason=form.cleaned_data["reason"], by=cast(User, request.user))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        """Find rows by an identifier, whole: each is one look into an index."""
        term = search_term.strip()
        if not term or "\x00" in term:
            return queryset, False
        found = Q(request_id=term) | Q(provider_request_id=term) | Q(provider_message_id=term)
        with suppress(ValueError):
            found |= Q(pk=UUID(term)) | Q(call_id=UUID(term))
        rows = set(UsageRecord.objects.filter(found).values_list("pk", flat=True)[:MOST])
        for origin in ORIGINS:
            rows.update(pk for pk in origin.search(term) if pk is not None)
        return queryset.filter(pk__in=rows), False

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, object] | None = None,
    ) -> HttpResponse:
        """Add what the call was for."""
        record = self.get_object(request, object_id)
        links = (
            [link for origin in ORIGINS for link in origin.links(request, record)] if record else []
        )
        context = {"origins": links, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None)
        if context and "cl" in context and (sums := totals(context["cl"])) is not None:
            rate = sums["cache_hit_rate"]
            context["totals"] = sums | {"hit_rate": None if rate is None else round(100 * rate, 1)}
            context["shown_totals"] = {
                "calls": grouped(sums["calls"]),
                "cost": dollars(sums["cost_usd"]),
                "hit_rate": None if rate is None else grouped(100 * rate, 1),
                "incomplete": grouped(sums["incomplete"]),
                **{name: grouped(sums[name]) for name in TOKEN_CLASSES},
            }
        return response

    @admin.display(description="inicio", ordering="started_at")
    def started(self, record: UsageRecord) -> str:
        return moment(record.started_at)

    @admin.display(description="clave", ordering="api_key")
    def key(self, record: UsageRecord) -> str:
        return record.api_key.name

    @admin.display(description="modelo", ordering="model")
    def by_model(self, record: UsageRecord) -> SafeString:
        return format_html(
            '<span class="nowrap">{}</span>', record.model.removeprefix("claude-") or "–"
        )

    @admin.display(description="operación", ordering="operation")
    def what(self, record: UsageRecord) -> str:
        return str(record.get_operation_display())

    @display(
        description="resultado",
        ordering="outcome",
        label={"good": "success", "plain": "info", "bad": "danger", "open": "warning"},
    )
    def ended(self, record: UsageRecord) -> tuple[str, str]:
        if not record.outcome:
            return "open", "abierta"
        kind = "good" if record.outcome in _GOOD else "bad"
        kind = "plain" if record.outcome in _WITHOUT_MODEL else kind
        return kind, str(record.get_outcome_display())

    @admin.display(description="tokens", ordering="total_tokens")
    def tokens(self, record: UsageRecord) -> str:
        return grouped(record.total_tokens)

    @admin.display(description="costo (USD)", ordering="cost_usd")
    def cost(self, record: UsageRecord) -> str:
        return grouped(record.cost_usd, 6)

    @admin.display(description="segundos", ordering="latency_ms")
    def seconds(self, record: UsageRecord) -> str:
        return "–" if record.latency_ms is None else grouped(record.latency_ms / 1000, 1)

    @admin.display(description="primer texto (s)")
    def first_text(self, record: UsageRecord) -> str:
        return "–" if record.first_token_ms is None else grouped(record.first_token_ms / 1000, 1)

    @admin.display(description="resultado")
    def outcome_named(self, record: UsageRecord) -> str:
        return self.ended(record)[1]

    @admin.display(description="cálculo")
    def calculation(self, record: UsageRecord) -> SafeString | str:
        return arithmetic.shown(record)


def totals(changelist: LargeChangeList) -> dict[str, Any] | None:
    """Add up what is filtered: from the sums by day, or few rows by themselves; None if it would take long."""
    params = {
        name: values
        for name, values in changelist.filter_params.items()
        if any(values) and ("__id__" not in name or all(value.isdecimal() for value in values))
    }
    if changelist.query or not set(params) <= {*_ADDED_UP, *_DAYS}:
        rows = changelist.queryset.order_by().values_list("pk", flat=True)
        few = list(rows[: _SUMMED_AT_MOST + 1])
        if len(few) > _SUMMED_AT_MOST:
            return None
        return reports.total_of(UsageRecord.objects.filter(pk__in=few))
    first, last = next(
        spec.days() for spec in changelist.filter_specs if isinstance(spec, DaysFilter)
    )
    rows = DailyUsage.objects.filter(
        **{f"{_ADDED_UP[name]}__in": values for name, values in params.items() if name in _ADDED_UP}
    )
    if first:
        rows = rows.filter(day__gte=timezone.localdate(first))
    if last:
        rows = rows.filter(day__lte=timezone.localdate(last))
    return reports.total(rows)
