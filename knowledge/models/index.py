"""What search reads: the index, the vectors of texts, and the expressions of the trade."""

from django.db import models
from django.db.models import Q
from django.utils import timezone


class Embedding(models.Model):
    """The vector of a text, kept by the text's hash so that moving or retitling costs nothing."""

    text_hash = models.CharField(max_length=64)
    model = models.CharField("modelo", max_length=60)
    vector = models.BinaryField()  # float16, normalised

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["text_hash", "model"], name="embedding_unique")
        ]

    def __str__(self) -> str:
        return f"{self.model}:{self.text_hash[:12]}"


class SearchIndex(models.Model):
    """The one index that all workers search; its stamp changes with every change of content."""

    SINGLETON = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=SINGLETON)
    stamp = models.UUIDField("sello")
    analysis = models.CharField("analizador", max_length=60)
    passages = models.PositiveIntegerField("pasajes", default=0)
    built_at = models.DateTimeField("construido", default=timezone.now)
    data = models.BinaryField()

    class Meta:
        verbose_name = "índice"
        verbose_name_plural = "índices"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="search_index_single")]

    def __str__(self) -> str:
        return str(self.stamp)


class ExpressionQuerySet(models.QuerySet["Expression"]):
    """Named questions about expressions."""

    def active(self) -> "ExpressionQuerySet":
        """Expressions that questions are read with."""
        return self.filter(is_active=True)


class Expression(models.Model):
    """What people in the trade write instead of the words that documents use."""

    text = models.CharField(
        "expresión", max_length=60, unique=True, help_text="Como la escribe la gente: NC, rebotó."
    )
    meaning = models.CharField(
        "significado", max_length=200, help_text="Con las palabras de los documentos."
    )
    is_active = models.BooleanField(
        "en uso",
        default=True,
        help_text="Una expresión incluida que se borra vuelve con la próxima carga; sin uso, no.",
    )
    updated_at = models.DateTimeField("modificada", auto_now=True)

    objects = ExpressionQuerySet.as_manager()

    class Meta:
        verbose_name = "expresión del rubro"
        verbose_name_plural = "expresiones del rubro"
        ordering = ["text"]

    def __str__(self) -> str:
        return f"{self.text} = {self.meaning}"
