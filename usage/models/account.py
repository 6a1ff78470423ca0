"""Whose keys they are: accounts, one for each company."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from stdnum.cl import rut as rut_number
from stdnum.exceptions import ValidationError as InvalidRut


def check_rut(value: str) -> None:
    """Refuse what is no RUT.

    Raises:
        ValidationError: Its form or its check digit is wrong.
    """
    try:
        rut_number.validate(value)
    except InvalidRut:
        raise ValidationError(
            "No es un RUT válido: por ejemplo, 76192083-9.", code="invalid_rut"
        ) from None


class RutField(models.CharField):  # type: ignore[type-arg]
    """A RUT as documents carry it, 76192083-9, however it was typed."""

    def to_python(self, value: object) -> object:
        """Write a valid RUT the one way; leave anything else to the validator."""
        text = str(value or "").strip()
        if not rut_number.is_valid(text):
            return text
        compact = rut_number.compact(text)
        return f"{compact[:-1].lstrip('0')}-{compact[-1]}"


class Account(models.Model):
    """A company. Its keys are its doors: all that any of them did belongs to the account.

    Conversations, validations and the ledger name the key, and the key its account. So a key that is
    moved to another account takes along what it did, at once and however much that is; a key that is
    replaced leaves it where it was, for the key that takes its place.
    """

    name = models.CharField("nombre", max_length=100)
    rut = RutField("RUT", max_length=12, blank=True, validators=[check_rut])
    active = models.BooleanField(
        "activa",
        default=True,
        help_text="Sin esta marca, ninguna de sus claves abre nada.",
    )
    created_at = models.DateTimeField("creada", default=timezone.now, editable=False)

    class Meta:
        verbose_name = "cuenta"
        verbose_name_plural = "cuentas"
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.rut})" if self.rut else self.name
