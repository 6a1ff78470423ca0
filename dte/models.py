"""The history: what was judged, what was said, and what the SII really answered."""

import uuid
from typing import ClassVar

from django.db import models
from django.urls import reverse
from django.utils import timezone

from usage.models import ApiKey, UsageRecord
from usage.models.end_user import EndUserField


class KeyPolicy(models.Model):
    """What is kept of the documents that an API key sends; without a row, the defaults."""

    api_key = models.OneToOneField(
        ApiKey, models.CASCADE, related_name="dte_policy", verbose_name="clave de API"
    )
    keep_documents = models.BooleanField(
        "guardar documentos",
        default=False,
        help_text="Guarda el documento completo junto a su validación. Contiene datos de terceros.",
    )
    retention_days = models.PositiveIntegerField(
        "días de retención",
        null=True,
        blank=True,
        help_text="Vacío: los días por omisión del servicio.",
    )

    class Meta:
        verbose_name = "política de retención"
        verbose_name_plural = "políticas de retención"

    def __str__(self) -> str:
        return str(self.api_key)


class Validation(models.Model):
    """One file judged for an account: a document, an envelope (which has no type), or another kind."""

    DOCUMENT = "DTE"
    """``kind`` of a document; any other row is about documents, or about none."""

    class Recommendation(models.TextChoices):
        """What the caller was told to do."""

        SEND = "send", "enviar"
        REVIEW = "review", "revisar"
        REJECT = "reject", "no enviar"

    class Mode(models.TextChoices):
        """From which side the document was judged."""

        EMISSION = "emission", "emisión"
        RECEPTION = "reception", "recepción"

    class SiiOutcome(models.TextChoices):
        """What the SII answered, as the caller reported it."""

        ACCEPTED = "accepted", "aceptado"
        OBJECTED = "objected", "aceptado con reparos"
        REJECTED = "rejected", "rechazado"
        ANNULLED = "annulled", "folio anulado"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField("fecha", default=timezone.now, editable=False)
    api_key = models.ForeignKey(
        ApiKey,
        models.CASCADE,
        db_index=False,  # three indexes below begin with it
        related_name="validations",
        verbose_name="clave de API",
    )
    end_user = EndUserField()
    usage = models.ForeignKey(
        UsageRecord,
        models.SET_NULL,
        null=True,
        related_name="validations",
        verbose_name="uso",
    )
    batch = models.UUIDField(
        "envío", null=True, help_text="El mismo en todos los documentos de un envío."
    )
    number = models.PositiveIntegerField("n° en el envío", default=1)
    kind = models.CharField("clase", max_length=20, default=DOCUMENT)
    state = models.CharField("estado", max_length=40, blank=True)
    track_id = models.CharField(
        "n° de envío al SII", max_length=20, blank=True, help_text="Track ID que dio el SII."
    )
    mode = models.CharField("modo", max_length=9, choices=Mode)
    form = models.CharField("forma", max_length=6)
    digest = models.CharField("SHA-256", max_length=64)
    tipo = models.PositiveSmallIntegerField("tipo", null=True)
    folio = models.CharField("folio", max_length=20, blank=True)
    issuer = models.CharField("RUT emisor", max_length=12, blank=True)
    receiver = models.CharField("RUT receptor", max_length=12, blank=True)
    total = models.DecimalField("total", max_digits=24, decimal_places=4, null=True)
    summary = models.JSONField("resumen", default=dict)
    recommendation = models.CharField("recomendación", max_length=6, choices=Recommendation)
    confidence = models.PositiveSmallIntegerField("confianza")
    findings = models.JSONField("hallazgos", default=list)
    review = models.JSONField("revisión de IA", default=dict, blank=True)
    document = models.BinaryField("documento", null=True)
    outcome = models.CharField("respuesta del SII", max_length=8, choices=SiiOutcome, blank=True)
    outcome_codes = models.JSONField("códigos del SII", default=list, blank=True)
    outcome_detail = models.TextField("detalle del SII", blank=True)
    outcome_at = models.DateTimeField("informada", null=True)

    objects: ClassVar[models.Manager["Validation"]] = models.Manager()

    class Meta:
        verbose_name = "validación"
        verbose_name_plural = "validaciones"
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["api_key", "folio", "-created_at"], name="validation_folio"),
            models.Index(
                fields=["api_key", "folio"],
                condition=models.Q(outcome_at__isnull=False),
                name="validation_answered",
            ),
            models.Index(fields=["-created_at"], name="validation_recent"),
            models.Index(fields=["api_key", "-created_at", "-id"], name="validation_listed"),
            models.Index(
                fields=["api_key", "end_user", "-created_at", "-id"],
                name="validation_by_end_user",
                condition=~models.Q(end_user=""),
            ),
            models.Index(fields=["batch"], name="validation_batch"),
            models.Index(
                fields=["api_key", "track_id"],
                condition=~models.Q(track_id=""),
                name="validation_track",
            ),
            # What the admin filters and searches by: of what most rows have, only the rest.
            *(
                models.Index(
                    fields=[name, "-created_at"],
                    name=f"validation_by_{name}",
                    condition=~models.Q(**{name: usual}),
                )
                for name, usual in (
                    ("kind", "DTE"),
                    ("recommendation", "send"),
                    ("outcome", ""),
                    ("mode", "emission"),
                )
            ),
            *(
                models.Index(fields=[name, "-created_at"], name=f"validation_by_{name}")
                for name in ("tipo", "folio", "issuer", "receiver")
            ),
            models.Index(
                fields=["track_id"], name="validation_by_track", condition=~models.Q(track_id="")
            ),
        ]

    def __str__(self) -> str:
        name = self.summary.get("type_name", "")
        return f"{name} N° {self.folio}".strip() if self.folio else name or self.kind

    def get_absolute_url(self) -> str:
        """Return where the API answers the whole of it."""
        return reverse("dte-validation", args=[self.pk])

    def as_row(self) -> dict[str, object]:
        """Return what a list of stored answers shows of it; reads the codes, not the findings."""
        return {
            "id": str(self.pk),
            "created_at": self.created_at,
            "batch": str(self.batch) if self.batch else None,
            "number": self.number,
            "kind": self.kind,
            "mode": self.mode,
            # A file that is no document has facts and tables for people: a row does without.
            "document": {
                name: value for name, value in self.summary.items() if not isinstance(value, list)
            },
            "state": self.state,
            "recommendation": self.recommendation,
            "codes": [raised.code for raised in self.codes.all()],
            "outcome": self.outcome or None,
            "url": self.get_absolute_url(),
        }

    def as_dict(self) -> dict[str, object]:
        """Return the stored answer as the API shows it."""
        return {
            "id": str(self.pk),
            "created_at": self.created_at,
            "kind": self.kind,
            "mode": self.mode,
            "state": self.state,
            "recommendation": self.recommendation,
            "confidence": self.confidence,
            "findings": self.findings,
            "document": self.summary,
            "track_id": self.track_id,
            "sha256": self.digest,
            "batch": str(self.batch) if self.batch else None,
            "review": self.review,
            "outcome": {
                "outcome": self.outcome,
                "codes": self.outcome_codes,
                "detail": self.outcome_detail,
                "reported_at": self.outcome_at,
            }
            if self.outcome
            else None,
        }


class RaisedCode(models.Model):
    """A code that a validation raised: what the statistics count."""

    validation = models.ForeignKey(Validation, models.CASCADE, related_name="codes")
    code = models.CharField("código", max_length=10)
    severity = models.CharField("severidad", max_length=6)

    class Meta:
        verbose_name = "código levantado"
        verbose_name_plural = "códigos levantados"
        constraints = [
            models.UniqueConstraint(fields=["validation", "code"], name="one_row_per_code")
        ]
        indexes = [models.Index(fields=["code"], name="raised_code")]

    def __str__(self) -> str:
        return self.code
