"""Money: exact US dollars, stored as whole pico-dollars.

One pico-dollar (10⁻¹² USD) a token is fine enough for every published rate, multipliers included
(see `usage.accounting.prices`), and whole numbers add up and compare exactly on SQLite as on PostgreSQL; a
decimal column would be binary floating point on SQLite.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.expressions import Combinable
from django.utils.formats import number_format

PLACES: Final = 12

if TYPE_CHECKING:
    _BigIntegerField = models.BigIntegerField[Decimal | int | Combinable, Decimal]
else:
    _BigIntegerField = models.BigIntegerField


def to_pico(amount: Decimal | int) -> int:
    """Return an amount of dollars as whole pico-dollars.

    Raises:
        ValueError: The amount is finer than a pico-dollar; it would have to be rounded.
    """
    scaled = Decimal(amount).scaleb(PLACES)
    whole = int(scaled)
    if whole != scaled:
        raise ValueError("an amount of money finer than a pico-dollar")
    return whole


def from_pico(pico: int | Decimal) -> Decimal:
    """Return whole pico-dollars as dollars."""
    return Decimal(int(pico)).scaleb(-PLACES)


def plain(amount: Decimal) -> str:
    """Write an exact amount for programs: no exponent, no zeros that say nothing."""
    return format(amount.normalize(), "f")


def dollars(amount: Decimal) -> str:
    """Write an exact amount for people, in the language's own way, with cents at least."""
    exponent = amount.normalize().as_tuple().exponent
    places = -exponent if isinstance(exponent, int) else 0
    return number_format(amount, max(2, places), force_grouping=True)


def rounded(amount: Decimal) -> str:
    """Write an amount to the cent, or what is below one to two figures that count."""
    places = 2
    if 0 < abs(amount) < Decimal("0.01"):
        places = min(6, 1 - amount.adjusted())
    cents = amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return number_format(cents, places, force_grouping=True)


class DollarsField(forms.DecimalField):
    """An amount as people write it: what is stored to the pico-dollar is shown without its zeros."""

    def prepare_value(self, value: object) -> object:
        """Show no more digits than the amount has."""
        return plain(value) if isinstance(value, Decimal) else value


class UsdField(_BigIntegerField):
    """Dollars in Python, pico-dollars in the database; up to nine million dollars."""

    def from_db_value(
        self, value: int | None, expression: object, connection: object
    ) -> Decimal | None:
        """Read a column, or a sum over one."""
        return None if value is None else from_pico(value)

    def to_python(self, value: Any) -> Decimal | None:
        """Clean what a form or a fixture gives."""
        if value is None or isinstance(value, Decimal):
            return value
        try:
            return Decimal(value)
        except (ArithmeticError, TypeError, ValueError) as exc:
            raise ValidationError("Debe ser un monto en dólares.", code="invalid") from exc

    def get_prep_value(self, value: Any) -> int | None:
        """Prepare a value for a query."""
        return None if value is None else to_pico(value)

    def formfield(self, **kwargs: Any) -> forms.Field | None:
        """Return the admin's input: dollars with six decimals at most."""
        return DollarsField(
            required=not self.blank,
            label=self.verbose_name,
            help_text=self.help_text,
            min_value=0,
            max_digits=13,
            decimal_places=6,
            **({"widget": kwargs["widget"]} if "widget" in kwargs else {}),
        )
