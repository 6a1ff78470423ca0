"""Prices of models, by the day from which they hold."""

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from usage.models import ModelPrice
from usage.money import dollars


@admin.register(ModelPrice)
class ModelPriceAdmin(ModelAdmin):
    """USD per million tokens. A new rate is a new row with its own date; a row that calls were billed by stays as it is."""

    list_display = ["model", "valid_from", "entered", "cached", "answered", "retires"]
    list_filter = ["model"]
    search_fields = ["model"]
    list_per_page = 50

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
