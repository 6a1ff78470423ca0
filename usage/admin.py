"""The admin of usage: keys are issued here, money is only read, limits and prices are edited."""

from decimal import Decimal
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import widgets
from django.contrib.auth.models import User
from django.db.models import DateTimeField, Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse
from django.utils.formats import number_format
from django.utils.html import format_html

from usage.accounting.corrections import correct, is_correctable
from usage.models import (
    ApiKey,
    Budget,
    BudgetWindow,
    Correction,
    ModelPrice,
    Outcome,
    UsageRecord,
)
from usage.models.record import TOKEN_CLASSES
from usage.money import dollars
from usage.tokens import TokenUsage


class LabelledDateTime(widgets.AdminSplitDateTime):
    """The admin's date and time, each with a name for who does not see them."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        for part, name in zip(self.widgets, ("Fecha", "Hora"), strict=True):
            part.attrs["aria-label"] = name


class RevokedFilter(admin.SimpleListFilter):
    """By whether a key was revoked."""

    title = "estado"
    parameter_name = "estado"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("en-uso", "Sin revocar"), ("revocadas", "Revocadas")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        if self.value() not in ("en-uso", "revocadas"):
            return queryset
        return queryset.filter(revoked_at__isnull=self.value() == "en-uso")


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    """Issues keys and revokes them; a key that has spent is never deleted."""

    list_display = ["name", "prefix", "created_at", "expires_at", "last_used_at", "active"]
    list_filter = [RevokedFilter, "created_at"]
    formfield_overrides: ClassVar = {DateTimeField: {"widget": LabelledDateTime}}
    search_fields = ["name", "prefix"]
    readonly_fields = ["prefix", "created_at", "last_used_at", "revoked_at"]
    actions = ["revoke"]

    @admin.display(description="vigente", boolean=True)
    def active(self, key: ApiKey) -> bool:
        return key.is_active()

    @admin.action(description="Revocar las claves seleccionadas", permissions=["change"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        for key in keys:
            key.revoke()
            self.log_change(request, key, "Revocada.")
        self.message_user(request, f"Claves revocadas: {len(keys)}.", messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        issued, secret = ApiKey.objects.issue(
            name=obj.name, expires_at=obj.expires_at, may_monitor=obj.may_monitor
        )
        obj.__dict__.update(issued.__dict__)  # the admin goes on with the object it was given
        self.message_user(
            request,
            format_html("Copie la clave ahora, no se volverá a mostrar: <code>{}</code>", secret),
            messages.WARNING,
        )

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shows what the service wrote; nobody corrects the books by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CorrectionForm(forms.ModelForm):
    """The tokens that the provider billed; the cost follows from them."""

    reason = forms.CharField(
        label="motivo",
        max_length=300,
        help_text="De dónde sale el dato, por ejemplo la exportación de uso del proveedor.",
    )

    class Meta:
        model = UsageRecord
        fields = TOKEN_CLASSES


class CorrectionInline(admin.TabularInline):
    """What was corrected already."""

    model = Correction
    extra = 0
    can_delete = False
    verbose_name_plural = "correcciones"
    fields = ["corrected_at", "corrected_by", "reason", "before", "after"]
    readonly_fields = ["corrected_at", "corrected_by", "reason", "before", "after"]

    @admin.display(description="antes (USD)")
    def before(self, correction: Correction) -> str:
        return dollars(correction.cost_before_usd)

    @admin.display(description="después (USD)")
    def after(self, correction: Correction) -> str:
        return dollars(correction.cost_after_usd)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin):
    """The ledger, with the totals of whatever is filtered; only an estimate can be corrected."""

    form = CorrectionForm
    inlines = [CorrectionInline]
    change_list_template = "admin/usage/usagerecord/change_list.html"
    date_hierarchy = "started_at"
    list_display = [
        "started_at",
        "api_key",
        "operation",
        "model",
        "outcome",
        "input_tokens",
        "cache_writes",
        "cache_read_tokens",
        "output_tokens",
        "cost",
        "latency_ms",
    ]
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

    @admin.display(description="escritura de caché", ordering="cache_write_5m_tokens")
    def cache_writes(self, record: UsageRecord) -> int:
        return record.cache_write_5m_tokens + record.cache_write_1h_tokens

    @admin.display(description="costo (USD)", ordering="cost_usd")
    def cost(self, record: UsageRecord) -> str:
        return dollars(record.cost_usd)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None)
        if context and "cl" in context:
            context["totals"] = found = totals(context["cl"].queryset)
            context["shown_totals"] = {
                "cost": dollars(Decimal(found["cost_usd"])),
                **{name: number_format(found[name], force_grouping=True) for name in TOKEN_CLASSES},
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


@admin.register(Budget)
class BudgetAdmin(admin.ModelAdmin):
    list_display = ["__str__", "limit", "soft_percent"]
    list_filter = ["period"]
    list_select_related = ["api_key"]
    autocomplete_fields = ["api_key"]

    @admin.display(description="límite (USD)", ordering="limit_usd")
    def limit(self, budget: Budget) -> str:
        return "sin límite" if budget.limit_usd is None else dollars(budget.limit_usd)


@admin.register(BudgetWindow)
class BudgetWindowAdmin(ReadOnlyAdmin):
    """What is used and held: the same numbers that a refused caller is told."""

    list_display = ["starts_on", "period", "owner", "spent", "held"]
    list_filter = ["period", "starts_on", ("api_key", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["api_key"]

    @admin.display(description="de quién", ordering="api_key")
    def owner(self, window: BudgetWindow) -> str:
        return str(window.api_key or "Global")

    @admin.display(description="gastado (USD)", ordering="spent_usd")
    def spent(self, window: BudgetWindow) -> str:
        return dollars(window.spent_usd)

    @admin.display(description="reservado (USD)", ordering="held_usd")
    def held(self, window: BudgetWindow) -> str:
        return dollars(window.held_usd)


@admin.register(ModelPrice)
class ModelPriceAdmin(admin.ModelAdmin):
    """A new rate is a new row with its own date; a row that calls were billed by stays as it is."""

    list_display = ["model", "valid_from", "input", "cache_read", "output", "retires_on"]
    list_filter = ["model"]
    search_fields = ["model"]

    def has_change_permission(self, request: HttpRequest, obj: ModelPrice | None = None) -> bool:
        billed = obj is not None and obj.is_billed
        return not billed and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: ModelPrice | None = None) -> bool:
        return obj is not None and self.has_change_permission(request, obj)
