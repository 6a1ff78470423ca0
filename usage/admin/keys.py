"""API keys: issued here, their secret shown once, rotated and revoked here; never deleted."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.db.models import DateTimeField, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import action, display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSplitDateTimeWidget,
)

from usage.accounting import reports
from usage.admin.base import moment
from usage.admin.budgets import limits_of
from usage.models import Account, ApiKey
from usage.models.scope import Scope
from usage.money import rounded

GRACES = [
    (0, "De inmediato"),
    (1, "En 1 hora"),
    (24, "En 1 día"),
    (24 * 7, "En 7 días"),
    (24 * 30, "En 30 días"),
]


class LabelledDateTime(UnfoldAdminSplitDateTimeWidget):
    """The admin's date and time, each with a name for who does not see them."""

    def __init__(self, attrs: dict[str, object] | None = None) -> None:
        super().__init__(attrs)
        for part, name in zip(self.widgets, ("Fecha", "Hora"), strict=True):
            part.attrs["aria-label"] = name


class RevokedFilter(admin.SimpleListFilter):
    """By whether a key was revoked."""

    title = "estado"
    parameter_name = "estado"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("en-uso", "Sin revocar"), ("revocadas", "Revocadas")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> QuerySet[ApiKey]:
        if self.value() not in ("en-uso", "revocadas"):
            return queryset
        return queryset.filter(revoked_at__isnull=self.value() == "en-uso")


