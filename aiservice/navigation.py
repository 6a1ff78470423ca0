"""The admin's menu: by what one comes to do, not by application."""

from collections.abc import Callable
from typing import NotRequired, TypedDict

from django.http import HttpRequest
from django.urls import reverse, reverse_lazy
from django.utils.functional import Promise


class Entry(TypedDict):
    """What is gone to; without a permission, by everybody who may enter."""

    title: str
    icon: str
    link: str | Promise
    permission: NotRequired[Callable[[HttpRequest], bool]]
    active: NotRequired[Callable[[HttpRequest], bool]]


class Section(TypedDict):
    """Entries under one heading."""

    title: str
    items: list[Entry]


def _page(title: str, icon: str, model: str) -> Entry:
    """Return the entry of a model's list, for those who may see it."""
    application, _, name = model.partition(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{application}_{name}_changelist"),
        "permission": _may_see(application, name),
    }


def _is_budget(request: HttpRequest) -> bool:
    """Tell whether the list of budgets or one of them is shown, not the page of spending beside it."""
    lists = reverse("admin:usage_budget_changelist")
    return request.path.startswith(lists) and request.path != reverse("admin:usage_standing")


def _may_see(application: str, name: str) -> Callable[[HttpRequest], bool]:
    def allowed(request: HttpRequest) -> bool:
        return request.user.has_perm(f"{application}.view_{name}")

    return allowed


def sections(request: HttpRequest) -> list[Section]:
    """Return the sections of the menu; one without an entry for this user is left out."""
    found: list[Section] = [
        {
            "title": "Costos",
            "items": [
                {"title": "Resumen", "icon": "monitoring", "link": reverse_lazy("admin:index")},
                _page("Registros de uso", "receipt", "usage.usagerecord"),
                {
                    "title": "Límites y gasto",
                    "icon": "data_usage",
                    "link": reverse_lazy("admin:usage_standing"),
                    "permission": _may_see("usage", "budgetwindow"),
                },
                _page("Presupuestos", "savings", "usage.budget") | {"active": _is_budget},
                _page("Gasto por ventana", "calendar_month", "usage.budgetwindow"),
                _page("Precios de modelos", "sell", "usage.modelprice"),
            ],
        },
        {
            "title": "Documentos tributarios",
            "items": [
                _page("Validaciones", "fact_check", "dte.validation"),
                {
                    "title": "Estadísticas",
                    "icon": "bar_chart",
                    "link": reverse_lazy("admin:dte_statistics"),
                    "permission": _may_see("dte", "validation"),
                },
                _page("Retención", "auto_delete", "dte.keypolicy"),
            ],
        },
        {
            "title": "Conversaciones",
            "items": [
                _page("Conversaciones", "forum", "chat.conversation"),
                _page("Mensajes", "chat", "chat.message"),
            ],
        },
        {
            "title": "Conocimiento",
            "items": [
                _page("Documentos", "menu_book", "knowledge.document"),
                _page("Preguntas sin respuesta", "contact_support", "knowledge.question"),
                {
                    "title": "Probar una pregunta",
                    "icon": "science",
                    "link": reverse_lazy("admin:knowledge_try"),
                    "permission": _may_see("knowledge", "document"),
                },
                _page("Avisos del SII", "notifications", "knowledge.siinotice"),
                _page("Páginas del SII", "travel_explore", "knowledge.siisource"),
                _page("Expresiones", "translate", "knowledge.expression"),
                _page("Versiones", "history", "knowledge.documentversion"),
                _page("Evaluaciones", "speed", "knowledge.evaluation"),
            ],
        },
        {
            "title": "Acceso",
            "items": [
                _page("Cuentas", "apartment", "usage.account"),
                _page("Claves de API", "key", "usage.apikey"),
                _page("Usuarios", "person", "auth.user"),
                _page("Grupos", "group", "auth.group"),
                _page("Intentos de ingreso", "lock", "axes.accessattempt"),
                _page("Ingresos", "login", "axes.accesslog"),
                _page("Auditoría", "policy", "auditlog.logentry"),
            ],
        },
    ]
    for section in found:
        section["items"] = [
            item for item in section["items"] if item.get("permission", bool)(request)
        ]
    return [section for section in found if section["items"]]
