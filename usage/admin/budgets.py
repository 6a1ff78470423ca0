"""Limits, and what is spent and held of them."""

from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin

from usage.accounting import budgets
from usage.accounting.budgets import Limit
from usage.admin.base import ReadOnlyAdmin
from usage.models import Account, ApiKey, Budget, BudgetWindow
from usage.models.budget import Holder
from usage.money import dollars, rounded


class BudgetForm(forms.ModelForm):
    """A limit; one for each holder and period."""

    class Meta:
        model = Budget
        fields = ("account", "end_user", "api_key", "period", "limit_usd", "soft_percent")
        help_texts: ClassVar = {
            "account": "Las claves de una cuenta gastan juntas.",
            "end_user": "Uno de los usuarios de la cuenta, o * para cada uno que no tenga el suyo.",
            "api_key": "Sin clave ni cuenta, el límite es de todas las claves juntas.",
        }

    def clean(self) -> dict[str, object]:
        """Refuse what is nobody's limit, or a second one, in words that say what to do."""
        values: dict[str, Any] = super().clean() or self.cleaned_data
        account, key = values.get("account"), values.get("api_key")
        if account and key:
            self.add_error("api_key", "Elija la cuenta o la clave: un presupuesto es de una sola.")
        elif values.get("end_user") and not account:
            self.add_error("account", "Elija la cuenta a la que pertenece el usuario final.")
        elif "period" in values:
            self._refuse_second(account, key, values.get("end_user", ""), values["period"])
        return values

    def validate_constraints(self) -> None:
        """Leave it to `clean`, whose refusals are in words."""

    def _refuse_second(
        self, account: Account | None, key: ApiKey | None, end_user: str, period: str
    ) -> None:
        wanted = Budget(account=account, api_key=key, end_user=end_user, period=period)
        others = Budget.objects.filter(
            account=account, api_key=key, end_user=end_user, period=period
        ).exclude(pk=self.instance.pk)
        if others.exists():
            whose = f"La clave {key.name}" if key else wanted.owner
            whose = whose if key or account else "El servicio (todas las claves)"
            self.add_error(
                "period",
                f"{whose} ya tiene un presupuesto por {wanted.get_period_display()}:"
                " edite ese en vez de crear otro.",
            )


def limits_of(**holder: Account | ApiKey) -> SafeString:
    """Return a holder's limits, each a link to its page, and a link to set another.

    Args:
        **holder: ``api_key`` or ``account``.
    """
    (name, owner), *_ = holder.items()
    lines = format_html_join(
        "",
        '<a href="{}">{} por {}{}</a><br>',
        (
            (
                reverse("admin:usage_budget_change", args=[budget.pk]),
                "sin límite" if budget.limit_usd is None else f"US$ {dollars(budget.limit_usd)}",
                budget.get_period_display(),
                f", {budget.end_user}" if budget.end_user else "",
            )
            for budget in Budget.objects.filter(**holder)[:50]
        ),
    )
    add = f"{reverse('admin:usage_budget_add')}?{name}={owner.pk}"
    return format_html('<div class="as-read">{}<a href="{}">Agregar uno</a></div>', lines, add)


@admin.register(Budget)
class BudgetAdmin(ModelAdmin):
    form = BudgetForm
    list_display = ["owner", "period", "limit", "soft"]
    list_filter = ["period"]
    list_select_related = ["api_key", "account"]
    autocomplete_fields = ["api_key", "account"]

    def get_urls(self) -> list[URLPattern]:
        """Put limits and spending together on a page."""
        page = self.admin_site.admin_view(self.standing)
        return [path("gasto/", page, name="usage_standing"), *super().get_urls()]

    def standing(self, request: HttpRequest) -> HttpResponse:
        """Show every window in use with its limit, those of the settings included."""
        if not request.user.has_perm("usage.view_budgetwindow"):
            raise PermissionDenied
        now = timezone.now()
        own = {(b.holder, b.period): b.pk for b in Budget.objects.all()}
        context = {
            **self.admin_site.each_context(request),
            "title": "Límites y gasto",
            "opts": self.model._meta,
            "rows": [_row(window, limit, own, now) for window, limit in budgets.in_use(now)],
            "add": reverse("admin:usage_budget_add"),
        }
        return TemplateResponse(request, "admin/usage/budget/standing.html", context)

    @admin.display(description="de quién", ordering="api_key")
    def owner(self, budget: Budget) -> str:
        return budget.owner

    @admin.display(description="límite (USD)", ordering="limit_usd")
    def limit(self, budget: Budget) -> str:
        return "sin límite" if budget.limit_usd is None else dollars(budget.limit_usd)

    @admin.display(description="aviso desde", ordering="soft_percent")
    def soft(self, budget: Budget) -> str:
        return f"{budget.soft_percent} %"


def _row(
    window: BudgetWindow, limit: Limit, own: dict[tuple[Holder, str], int], now: datetime
) -> dict[str, object]:
    """Describe a window: what is used and held of how much, and where its limit is edited."""
    used = window.spent_usd + window.held_usd
    percent = None if not limit.usd else min(999, round(100 * used / limit.usd))
    ends = timezone.localtime(limit.period.end(now))
    budget = own.get((window.holder, window.period))
    holder = {"api_key": window.api_key_id, "account": window.account_id}
    given = {**holder, "end_user": window.end_user, "period": window.period}
    query = urlencode({name: value for name, value in given.items() if value})
    return {
        "owner": window.owner,
        "period": limit.period.label,
        "limit": "sin límite" if limit.usd is None else dollars(limit.usd),
        "by_default": budget is None,
        "spent": rounded(window.spent_usd),
        "held": rounded(window.held_usd) if window.held_usd else "–",
        "percent": percent,
        "state": ""
        if percent is None or percent < limit.soft_percent
        else "full"
        if percent >= 100
        else "near",
        "ends": f"{ends:%d-%m %H:%M}",
        "edit": reverse("admin:usage_budget_change", args=[budget])
        if budget
        else f"{reverse('admin:usage_budget_add')}?{query}",
    }


@admin.register(BudgetWindow)
class BudgetWindowAdmin(ReadOnlyAdmin):
    """What is used and held: the same numbers that a refused caller is told."""

    list_display = ["starts_on", "period", "owner", "spent", "held"]
    list_filter = ["period", ("api_key", admin.RelatedOnlyFieldListFilter)]
    list_select_related = ["api_key", "account"]
    show_full_result_count = False

    @admin.display(description="de quién", ordering="api_key")
    def owner(self, window: BudgetWindow) -> str:
        return window.owner

    @admin.display(description="gastado (USD)", ordering="spent_usd")
    def spent(self, window: BudgetWindow) -> str:
        return dollars(window.spent_usd)

    @admin.display(description="reservado (USD)", ordering="held_usd")
    def held(self, window: BudgetWindow) -> str:
        return dollars(window.held_usd)
