"""What the pages of every part have in common."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline


class ReadOnlyAdmin(ModelAdmin):
    """Shows what the service wrote; nobody corrects the books by hand."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class ReadOnlyInline(TabularInline):
    """Rows that belong to the one shown, as the service wrote them."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


def grouped(number: float | Decimal, places: int = 0) -> str:
    """Write a number as people do here: 1.234.567,8."""
    # Django cuts what it has no place for.
    return number_format(f"{number:.{places}f}", places, force_grouping=True)


def moment(value: datetime | None) -> SafeString | str:
    """Write a moment short enough for a column, in Santiago's time and on one line."""
    if value is None:
        return "–"
    shown = timezone.localtime(value)
    return format_html('<span class="nowrap">{}</span>', f"{shown:%d-%m-%y %H:%M}")
