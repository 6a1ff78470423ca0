"""What may be spent, and what has been, in windows of a day and of a month."""

from datetime import date, datetime, timedelta
from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from usage.models.api_key import ApiKey
from usage.money import UsdField


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


class Budget(models.Model):
    """A limit set by an operator. A key without one has the default of the settings."""

    api_key = models.ForeignKey(
        ApiKey,
        models.CASCADE,
        verbose_name="clave",
        null=True,
        blank=True,
        help_text="Vacío: el límite es de todas las claves juntas.",
    )
    period = models.CharField("período", max_length=5, choices=Period.choices)
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
        ordering = ["api_key", "period"]
        constraints = [
            models.UniqueConstraint(fields=["api_key", "period"], name="budget_once_per_key"),
            models.UniqueConstraint(
                fields=["period"], condition=Q(api_key=None), name="budget_once_globally"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.api_key or 'Global'}, por {self.get_period_display()}"


class BudgetWindow(models.Model):
    """What one key, or all of them, spent and hold in one day or month.

    The window is part of the row: the first call of a new day makes a new row, and nothing is ever
    set back to zero.
    """

    api_key = models.ForeignKey(ApiKey, models.PROTECT, verbose_name="clave", null=True)
    period = models.CharField("período", max_length=5, choices=Period.choices)
    starts_on = models.DateField("desde")
    spent_usd = UsdField("gastado (USD)", db_column="spent_picousd", default=Decimal(0))
    held_usd = UsdField("reservado (USD)", db_column="held_picousd", default=Decimal(0))

    class Meta:
        verbose_name = "ventana de presupuesto"
        verbose_name_plural = "ventanas de presupuesto"
        ordering = ["-starts_on", "period", "api_key"]
        constraints = [
            models.UniqueConstraint(
                fields=["api_key", "period", "starts_on"], name="window_once_per_key"
            ),
            models.UniqueConstraint(
                fields=["period", "starts_on"],
                condition=Q(api_key=None),
                name="window_once_globally",
            ),
            models.CheckConstraint(name="window_spent_not_negative", condition=Q(spent_usd__gte=0)),
            models.CheckConstraint(name="window_held_not_negative", condition=Q(held_usd__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.api_key or 'Global'}, {self.get_period_display()} {self.starts_on:%d-%m-%Y}"
