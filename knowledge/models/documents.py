"""Documents, their versions, and the passages of each.

Versions and passages are written once and never changed, so a worker that still searches with the
previous index finds the previous text, whole, while a load goes on.
"""

from datetime import date, timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from knowledge.frontmatter import ParsedDocument


class DocumentFields(models.Model):
    """What a document says; shared by the document (as it is now) and its versions (as it was)."""

    title = models.CharField("título", max_length=300)
    module = models.CharField(
        "módulo", max_length=100, db_index=True, help_text="Por ejemplo: dte, boletas, odoo."
    )
    tags = models.JSONField("etiquetas", default=list, blank=True)
    source = models.CharField("fuente", max_length=1000, blank=True)
    source_path = models.CharField("archivo", max_length=1000, blank=True)
    valid_from = models.DateField("vigente desde", null=True, blank=True)
    valid_to = models.DateField("vigente hasta", null=True, blank=True)
    checked_on = models.DateField(
        "revisado el",
        null=True,
        blank=True,
        help_text="Último día en que se comparó con sus fuentes.",
    )
    body = models.TextField("texto (Markdown)")
    content_hash = models.CharField("huella", max_length=64, editable=False)

    class Meta:
        abstract = True

    def fields(self) -> dict[str, Any]:
        """Return the content fields, without the hash."""
        return {
            "title": self.title,
            "module": self.module,
            "tags": list(self.tags),
            "source": self.source,
            "source_path": self.source_path,
            "valid_from": self.valid_from,
            "valid_to": self.valid_to,
            "checked_on": self.checked_on,
            "body": self.body,
        }

    def as_parsed(self, slug: str) -> ParsedDocument:
        """Return the content as its file would be read."""
        return ParsedDocument(slug=slug, **{**self.fields(), "tags": tuple(self.tags)})

    def is_valid_on(self, day: date) -> bool:
        """Say whether the document may be used on a day; both ends belong to the period."""
        started = self.valid_from is None or self.valid_from <= day
        return started and (self.valid_to is None or day <= self.valid_to)


class DocumentQuerySet(models.QuerySet["Document"]):
    """Named questions about documents."""

    def active(self) -> "DocumentQuerySet":
        """Documents that have not been removed."""
        return self.filter(removed_at=None)

    def stale(self, day: date) -> "DocumentQuerySet":
        """Active documents that are expired on a day."""
        return self.active().filter(valid_to__lt=day)

    def expiring(self, day: date, *, within: timedelta) -> "DocumentQuerySet":
        """Active documents that expire in the days after a day."""
        return self.active().filter(valid_to__gte=day, valid_to__lte=day + within)


class Document(DocumentFields):
    """A document of the knowledge base in its current version.

    Removing one only marks it: its versions stay, because answers already given cite them.
    """

    slug = models.CharField("identificador", max_length=200, unique=True)
    version = models.PositiveIntegerField("versión", default=0, editable=False)
    # The content of the file last loaded: an unchanged file must not undo an edit made here.
    file_hash = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField("creado", auto_now_add=True)
    updated_at = models.DateTimeField("actualizado", auto_now=True)
    removed_at = models.DateTimeField("retirado", null=True, blank=True, editable=False)

    objects = DocumentQuerySet.as_manager()

    class Meta:
        verbose_name = "documento"
        verbose_name_plural = "documentos"
        ordering = ["module", "title"]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the document's address in the public API."""
        return reverse("knowledge-document", args=[self.slug])


class DocumentVersion(DocumentFields):
    """What a document said between two changes. Never modified."""

    document = models.ForeignKey(Document, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField("número")
    is_current = models.BooleanField("vigente", default=True)
    created_at = models.DateTimeField("creada", default=timezone.now)
    created_by = models.CharField("autor", max_length=150, blank=True)

    class Meta:
        verbose_name = "versión"
        verbose_name_plural = "versiones"
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["document", "number"], name="version_number_unique"),
            models.UniqueConstraint(
                fields=["document"], condition=Q(is_current=True), name="version_one_current"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.title} (v{self.number})"


class PassageQuerySet(models.QuerySet["Passage"]):
    """Named questions about passages."""

    def current(self) -> "PassageQuerySet":
        """Passages of the current versions of documents that have not been removed."""
        return self.filter(version__is_current=True, version__document__removed_at=None)


class Passage(models.Model):
    """A section of one version: what search returns and answers cite. Never modified."""

    version = models.ForeignKey(DocumentVersion, models.CASCADE, related_name="passages")
    position = models.PositiveIntegerField("posición")
    anchor = models.CharField("ancla", max_length=140)
    section = models.CharField("sección", max_length=1000, blank=True)
    content = models.TextField("contenido")
    text_hash = models.CharField(max_length=64, db_index=True, editable=False)

    objects = PassageQuerySet.as_manager()

    class Meta:
        verbose_name = "pasaje"
        verbose_name_plural = "pasajes"
        ordering = ["version", "position"]
        constraints = [
            models.UniqueConstraint(fields=["version", "anchor"], name="passage_anchor_unique")
        ]

    def __str__(self) -> str:
        return self.section or self.anchor
