"""The server processes of all hosts, as far as they beat."""

from django.db import models


class ServingProcess(models.Model):
    """One server process, and when it last said that it lives."""

    id = models.CharField(primary_key=True, max_length=40)
    beat_at = models.DateTimeField()

    class Meta:
        verbose_name = "proceso"
        verbose_name_plural = "procesos"

    def __str__(self) -> str:
        return self.id
