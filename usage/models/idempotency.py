"""Answers kept for requests that carry an ``Idempotency-Key``."""

from django.db import models
from django.utils import timezone

from usage.models.api_key import ApiKey


class IdempotentAnswer(models.Model):
    """One claimed key, and the answer once there is one."""

    api_key = models.ForeignKey(ApiKey, models.CASCADE)
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)  # of method, path and body
    claimed_at = models.DateTimeField(default=timezone.now, db_index=True)
    process = models.CharField(max_length=40, default="")  # which process is at work on it
    finished_at = models.DateTimeField(null=True)
    content_type = models.CharField(max_length=100, blank=True)
    # What the answer is part of, such as a conversation, so that it can be erased with it.
    subject = models.CharField(max_length=100, blank=True, default="", db_default="")
    body = models.BinaryField(default=b"")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "key"], name="idempotency_once_per_key")
        ]

    def __str__(self) -> str:
        return self.key
