"""Who may call: API keys."""

import hashlib
import secrets
from datetime import datetime
from typing import Any, ClassVar, Final

from django.db import models
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from usage.statements import Prepared

MARK: Final = "ai"  # starts every secret, so that scanners and people recognise a leaked one
_PREFIX_ALPHABET: Final = (
    "abcdefghijkmnpqrstuvwxyz23456789"  # nothing that reads like something else
)


def _digest(secret: str) -> str:
    # The secret holds 256 random bits: a slow password hash would add cost per request, not strength.
    return hashlib.sha256(secret.encode()).hexdigest()


class ApiKeyManager(models.Manager["ApiKey"]):
    """Issues keys and finds them by their secret."""

    def issue(self, *, name: str, **fields: Any) -> tuple["ApiKey", str]:
        """Create a key.

        Args:
            name: Who the key is for, as the admin shows it.
            **fields: Further columns, such as ``expires_at``.

        Returns:
            The row, and the secret. The secret is stored nowhere: this is the only time it is seen.
        """
        prefix = "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(8))
        secret = f"{MARK}_{prefix}_{secrets.token_urlsafe(32)}"
        return self.create(name=name, prefix=prefix, digest=_digest(secret), **fields), secret

    def find(self, secret: str) -> "ApiKey | None":
        """Return the key of this secret, valid or not, or None."""
        mark, _, rest = secret.partition("_")
        prefix, _, _ = rest.partition("_")
        if mark != MARK or not prefix or "\x00" in prefix:
            return None
        key = next(iter(_BY_PREFIX.rows(prefix)), None)
        if key is None or not constant_time_compare(key.digest, _digest(secret)):
            return None
        return key


class ApiKey(models.Model):
    """A caller: an ERP, a person's page, a script. Never deleted once it has spent, only revoked."""

    name = models.CharField("nombre", max_length=100)
    prefix = models.CharField("prefijo", max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField("creada", default=timezone.now, editable=False)
    expires_at = models.DateTimeField("vence", null=True, blank=True)
    may_monitor = models.BooleanField(
        "puede ejecutar el monitor del SII",
        default=True,
        help_text="Iniciar una revisión con POST /api/ai/sii/monitor.",
    )
    revoked_at = models.DateTimeField("revocada", null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField("último uso", null=True, blank=True, editable=False)

    objects: ClassVar[ApiKeyManager] = ApiKeyManager()

    class Meta:
        verbose_name = "clave de API"
        verbose_name_plural = "claves de API"
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return f"{self.name} ({MARK}_{self.prefix}_…)"

    def is_active(self, now: datetime | None = None) -> bool:
        """Tell whether the key opens anything: neither revoked nor expired."""
        if self.revoked_at is not None:
            return False
        return self.expires_at is None or self.expires_at > (now or timezone.now())

    def revoke(self) -> None:
        """Close the key for good; revoking twice keeps the first date."""
        now = timezone.now()
        ApiKey.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=now)
        self.revoked_at = self.revoked_at or now

    def touch(self, now: datetime) -> None:
        """Note the use, at most once a minute: a busy key must not become a hot row."""
        if self.last_used_at is None or (now - self.last_used_at).total_seconds() >= 60:
            ApiKey.objects.filter(pk=self.pk).update(last_used_at=now)
            self.last_used_at = now


# Every request begins with it.
_BY_PREFIX: Final = Prepared(lambda prefix: ApiKey.objects.filter(prefix=prefix), "\N{KEY}")
