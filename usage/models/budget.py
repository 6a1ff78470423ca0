"""What may be spent, and what has been, in windows of a day and of a month."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from usage.models.account import Account
from usage.models.api_key import ApiKey
from usage.models.end_user import EndUserField
from usage.money import UsdField

EACH: Final = "*"  # as the end user of a limit: each of the account's that has none of his own


class Period(models.TextChoices):
    """How long a window is. Windows follow the calendar of ``TIME_ZONE``, America/Santiago."""

    DAY = "day", "día"
    MONTH = "month", "mes"

    def start(self, moment: datetime) -> date:
        """Return the first day of the window that a moment falls in."""
        day = timezone.localtime(moment).date()
        return day if self is Period.DAY else day.replace(day=1)

    def end(self, moment: datetime) -> datetime:
        """Return when the window that a moment falls in ends: at a midnight of Santiago."""
        start = self.start(moment)
        following = (
            start + timedelta(days=1)
            if self is Period.DAY
            else (start + timedelta(days=31)).replace(day=1)
        )
        return timezone.make_aware(datetime.combine(following, datetime.min.time()))


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose a limit or a window is: a key's, an account's, one of its own users'; else all keys'."""

    api_key_id: int | None = None
    account_id: int | None = None
    end_user: str = ""

    @property
    def scope(self) -> str:
        """What this is called in answers and metrics: a closed set."""
        if self.api_key_id is not None:
            return "key"
        if self.account_id is None:
            return "global"
        return "end_user" if self.end_user else "account"


class Held(models.Model):
    """What a limit and a window have in common: whose they are, and for how long."""

    api_key = models.ForeignKey(ApiKey, models.CASCADE, verbose_name="clave", null=True, blank=True)
    account = models.ForeignKey(
        Account, models.CASCADE, verbose_name="cuenta", null=True, blank=True
    )
    end_user = EndUserField()
    period = models.CharField("período", max_length=5, choices=Period.choices)

    class Meta:
        abstract = True

    @property
    def holder(self) -> Holder:
        """Whose it is."""
        return Holder(self.api_key_id, self.account_id, self.end_user)

    @property
    def owner(self) -> str:
        """Whose it is, in words."""
        if self.api_key is not None:
            return f"Clave {self.api_key.name}"
        if self.account is None:
            return "Todas las claves juntas"
        if not self.end_user:
            return f"Cuenta {self.account.name}"
        if self.end_user == EACH:
            return f"Cada usuario final de {self.account.name}"
        return f"{self.end_user}, de {self.account.name}"


_NOBODYS: Final = Q(api_key=None, account=None)
_ONE_HOLDER: Final = Q(api_key=None) | Q(account=None, end_user="")
_USER_OF_ACCOUNT: Final = Q(end_user="") | Q(account__isnull=False)


class Budget(Held):
    """A limit set by an operator. A key without one has the default of the settings."""

    limit_usd = UsdField(  # type: ignore[misc]  # the one amount that may be absent
        "límite (USD)",
        db_column="limit_picousd",
        null=True,
        blank=True,
        help_text="Vacío: sin límite.",
    )
    soft_percent = models.PositiveSmallIntegerField(
        "aviso desde (%)",
        default=80,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
    )

    class Meta:
        verbose_name = "presupuesto"
        verbose_name_plural = "presupuestos"
        ordering = ["api_key", "account", "end_user", "period"]
        constraints = [
            models.UniqueConstraint(fields=["api_key", "period"], name="budget_once_per_key"),
            models.UniqueConstraint(
                fields=["account", "end_user", "period"], name="budget_once_per_account"
            ),
            models.UniqueConstraint(
                fields=["period"], condition=_NOBODYS, name="budget_once_for_all"
            ),
            models.CheckConstraint(name="budget_one_holder", condition=_ONE_HOLDER),
            models.CheckConstraint(name="budget_user_of_account", condition=_USER_OF_ACCOUNT),
        ]

    def __str__(self) -> str:
        return f"{self.owner}, por {self.get_period_display()}"


class BudgetWindow(Held):
    """What a key, an account, one of its users, or all keys spent and hold in one day or month.

    The window is part of the row: the first call of a new day makes a new row, and nothing is ever
    set back to zero.
    """

    api_key = models.ForeignKey(ApiKey, models.PROTECT, verbose_name="clave", null=True)
    account = models.ForeignKey(Account, models.PROTECT, verbose_name="cuenta", null=True)
    starts_on = models.DateField("desde")
    spent_usd = UsdField("gastado (USD)", db_column="spent_picousd", default=Decimal(0))
    held_usd = UsdField("reservado (USD)", db_column="held_picousd", default=Decimal(0))
    # The highest threshold, in percent of the limit, that somebody was told of.
    warned_percent = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)

    class Meta:
        verbose_name = "ventana de presupuesto"
        verbose_name_plural = "ventanas de presupuesto"
        ordering = ["-starts_on", "period", "api_key", "account", "end_user"]
        constraints = [
            models.UniqueConstraint(
                fields=["api_key", "period", "starts_on"], name="window_once_per_key"
            ),
            models.UniqueConstraint(
                fields=["account", "end_user", "period", "starts_on"],
                name="window_once_per_account",
            ),
            models.UniqueConstraint(
                fields=["period", "starts_on"], condition=_NOBODYS, name="window_once_for_all"
            ),
            models.CheckConstraint(name="window_one_holder", condition=_ONE_HOLDER),
            models.CheckConstraint(name="window_user_of_account", condition=_USER_OF_ACCOUNT),
            models.CheckConstraint(name="window_spent_not_negative", condition=Q(spent_usd__gte=0)),
            models.CheckConstraint(name="window_held_not_negative", condition=Q(held_usd__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.owner}, {self.get_period_display()} {self.starts_on:%d-%m-%Y}"
