"""Limits, and what is spent and held of them."""

from typing import Any

from django import forms
from django.contrib import admin
from unfold.admin import ModelAdmin

from usage.admin.base import ReadOnlyAdmin
from usage.models import Budget, BudgetWindow
from usage.money import dollars


class BudgetForm(forms.ModelForm):
    """A limit; one for each key and period, and one for all keys together."""

    class Meta:
        model = Budget
        fields = ("api_key", "period", "limit_usd", "soft_percent")

    def clean(self) -> dict[str, Any]:
        """Refuse a second limit in words that say which one there is."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if "period" in values and "api_key" in values:
            key, period = values["api_key"], values["period"]
            others = Budget.objects.filter(api_key=key, period=period).exclude(pk=self.instance.pk)
            if others.exists():
                whose = f"La clave {key.name}" if key else "El servicio (todas las claves)"
                self.add_error(
                    "period",
                    f"{whose} ya tiene un presupuesto por {Budget(period=period).get_period_display()}:"
                    " edite ese en vez de crear otro.",
                )
        return values


@admin.register(Budget)
class BudgetAdmin(ModelAdmin):
    form = BudgetForm
    list_display = ["owner", "period", "limit", "soft"]
    list_filter = ["period"]
    list_select_related = ["api_key"]
    autocomplete_fields = ["api_key"]

    @admin.display(description="de quién", ordering="api_key")
    def owner(self, budget: Budget) -> str:
        return str(budget.api_key or "Todas las claves juntas")

    @admin.display(description="límite (USD)", ordering="limit_usd")
    def limit(self, budget: Budget) -> str:
        return "sin límite" if budget.limit_usd is None else dollars(budget.limit_usd)

    @admin.display(description="aviso desde", ordering="soft_percent")
    def soft(self, budget: Budget) -> str:
        return f"{budget.soft_percent} %"


@admin.register(BudgetWindow)
class BudgetWindowAdmin(ReadOnlyAdmin):
    """What is used and held: the same numbers that a refused caller is told."""

    list_display = ["starts_on", "period", "owner", "spent", "held"]
    list_filter = ["period", ("api_key", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["api_key"]
    show_full_result_count = False

    @admin.display(description="de quién", ordering="api_key")
    def owner(self, window: BudgetWindow) -> str:
        return str(window.api_key or "Todas las claves juntas")

    @admin.display(description="gastado (USD)", ordering="spent_usd")
    def spent(self, window: BudgetWindow) -> str:
        return dollars(window.spent_usd)

    @admin.display(description="reservado (USD)", ordering="held_usd")
    def held(self, window: BudgetWindow) -> str:
        return dollars(window.held_usd)
