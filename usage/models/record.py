"""The ledger: one row for every attempt to call the model, and for every answer given without it."""

import uuid
from decimal import Decimal
from typing import Final

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from usage.models.api_key import ApiKey
from usage.models.end_user import EndUserField
from usage.models.price import ModelPrice
from usage.money import UsdField

TOKEN_CLASSES: Final = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
)


class Operation(models.TextChoices):
    """What the model is asked for. A closed set: it labels metrics."""

    CHAT_REPLY = "chat.reply", "respuesta de chat"
    DTE_REVIEW = "dte.review", "revisión de DTE"
    ORDER_MATCH = "dte.match_po", "calce con orden de compra"
    SII_NOTICE = "sii.notice", "aviso del SII"


class State(models.TextChoices):
    """A row is open from before the request leaves until it is settled, once."""

    OPEN = "open", "abierto"
    SETTLED = "settled", "liquidado"


class Outcome(models.TextChoices):
    """How a settled row came to its end. A closed set: it labels metrics."""

    ANSWERED = "answered", "respondida"
    OFFLINE = "offline", "sin modelo"
    CACHED = "cached", "repetida desde caché"
    REFUSED = "refused", "rehusada por el modelo"
    EMPTY = "empty", "sin texto"
    FAILED = "failed", "falla del proveedor"
    REJECTED = "rejected", "rechazada por el proveedor"
    TIMEOUT = "timeout", "tiempo agotado"
    CUT = "cut", "respuesta cortada"
    CANCELLED = "cancelled", "cliente se retiró"
    SWEPT = "swept", "proceso interrumpido"


class UsageRecord(models.Model):
    """One row of the ledger. Token classes are disjoint, as the provider bills them."""

    # Our own identifier: the provider's is only an attribute, absent when nothing answered.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    call_id = models.UUIDField("llamada", default=uuid.uuid4, db_index=True)
    attempt = models.PositiveSmallIntegerField("intento", default=1)
    api_key = models.ForeignKey(ApiKey, models.PROTECT, verbose_name="clave", related_name="usage")
    end_user = EndUserField()
    operation = models.CharField("operación", max_length=20, choices=Operation.choices)
    model = models.CharField("modelo", max_length=80, blank=True)
    price = models.ForeignKey(
        ModelPrice, models.PROTECT, verbose_name="precio", null=True, blank=True
    )
    state = models.CharField("estado", max_length=10, choices=State.choices, default=State.OPEN)
    outcome = models.CharField("resultado", max_length=10, choices=Outcome.choices, blank=True)
    error_type = models.CharField("error", max_length=60, blank=True)
    stop_reason = models.CharField("término", max_length=40, blank=True)

    started_at = models.DateTimeField("inicio", default=timezone.now)
    settled_at = models.DateTimeField("liquidación", null=True, blank=True)
    latency_ms = models.PositiveIntegerField("duración (ms)", null=True, blank=True)
    first_token_ms = models.PositiveIntegerField("primer texto (ms)", null=True, blank=True)

    input_tokens = models.PositiveIntegerField("entrada sin caché", default=0)
    cache_write_5m_tokens = models.PositiveIntegerField("escritura 5 min", default=0)
    cache_write_1h_tokens = models.PositiveIntegerField("escritura 1 h", default=0)
    cache_read_tokens = models.PositiveIntegerField("lectura de caché", default=0)
    output_tokens = models.PositiveIntegerField("salida", default=0)
    total_tokens = models.PositiveIntegerField("total", default=0)
    # False when the provider's last word on usage never arrived: then the row is our best bound.
    usage_complete = models.BooleanField("uso completo", default=True)
    inference_geo = models.CharField("región", max_length=20, blank=True)

    # Reserved while the row is open. Kept after settlement, to see how far the bound was off.
    held_usd = UsdField("reservado (USD)", db_column="held_picousd", default=Decimal(0))
    cost_usd = UsdField("costo (USD)", db_column="cost_picousd", default=Decimal(0))
    # What it is booked at if nothing more becomes known of it; the hold where it is null.
    likely_usd = UsdField("probable (USD)", db_column="likely_picousd", null=True)  # type: ignore[misc]

    request_id = models.CharField("solicitud", max_length=64, blank=True)
    provider_request_id = models.CharField("solicitud del proveedor", max_length=80, blank=True)
    provider_message_id = models.CharField("mensaje del proveedor", max_length=80, blank=True)
    # Which process opened the row, so that a sweep knows whose calls are orphans.
    process = models.CharField("proceso", max_length=40, blank=True)

    class Meta:
        verbose_name = "registro de uso"
        verbose_name_plural = "registros de uso"
        ordering = ["-started_at"]
        indexes = [
            models.Index(fields=["api_key", "-started_at"], name="usage_by_key"),
            models.Index(
                fields=["api_key", "end_user", "-started_at"],
                name="usage_by_end_user",
                condition=~Q(end_user=""),
            ),
            models.Index(fields=["-started_at"], name="usage_by_time"),
            models.Index(fields=["started_at"], name="usage_open", condition=Q(state="open")),
            # What the admin filters and searches by, the newest first: a rare value is found as fast.
            models.Index(fields=["operation", "-started_at"], name="usage_by_operation"),
            models.Index(fields=["model", "-started_at"], name="usage_by_model"),
            models.Index(fields=["outcome", "-started_at"], name="usage_by_outcome"),
            models.Index(
                fields=["-started_at"], name="usage_estimated", condition=Q(usage_complete=False)
            ),
            *(
                models.Index(
                    fields=[name], name=f"usage_by_{name[:-3]}", condition=~Q(**{name: ""})
                )
                for name in ("request_id", "provider_request_id", "provider_message_id")
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="usage_total_is_the_sum_of_the_classes",
                condition=Q(
                    total_tokens=F("input_tokens")
                    + F("cache_write_5m_tokens")
                    + F("cache_write_1h_tokens")
                    + F("cache_read_tokens")
                    + F("output_tokens")
                ),
            ),
            models.CheckConstraint(
                name="usage_settled_rows_say_how_and_when",
                condition=Q(state="open", outcome="", settled_at__isnull=True)
                | (Q(state="settled", settled_at__isnull=False) & ~Q(outcome="")),
            ),
            models.CheckConstraint(name="usage_cost_not_negative", condition=Q(cost_usd__gte=0)),
        ]

    def __str__(self) -> str:
        began = timezone.localtime(self.started_at)
        return f"{self.get_operation_display()} {began:%d-%m-%Y %H:%M:%S}"
