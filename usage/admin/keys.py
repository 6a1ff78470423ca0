"""API keys: issued here, their secret shown once, and revoked here; never deleted."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import DateTimeField, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSplitDateTimeWidget

from usage.admin.base import moment
from usage.models import ApiKey


class LabelledDateTime(UnfoldAdminSplitDateTimeWidget):
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
class ApiKeyAdmin(ModelAdmin):
    """Issues keys and revokes them; a key that has spent is never deleted."""

    list_display = ["name", "prefix", "state", "created", "expires", "last_used"]
    list_filter = [RevokedFilter]
    formfield_overrides: ClassVar = {DateTimeField: {"widget": LabelledDateTime}}
    search_fields = ["name", "prefix"]
    search_help_text = "Busca en el nombre y el prefijo."
    readonly_fields = ["prefix", "created_at", "last_used_at", "revoked_at"]
    actions = ["revoke"]

    @display(
        description="estado",
        label={"vigente": "success", "vencida": "warning", "revocada": "danger"},
    )
    def state(self, key: ApiKey) -> str:
        if key.revoked_at is not None:
            return "revocada"
        return "vigente" if key.is_active() else "vencida"

    @admin.display(description="creada", ordering="created_at")
    def created(self, key: ApiKey) -> str:
        return moment(key.created_at)

    @admin.display(description="vence", ordering="expires_at")
    def expires(self, key: ApiKey) -> str:
        return moment(key.expires_at)

    @admin.display(description="último uso", ordering="last_used_at")
    def last_used(self, key: ApiKey) -> str:
        return moment(key.last_used_at)

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
            format_html(
                "Copie la clave ahora, no se volverá a mostrar: <code data-copy>{}</code>", secret
            ),
            messages.WARNING,
        )

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False
