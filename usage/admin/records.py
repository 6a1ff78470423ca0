"""The ledger as finance reads it; only an estimate can be corrected."""

from decimal import Decimal
from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from usage.accounting.corrections import correct, is_correctable
from usage.admin.base import ReadOnlyAdmin, ReadOnlyInline, grouped, moment
from usage.models import Correction, Outcome, UsageRecord
from usage.models.record import TOKEN_CLASSES
from usage.money import dollars
from usage.tokens import TokenUsage

_GOOD = (Outcome.ANSWERED, Outcome.CACHED)
_WITHOUT_MODEL = (Outcome.OFFLINE, Outcome.REFUSED, Outcome.CANCELLED)


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


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin):
    """The ledger, with the totals of whatever is filtered."""

    form = CorrectionForm
    inlines = [CorrectionInline]
    change_list_template = "admin/usage/usagerecord/change_list.html"
    date_hierarchy = "started_at"
    list_display = ["started", "key", "what", "model", "ended", "tokens", "cost", "seconds"]
    list_filter = [
        "state",
        "outcome",
        "operation",
        "model",
        "usage_complete",
        ("api_key", admin.RelatedOnlyFieldListFilter),
    ]
    list_select_related = ["api_key"]
    list_per_page = 50
    search_fields = ["=id", "=call_id", "=request_id", "=provider_request_id"]
    show_full_result_count = False

    def has_change_permission(self, request: HttpRequest, obj: UsageRecord | None = None) -> bool:
        allowed = request.user.has_perm("usage.change_usagerecord")
        return obj is not None and allowed and is_correctable(obj)

    def get_fields(self, request: HttpRequest, obj: UsageRecord | None = None) -> Any:
        shown = [field.name for field in UsageRecord._meta.fields]
        return [*shown, "reason"] if self.has_change_permission(request, obj) else shown

    def get_readonly_fields(
        self, request: HttpRequest, obj: UsageRecord | None = None
    ) -> list[str]:
        return [field.name for field in UsageRecord._meta.fields if field.name not in TOKEN_CLASSES]

    def save_model(self, request: HttpRequest, obj: UsageRecord, form: Any, change: bool) -> None:
        usage = TokenUsage(**{name: form.cleaned_data[name] for name in TOKEN_CLASSES})
        correct(obj.pk, usage, reason=form.cleaned_data["reason"], by=cast(User, request.user))

    @admin.display(description="inicio", ordering="started_at")
    def started(self, record: UsageRecord) -> str:
        return moment(record.started_at)

    @admin.display(description="clave", ordering="api_key")
    def key(self, record: UsageRecord) -> str:
        return record.api_key.name

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
        return dollars(record.cost_usd)

    @admin.display(description="segundos", ordering="latency_ms")
    def seconds(self, record: UsageRecord) -> str:
        return "–" if record.latency_ms is None else grouped(record.latency_ms / 1000, 1)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None)
        if context and "cl" in context:
            context["totals"] = found = totals(context["cl"].queryset)
            context["shown_totals"] = {
                "cost": dollars(Decimal(found["cost_usd"])),
                **{name: grouped(found[name]) for name in TOKEN_CLASSES},
            }
        return response


def totals(records: QuerySet[UsageRecord]) -> dict[str, Any]:
    """Sum up rows: dollars, tokens by class, and the share of the input that the cache served."""
    sums: dict[str, Any] = records.order_by().aggregate(
        cost_usd=Sum("cost_usd"), **{name: Sum(name) for name in TOKEN_CLASSES}
    )
    found = {name: value or 0 for name, value in sums.items()}
    prompt = sum(found[name] for name in TOKEN_CLASSES if name != "output_tokens")
    found["hit_rate"] = round(100 * found["cache_read_tokens"] / prompt, 1) if prompt else None
    found["incomplete"] = records.filter(usage_complete=False).count()
    found["open"] = records.filter(~Q(outcome__in=Outcome.values)).count()
    return found
