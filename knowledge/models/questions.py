"""How well search answers: questions that it failed, and evaluations."""

from django.db import models
from django.utils import timezone


class Question(models.Model):
    """A question that the knowledge base failed, with everybody else's who asked the same.

    One row per question and not per asking: the list stays as long as the editor's work, and
    nothing says who asked.
    """

    group = models.CharField("grupo", max_length=64, unique=True, editable=False)
    text = models.CharField("pregunta", max_length=500)
    module = models.CharField("módulo", max_length=100, blank=True)
    not_found = models.PositiveIntegerField("sin respuesta", default=0)
    thumbs_down = models.PositiveIntegerField("mal evaluadas", default=0)
    first_asked_at = models.DateTimeField("primera vez", default=timezone.now)
    last_asked_at = models.DateTimeField("última vez", default=timezone.now, db_index=True)
    resolved_at = models.DateTimeField("resuelta", null=True, blank=True)

    class Meta:
        verbose_name = "pregunta sin buena respuesta"
        verbose_name_plural = "preguntas sin buena respuesta"
        ordering = ["-last_asked_at"]

    def __str__(self) -> str:
        return self.text


class Evaluation(models.Model):
    """The result of running the evaluation questions against an index."""

    stamp = models.UUIDField("índice", null=True)
    semantic = models.BooleanField("con vectores", default=False)
    questions = models.PositiveIntegerField("preguntas")
    hit_1 = models.FloatField("hit@1")
    hit_3 = models.FloatField("hit@3")
    hit_5 = models.FloatField("hit@5")
    mrr = models.FloatField("MRR")
    ndcg = models.FloatField("nDCG")
    refused = models.FloatField("rechazadas de las ajenas", null=True)
    falsely_refused = models.FloatField("rechazadas por error")
    worst = models.JSONField("peores", default=list)
    created_at = models.DateTimeField("fecha", default=timezone.now)

    class Meta:
        verbose_name = "evaluación"
        verbose_name_plural = "evaluaciones"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"hit@5 {self.hit_5:.3f}, hit@1 {self.hit_1:.3f}"
