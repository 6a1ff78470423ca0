"""Sums of the ledger by day, so that no page has to read all of its rows."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from usage.models.api_key import ApiKey
from usage.models.record import Operation, Outcome
from usage.money import UsdField


class DailyUsage(models.Model):
    """A part of what a day's settled rows, kept or erased, add up to; `usage.accounting.rollup` writes it.

    Rows of the same day, key, operation, model and outcome add up, so a sum over the table is always a
    sum over the ledger, erased rows included. Changes come as rows of their own, negative ones too, until they are folded.
    """

    day = models.DateField("día")  # of Santiago, on which the calls began
    api_key = models.ForeignKey(
        ApiKey, models.CASCADE, db_index=False, related_name="+", verbose_name="clave"
    )
    operation = models.CharField("operación", max_length=20, choices=Operation.choices)
    model = models.CharField("modelo", max_length=80, blank=True)
    outcome = models.CharField("resultado", max_length=10, choices=Outcome.choices)
    calls = models.BigIntegerField("llamadas", default=0)
    incomplete = models.BigIntegerField("sin uso completo", default=0)
    input_tokens = models.BigIntegerField("entrada sin caché", default=0)
    cache_write_5m_tokens = models.BigIntegerField("escritura 5 min", default=0)
    cache_write_1h_tokens = models.BigIntegerField("escritura 1 h", default=0)
    cache_read_tokens = models.BigIntegerField("lectura de caché", default=0)
    output_tokens = models.BigIntegerField("salida", default=0)
    cost_usd = UsdField("costo (USD)", db_column="cost_picousd", default=Decimal(0))
    # What the same tokens would have cost without the prompt cache, less what they did.
    saved_usd = UsdField("ahorrado (USD)", db_column="saved_picousd", default=Decimal(0))
    folded = models.BooleanField(default=False)
    # Of rows that the retention erased: no rebuilding brings these back.
    erased = models.BooleanField(default=False, db_default=False)

    class Meta:
        verbose_name = "uso por día"
        verbose_name_plural = "uso por día"
        indexes = [
            models.Index(fields=["day"], name="daily_by_day"),
            models.Index(fields=["api_key", "day"], name="daily_by_key"),
            models.Index(fields=["day"], name="daily_unfolded", condition=Q(folded=False)),
        ]

    def __str__(self) -> str:
        return f"{self.day:%d-%m-%Y} {self.operation}"
