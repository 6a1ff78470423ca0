"""Accounts: the companies that keys belong to."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin, TabularInline

from usage.accounting import reports
from usage.admin.budgets import limits_of
from usage.models import Account, ApiKey
from usage.money import rounded


class KeyInline(TabularInline):
    """The account's keys; each is edited on its own page."""

    model = ApiKey
    extra = 0
    can_delete = False
    show_change_link = True
    fields = ["name", "prefix", "expires_at", "revoked_at", "last_used_at"]
    readonly_fields = fields
    verbose_name_plural = "claves"

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(Account)
class AccountAdmin(ModelAdmin):
    list_display = ["name", "rut", "active", "keys", "spent"]
    list_filter = ["active"]
    search_fields = ["name", "rut"]
    search_help_text = "Busca en el nombre y el RUT."
    readonly_fields = ["budgets"]
    inlines = [KeyInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Account]:
        accounts: QuerySet[Account] = super().get_queryset(request)
        counted: QuerySet[Account] = accounts.annotate(key_count=Count("keys"))
        return counted

    def changelist_view(self, request: HttpRequest, extra_context: object = None) -> object:
        """Add up the month once for the whole list."""
        self._spent = reports.spent_this_month("api_key__account")
        return super().changelist_view(request, extra_context)

    def get_fields(self, request: HttpRequest, obj: Account | None = None) -> list[str]:
        """Offer limits to an account that there is."""
        return ["name", "rut", "active", *(["budgets"] if obj else [])]

    @admin.display(description="presupuestos")
    def budgets(self, account: Account) -> SafeString:
        return limits_of(account=account)

    @admin.display(description="claves", ordering="key_count")
    def keys(self, account: Any) -> int:
        return int(account.key_count)

    @admin.display(description="gasto del mes (USD)")
    def spent(self, account: Account) -> str:
        return rounded(self._spent.get(account.pk, Decimal(0)))

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        """Only one without keys: what its keys did has to remain somebody's."""
        if obj is not None and obj.keys.exists():
            return False
        return super().has_delete_permission(request, obj)
