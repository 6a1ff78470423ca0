"""Who may call: API keys."""

import copy
import hashlib
import secrets
from datetime import datetime, timedelta
from typing import ClassVar, Final

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from usage import networks
from usage.models.account import Account
from usage.models.scope import Scope, usual_scopes
from usage.statements import Prepared

MARK: Final = "ai"  # starts every secret, so that scanners and people recognise a leaked one
_PREFIX_ALPHABET: Final = (
    "abcdefghijkmnpqrstuvwxyz23456789"  # nothing that reads like something else
)


def check_networks(value: str) -> None:
    """Refuse what is no network.

    Raises:
        ValidationError: With the word that is none.
    """
    try:
        networks.read(value)
    except ValueError as exc:
        raise ValidationError(
            f"«{exc}» no es una dirección ni una red, como 200.1.2.3 o 200.1.2.0/24.",
            code="invalid_network",
        ) from None


def _digest(secret: str) -> str:
    # The secret holds 256 random bits: a slow password hash would add cost per request, not strength.
    return hashlib.sha256(secret.encode()).hexdigest()


def _new_secret(prefix: str) -> str:
    return f"{MARK}_{prefix}_{secrets.token_urlsafe(32)}"


class ApiKeyManager(models.Manager["ApiKey"]):
    """Issues keys and finds them by their secret."""

    def issue(
        self, *, name: str, account: Account | None = None, **fields: object
    ) -> tuple["ApiKey", str]:
        """Create a key.

        Args:
            name: Who the key is for, as the admin shows it.
            account: Whose it is; without one, a new account gets the key's name.
            **fields: Further columns, such as ``expires_at``.

        Returns:
            The row, and the secret. The secret is stored nowhere: this is the only time it is seen.
        """
        prefix = "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(8))
        secret = _new_secret(prefix)
        with transaction.atomic():
            account = account or Account.objects.create(name=name)
            key = self.create(
                name=name, account=account, prefix=prefix, digest=_digest(secret), **fields
            )
        return key, secret

    def find(self, secret: str) -> "ApiKey | None":
        """Return the key of this secret with its account, valid or not, or None."""
        mark, _, rest = secret.partition("_")
        prefix, _, _ = rest.partition("_")
        if mark != MARK or not prefix or "\x00" in prefix:
            return None
        key = next(iter(_BY_PREFIX.rows(prefix)), None)
        return key if key is not None and key.is_opened_by(_digest(secret)) else None


class ApiKey(models.Model):
    """A caller: an ERP, a person's page, a script. Never deleted once it has spent, only revoked.

    Attributes:
        end_user: Whom of its own users a request is made for, as the caller names him; of the request,
            not of the row.
        is_visitor: Whether the request came with a token (`usage.access.visitors`): then the end user is
            settled, and sees his own alone.
    """

    end_user: str = ""
    is_visitor: bool = False

    account = models.ForeignKey(Account, models.PROTECT, related_name="keys", verbose_name="cuenta")
    name = models.CharField("nombre", max_length=100)
    owner = models.CharField(
        "responsable",
        max_length=100,
        blank=True,
        help_text="A quién se avisa: una persona o un equipo.",
    )
    prefix = models.CharField("prefijo", max_length=16, unique=True, editable=False)
    digest = models.CharField(max_length=64, editable=False)
    old_digest = models.CharField(max_length=64, blank=True, editable=False)
    old_until = models.DateTimeField(
        "la clave anterior sirve hasta", null=True, blank=True, editable=False
    )
    scopes = models.JSONField("permisos", default=usual_scopes)
    networks = models.TextField(
        "redes permitidas",
        blank=True,
        validators=[check_networks],
        help_text="Direcciones o redes desde las que se acepta, por ejemplo 200.1.2.0/24; una por "
        "línea. Vacío: desde cualquiera.",
    )
    rate_per_minute = models.PositiveIntegerField(
        "solicitudes por minuto",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="Desde una misma dirección. Vacío: el límite del servicio.",
    )
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
        """Tell whether the key opens anything: neither revoked nor expired, of an active account."""
        if self.revoked_at is not None or not self.account.active:
            return False
        return self.expires_at is None or self.expires_at > (now or timezone.now())

    def may(self, scope: str) -> bool:
        """Tell whether the key may be used for something."""
        return scope in self.scopes or (scope == Scope.USAGE and Scope.USAGE_ALL in self.scopes)

    def is_opened_by(self, digest: str) -> bool:
        """Tell whether this is the key's secret, or the one before it while that still serves."""
        if constant_time_compare(self.digest, digest):
            return True
        return self.has_two_secrets() and constant_time_compare(self.old_digest, digest)

    def has_two_secrets(self) -> bool:
        """Tell whether the secret before this one still opens the key."""
        return self.old_until is not None and self.old_until > timezone.now()

    def rotate(self, grace: timedelta) -> str:
        """Give the key a new secret, and return it: this is the only time it is seen.

        Args:
            grace: How long the present secret goes on opening the key beside the new one.
        """
        secret = _new_secret(self.prefix)
        self.old_digest, self.digest = self.digest, _digest(secret)
        self.old_until = timezone.now() + grace
        self.save(update_fields=["digest", "old_digest", "old_until"])
        return secret

    def acting_for(self, end_user: str) -> "ApiKey":
        """Return the key as it is used for one of its account's own users; "" for none of them."""
        if not end_user or self.is_visitor:
            return self
        acting = copy.copy(self)
        acting.end_user = end_user
        return acting

    def revoke(self) -> None:
        """Close the key for good; revoking twice keeps the first date."""
        with transaction.atomic():
            # Saved rather than updated, so that the audit log sees it.
            stored = ApiKey.objects.select_for_update().get(pk=self.pk)
            if stored.revoked_at is None:
                stored.revoked_at = timezone.now()
                stored.save(update_fields=["revoked_at"])
        self.revoked_at = stored.revoked_at

    def touch(self, now: datetime) -> None:
        """Note the use, at most once a minute: a busy key must not become a hot row."""
        if self.last_used_at is None or (now - self.last_used_at).total_seconds() >= 60:
            ApiKey.objects.filter(pk=self.pk).update(last_used_at=now)
            self.last_used_at = now


# Every request begins with it.
_BY_PREFIX: Final = Prepared(
    lambda prefix: ApiKey.objects.filter(prefix=prefix).select_related("account"), "\N{KEY}"
)
