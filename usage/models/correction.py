"""Corrections of the ledger: who changed what a call cost, when, from what to what, and why."""

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.utils import timezone

from usage.models.record import TOKEN_CLASSES, UsageRecord
from usage.money import UsdField


class Correction(models.Model):
    """One correction of one row; never changed itself."""

    record = models.ForeignKey(
        UsageRecord, models.PROTECT, related_name="corrections", verbose_name="registro"
    )
    corrected_at = models.DateTimeField("fecha", default=timezone.now)
    corrected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name="quién"
    )
    reason = models.CharField("motivo", max_length=300)
    cost_before_usd = UsdField(
        "costo antes (USD)", db_column="cost_before_picousd", default=Decimal(0)
    )
    cost_after_usd = UsdField(
        "costo después (USD)", db_column="cost_after_picousd", default=Decimal(0)
    )
    tokens_before = models.JSONField("tokens antes")
    tokens_after = models.JSONField("tokens después")

    class Meta:
        verbose_name = "corrección"
        verbose_name_plural = "correcciones"
        ordering = ["-corrected_at"]

    def __str__(self) -> str:
        return f"{self.corrected_at:%d-%m-%Y %H:%M}: {self.reason}"


def tokens_of(record: UsageRecord) -> dict[str, int]:
    """Return a row's tokens by class."""
    return {name: getattr(record, name) for name in TOKEN_CLASSES}
