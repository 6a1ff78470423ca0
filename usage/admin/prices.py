"""Prices of models, by the day from which they hold; and what others would have cost."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.decorators import action
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from usage.accounting.whatif import DAYS, RATES, WhatIf, what_if
from usage.admin.base import grouped
from usage.models import DailyUsage, ModelPrice, UsageRecord
from usage.money import dollars, rounded


def _label(model: type[Model], name: str) -> str:
    field: Any = model._meta.get_field(name)
    return str(field.verbose_name)


class WhatIfForm(forms.Form):
    """Other rates, for the calls of a model."""

    model = forms.CharField(
        label="modelo cuyas llamadas se recalculan",
        max_length=80,
        widget=UnfoldAdminTextInputWidget,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in RATES:
            label = _label(ModelPrice, name)
            self.fields[name] = forms.DecimalField(
                label=label,
                min_value=0,
                max_digits=10,
                decimal_places=4,
                widget=UnfoldAdminDecimalFieldWidget,
            )


class PriceForm(forms.ModelForm):
    """A price; what is wrong with it is said in words."""

    def clean(self) -> dict[str, object]:
        """Refuse half of the dearer rates, and a second price for a day."""
        values: dict[str, object] = super().clean() or self.cleaned_data
        names = ["long_from_tokens", *(f"long_{rate}" for rate in RATES)]
        if set(names) <= set(values):
            missing = [name for name in names if values[name] is None]
            if missing and len(missing) < len(names):
                for name in missing:
                    self.add_error(
                        name, "El tramo largo se llena entero, o se deja entero en blanco."
                    )
        model, day = values.get("model"), values.get("valid_from")
        others = ModelPrice.objects.filter(model=model, valid_from=day).exclude(pk=self.instance.pk)
        if model and day and others.exists():
            self.add_error(
                "valid_from",
                f"{model} ya tiene un precio desde el {day:%d-%m-%Y}: elija otro día.",
            )
        return values

    def validate_constraints(self) -> None:
        """Leave it to `clean`, whose refusals are in words."""


@admin.register(ModelPrice)
class ModelPriceAdmin(ModelAdmin):
    """USD per million tokens. A new rate is a new row with its own date; a row that calls were billed by stays as it is."""

    form = PriceForm
    list_display = ["model", "valid_from", "entered", "cached", "answered", "retires"]
    list_filter = ["model"]
    search_fields = ["model"]
    list_per_page = 50
    actions_detail = ["what_if"]

    @action(description="¿Qué habría costado?", url_path="que-habria-costado")
    def what_if(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Price the last days by this row, or by rates that are typed."""
        price = get_object_or_404(ModelPrice, pk=object_id)
        if not request.user.has_perm("usage.view_usagerecord"):
            return HttpResponse(status=403)
        own = {"model": price.model, **{name: getattr(price, name) for name in RATES}}
        form = WhatIfForm(request.GET if "model" in request.GET else None, initial=own)
        values = own
        if form.is_bound:
            values = form.cleaned_data if form.is_valid() else {}
        context = {
            **self.admin_site.each_context(request),
            "title": "¿Qué habría costado?",
            "opts": self.model._meta,
            "form": form,
            "days": DAYS,
            "back": reverse("admin:usage_modelprice_change", args=[price.pk]),
            "found": _shown(what_if(values["model"], values)) if values else None,
            "models": DailyUsage.objects.order_by("model").values_list("model").distinct(),
        }
        return TemplateResponse(request, "admin/usage/modelprice/what_if.html", context)

    @admin.display(description="entrada", ordering="input")
    def entered(self, price: ModelPrice) -> str:
        return dollars(price.input)

    @admin.display(description="caché", ordering="cache_read")
    def cached(self, price: ModelPrice) -> str:
        return dollars(price.cache_read)

    @admin.display(description="salida", ordering="output")
    def answered(self, price: ModelPrice) -> str:
        return dollars(price.output)

    @admin.display(description="se retira", ordering="retires_on")
    def retires(self, price: ModelPrice) -> str:
        return f"{price.retires_on:%d-%m-%Y}" if price.retires_on else "–"

    def has_change_permission(self, request: HttpRequest, obj: ModelPrice | None = None) -> bool:
        billed = obj is not None and obj.is_billed
        return not billed and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: ModelPrice | None = None) -> bool:
        return obj is not None and self.has_change_permission(request, obj)


def _shown(found: WhatIf) -> dict[str, object]:
    """Return the numbers as people write them."""
    percent = found.change_percent
    sign = "+" if found.change_usd > 0 else ""
    return {
        "lines": [
            {
                "name": _label(UsageRecord, line.name),
                "tokens": grouped(line.tokens),
                "rate": dollars(line.rate),
                "usd": rounded(line.usd),
            }
            for line in found.lines
        ],
        "calls": grouped(found.calls),
        "cost": rounded(found.cost_usd),
        "would": rounded(found.would_usd),
        "change": f"{sign}{rounded(found.change_usd)}",
        "percent": "" if percent is None else f"{sign}{grouped(float(percent), 1)} %",
    }
