"""The groups of people that a new installation has, and what each may do in the admin."""

from typing import Final

from auditlog.context import disable_auditlog
from django.contrib.auth.models import Group, Permission
from django.db.models import Q

# By application and model, what may be done; an asterisk is every model of the application.
_READ: Final = ("view",)
_EDIT: Final = ("view", "add", "change")
_ALL: Final = ("view", "add", "change", "delete")
_OPERATORS: Final = {
    "knowledge.*": _ALL,
    "chat.conversation": _READ,
    "chat.message": _READ,
}
_FINANCE: Final = {
    "usage.usagerecord": ("view", "change"),  # to correct what was estimated
    "usage.correction": _READ,
    "usage.dailyusage": _READ,
    "usage.budgetwindow": _READ,
    "usage.budget": _ALL,
    "usage.modelprice": _ALL,
    "usage.account": _EDIT,
    "usage.apikey": _READ,
}
_ADMINISTRATORS: Final = {
    **{f"{name}.*": _ALL for name in ("auth", "axes", "chat", "dte", "knowledge", "usage")},
    "auditlog.logentry": _READ,
}
GROUPS: Final = {
    "Operadores": _OPERATORS,
    "Finanzas": _FINANCE,
    "Administradores": _ADMINISTRATORS,
}


def ensure(**kwargs: object) -> None:
    """Make the groups that are missing; runs after every migration.

    What an operator changed in a group stays as he left it. The audit keeps what people change, and of
    this nothing.
    """
    with disable_auditlog():
        for name, allowed in GROUPS.items():
            group, made = Group.objects.get_or_create(name=name)
            if made:
                group.permissions.set(Permission.objects.filter(_permitted(allowed)))


def _permitted(allowed: dict[str, tuple[str, ...]]) -> Q:
    wanted = Q(pk__in=[])
    for what, verbs in allowed.items():
        application, _, model = what.partition(".")
        kind = Q(content_type__app_label=application)
        if model != "*":
            kind &= Q(content_type__model=model)
        for verb in verbs:
            wanted |= kind & Q(codename__startswith=f"{verb}_")
    return wanted
