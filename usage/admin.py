"""API keys in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html

from usage.models import ApiKey


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    """Issues keys and revokes them; a key that has spent is never deleted."""

    list_display = ["name", "prefix", "created_at", "expires_at", "last_used_at", "active"]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter), "created_at"]
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
        issued, secret = ApiKey.objects.issue(name=obj.name, expires_at=obj.expires_at)
        obj.__dict__.update(issued.__dict__)  # the admin goes on with the object it was given
        self.message_user(
            request,
            format_html("Copie la clave ahora, no se volverá a mostrar: <code>{}</code>", secret),
            messages.WARNING,
        )

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False