class KeyForm(forms.ModelForm):
    """A key; a new one need not name its account."""

    scopes = forms.MultipleChoiceField(
        label="Permisos",
        choices=[(scope.value, f"{scope.value}: {scope.label}") for scope in Scope],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        required=False,
        help_text="Lo que no está marcado se rechaza con 403. Sin ninguno se dan los habituales.",
    )

    class Meta:
        model = ApiKey
        fields = (
            "name", "owner", "account", "scopes", "expires_at", "networks", "rate_per_minute",
            "may_monitor",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "account" not in self.fields:
            return  # somebody who may only look
        account = self.fields["account"]
        account.required = False
        account.help_text = (
            "Vacía: se crea una con el nombre de la clave."
            if self.instance.pk is None
            else "Si la cambia, se van con la clave sus conversaciones, validaciones y gastos."
        )

    def clean_account(self) -> Account | None:
        """Leave a key where it is, unless another account is named."""
        return self.cleaned_data["account"] or (
            self.instance.account if self.instance.account_id else None
        )

    def clean_scopes(self) -> list[str]:
        """Keep what a key had where the form says nothing of it; a new one gets the usual ones."""
        return self.cleaned_data["scopes"] or self.instance.scopes


class RotationForm(forms.Form):
    """How long the present secret goes on working."""

    grace = forms.TypedChoiceField(
        label="La clave actual deja de servir",
        choices=GRACES,
        coerce=int,
        initial=24,
        widget=UnfoldAdminSelectWidget,
    )


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    """Issues keys, rotates and revokes them; a key that has spent is never deleted."""

    form = KeyForm
    list_display = ["name", "owned_by", "state", "spent", "expires", "last_used"]
    list_filter = [RevokedFilter, ("account", AutocompleteSelectFilter)]
    list_filter_submit = True
    list_select_related = ["account"]
    autocomplete_fields = ["account"]
    formfield_overrides: ClassVar = {DateTimeField: {"widget": LabelledDateTime}}
    search_fields = ["name", "prefix", "owner", "account__name", "account__rut"]
    search_help_text = "Busca en el nombre, el prefijo, el responsable y la cuenta."
    readonly_fields = ["budgets", "prefix", "created_at", "last_used_at", "revoked_at", "old_until"]
    fieldsets: ClassVar = [
        (None, {"fields": ["name", "owner", "account", "scopes", "may_monitor"]}),
        ("Límites", {"fields": ["expires_at", "networks", "rate_per_minute"]}),
        ("Gasto", {"fields": ["budgets"]}),
        (
            "Estado",
            {"fields": ["prefix", ("created_at", "last_used_at"), ("revoked_at", "old_until")]},
        ),
    ]
    actions = ["revoke"]
    actions_detail = ["rotate", "revoke_one"]

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> object:
        """Say nothing of the state of a key that is only being made."""
        return self.fieldsets if obj else self.fieldsets[:2]

    def changelist_view(self, request: HttpRequest, extra_context: object = None) -> HttpResponse:
        """Add up the month once for the whole list."""
        self._spent = reports.spent_this_month("api_key")
        return super().changelist_view(request, extra_context)

    @admin.display(description="cuenta", ordering="account__name")
    def owned_by(self, key: ApiKey) -> str:
        return key.account.name

    @display(
        description="estado",
        label={
            "vigente": "success",
            "rotando": "info",
            "vencida": "warning",
            "cuenta inactiva": "warning",
            "revocada": "danger",
        },
    )
    def state(self, key: ApiKey) -> str:
        if key.revoked_at is not None:
            return "revocada"
        if not key.account.active:
            return "cuenta inactiva"
        if not key.is_active():
            return "vencida"
        return "rotando" if key.has_two_secrets() else "vigente"

    @admin.display(description="presupuestos")
    def budgets(self, key: ApiKey) -> SafeString:
        return limits_of(api_key=key)

    @admin.display(description="gasto del mes (USD)")
    def spent(self, key: ApiKey) -> str:
        return rounded(self._spent.get(key.pk, Decimal(0)))

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

    @action(description="Revocar", url_path="revocar", permissions=["change"])
    def revoke_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then close the key at once."""
        key = get_object_or_404(ApiKey, pk=object_id)
        if request.method != "POST":
            return self._ask(
                request,
                key,
                "Revocar la clave",
                "Deja de abrir desde este momento y para siempre. Su historia queda en la cuenta.",
            )
        key.revoke()
        self.log_change(request, key, "Revocada.")
        self.message_user(request, f"La clave {key.name} quedó revocada.", messages.SUCCESS)
        return self._back_to(key)

    @action(description="Rotar", url_path="rotar", permissions=["change"])
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask how long both secrets work, then show the new one, once."""
        key = get_object_or_404(ApiKey, pk=object_id)
        form = RotationForm(request.POST or None)
        if key.revoked_at is not None:
            self.message_user(
                request, "Una clave revocada no se rota: cree otra en su cuenta.", messages.ERROR
            )
            return self._back_to(key)
        if request.method != "POST" or not form.is_valid():
            text = "Se crea una clave nueva; mientras tanto sirven las dos."
            return self._ask(request, key, "Rotar la clave", text, form)
        hours = form.cleaned_data["grace"]
        secret = key.rotate(timedelta(hours=hours))
        self.log_change(request, key, f"Rotada; la anterior sirve {hours} horas más.")
        self._show(request, secret)
        return self._back_to(key)

    def _ask(
        self,
        request: HttpRequest,
        key: ApiKey,
        title: str,
        text: str,
        form: forms.Form | None = None,
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"{title} «{key.name}»",
            "text": text,
            "form": form,
            "button": title,
            "opts": self.model._meta,
            "back": reverse("admin:usage_apikey_change", args=[key.pk]),
        }
        return TemplateResponse(request, "admin/usage/apikey/confirm.html", context)

    def _back_to(self, key: ApiKey) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:usage_apikey_change", args=[key.pk]))

    def _show(self, request: HttpRequest, secret: str) -> None:
        self.message_user(
            request,
            format_html(
                "Copie la clave ahora, no se volverá a mostrar: <code data-copy>{}</code>", secret
            ),
            messages.WARNING,
        )

    def save_model(
        self, request: HttpRequest, obj: ApiKey, form: forms.ModelForm, change: bool
    ) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        given = {
            name: getattr(obj, name)
            for name in (
                "name", "owner", "scopes", "expires_at", "networks", "rate_per_minute", "may_monitor"
            )
        }  # fmt: skip
        account = cast(Account | None, form.cleaned_data["account"])
        issued, secret = ApiKey.objects.issue(account=account, **given)
        obj.__dict__.update(issued.__dict__)  # the admin goes on with the object it was given
        self._show(request, secret)

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False
