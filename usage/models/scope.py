"""What a key may be used for."""

from django.db import models


class Scope(models.TextChoices):
    """A closed set: every route of the API names one of them."""

    CHAT = "chat", "preguntar al asistente"
    VALIDATE = "validate", "validar documentos"
    KNOWLEDGE = "knowledge", "leer la base de conocimiento y el monitor del SII"
    USAGE = "usage", "ver el uso y el gasto de su cuenta"
    USAGE_ALL = "usage-all", "ver el uso y el gasto de todas las cuentas"


def usual_scopes() -> list[str]:
    """Return what a key may do unless its maker says otherwise: all but looking into other accounts."""
    return [scope.value for scope in Scope if scope is not Scope.USAGE_ALL]
