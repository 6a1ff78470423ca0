"""From a secret to its API key: DRF authentication, and the plain function for WebSocket and scripts."""

import re
from typing import Any, Final

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from usage import networks
from usage.access import visitors
from usage.access.address import exact_ip
from usage.models import ApiKey
from usage.models.api_key import MARK
from usage.models.scope import Scope

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
    if secret.startswith(visitors.MARK):
        key = visitors.key_of(secret)
    else:
        key = ApiKey.objects.find(secret) if len(secret) <= _LONGEST_SECRET else None
    if key is None or key.revoked_at is not None:
        raise AuthenticationFailed("La clave de API no es válida.", code="invalid_api_key")
    if not key.account.active:
        raise AuthenticationFailed(
            "La cuenta de la clave de API no está activa.", code="inactive_account"
        )
    if not key.is_active(now):
        raise AuthenticationFailed("La clave de API está vencida.", code="expired_api_key")
    key.touch(now)
    return key


def require_network(key: ApiKey, address: str) -> None:
    """Refuse a key outside the networks that it is meant for.

    Args:
        key: The key.
        address: From `exact_ip`.

    Raises:
        PermissionDenied: It came from elsewhere.
    """
    if key.networks and not networks.contain(key.networks, address):
        raise PermissionDenied(
            "La clave de API no se acepta desde esta dirección.", code="network_not_allowed"
        )


def require_scope(key: ApiKey, scope: Scope) -> None:
    """Refuse a key what it was not made for.

    Raises:
        PermissionDenied: With the scope that it lacks.
    """
    if not key.may(scope):
        raise PermissionDenied(
            f"La clave de API no tiene el permiso «{scope.value}» ({scope.label}).",
            code="missing_scope",
        )


def admit(secret: str, scope: Scope, address: str) -> ApiKey:
    """Return the active key of a secret, if it may be used for this and from there.

    Raises:
        AuthenticationFailed: As `find_key` does.
        PermissionDenied: It is valid, and meant for other things or other networks.
    """
    key = find_key(secret)
    require_network(key, address)
    require_scope(key, scope)
    return key


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer <secret>`` or ``X-Api-Key: <secret>``; ``request.auth`` is the key."""

    def authenticate(self, request: Request) -> tuple[Any, ApiKey] | None:
        """Return the key of the request, or None when it carries no secret."""
        secret = secret_of(request)
        if secret is None:
            return None
        key = find_key(secret)
        require_network(key, exact_ip(request))
        return None, key

    def authenticate_header(self, request: Request) -> str:
        """Return what a 401 names in ``WWW-Authenticate`` (RFC 6750)."""
        return 'Bearer realm="api"'


class HasApiKey(BasePermission):
    """Lets a request through that came with a valid key which has the view's ``scope``."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Tell whether the request was authenticated by a key.

        Raises:
            PermissionDenied: By one that lacks the scope.
        """
        if not isinstance(request.auth, ApiKey):
            return False
        scope: Scope | None = getattr(view, "scope", None)
        if scope is not None:
            require_scope(request.auth, scope)
        return True


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
