"""The language of the trade, for editors to keep."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from knowledge.models import Expression
from knowledge.searching import indexing


@admin.register(Expression)
class ExpressionAdmin(ModelAdmin):
    list_display = ["text", "meaning", "is_active", "updated_at"]
    list_editable = ["meaning", "is_active"]
    list_filter = ["is_active"]
    search_fields = ["text", "meaning"]

    def save_model(self, request: HttpRequest, obj: Expression, form: object, change: bool) -> None:
        super().save_model(request, obj, form, change)
        indexing.announce()

    def delete_model(self, request: HttpRequest, obj: Expression) -> None:
        super().delete_model(request, obj)
        indexing.announce()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Expression]) -> None:
        super().delete_queryset(request, queryset)
        indexing.announce()
