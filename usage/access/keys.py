"""From a secret to its API key: DRF authentication, and the plain function for WebSocket and scripts."""

import re
from typing import Any, Final

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from usage.models import ApiKey
from usage.models.api_key import MARK

_LONGEST_SECRET: Final = 200
_SHAPE: Final = re.compile(rf"{MARK}_([a-z0-9]{{8}})_")


def find_key(secret: str) -> ApiKey:
    """Return the active key of a secret.

    Args:
        secret: What the caller sent, as printed when the key was issued.

    Raises:
        AuthenticationFailed: Unknown, revoked or expired. The caller is not told which of the
            first two it was, so that a guess learns nothing.
    """
    now = timezone.now()
    key = ApiKey.objects.find(secret) if len(secret) <= _LONGEST_SECRET else None
    if key is None or key.revoked_at is not None:
        raise AuthenticationFailed("La clave de API no es válida.", code="invalid_api_key")
    if not key.is_active(now):
        raise AuthenticationFailed("La clave de API está vencida.", code="expired_api_key")
    key.touch(now)
    return key


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer <secret>`` or ``X-Api-Key: <secret>``; ``request.auth`` is the key."""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        """Return the key of the request, or None when it carries no secret."""
        secret = secret_of(request)
        return None if secret is None else (None, find_key(secret))

    def authenticate_header(self, request: Request) -> str:
        """Return what a 401 names in ``WWW-Authenticate`` (RFC 6750)."""
        return 'Bearer realm="api"'


class HasApiKey(BasePermission):
    """Lets a request through that came with a valid key."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Tell whether the request was authenticated by a key."""
        return isinstance(request.auth, ApiKey)


def secret_of(request: HttpRequest | Request) -> str | None:
    """Return what a request sends as its key, if anything."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return request.headers.get("X-Api-Key")


def prefix_of(secret: str | None) -> str | None:
    """Return what a log may say of a secret: the public part, if it is made like one of ours."""
    found = _SHAPE.match(secret or "")
    return found and found[1]
