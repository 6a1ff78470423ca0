"""Logins of the admin by OpenID Connect, where ``OIDC_ISSUER`` is set (mozilla-django-oidc).

What the library wants as settings is read from the issuer's own description. People are found by their
verified e-mail; where the issuer says which groups they are in, those of the same name here are theirs.
"""

import time
from typing import Final

import httpx2
import jwt
import requests
import structlog
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import Group, User
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import path, reverse
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

log = structlog.get_logger("aiservice.access")

DESCRIPTION: Final = "/.well-known/openid-configuration"
_SECONDS: Final = 3600.0
_ENDPOINTS: Final = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization_endpoint",
    "OIDC_OP_TOKEN_ENDPOINT": "token_endpoint",
    "OIDC_OP_USER_ENDPOINT": "userinfo_endpoint",
    "OIDC_OP_JWKS_ENDPOINT": "jwks_uri",
}
_FAILURES: Final = (
    httpx2.HTTPError,
    requests.RequestException,
    jwt.PyJWTError,
    SuspiciousOperation,
    KeyError,
    ValueError,
)

Claims = dict[str, object]

_described: dict[str, tuple[float, Claims]] = {}


def describe(issuer: str) -> Claims:
    """Return what an issuer says of itself, at most an hour old.

    Raises:
        httpx2.HTTPError: It does not answer.
        SuspiciousOperation: It describes another issuer.
    """
    at, known = _described.get(issuer, (0.0, {}))
    if not known or time.monotonic() - at > _SECONDS:
        answer = httpx2.get(
            issuer.rstrip("/") + DESCRIPTION, timeout=settings.OIDC_TIMEOUT, trust_env=False
        )
        answer.raise_for_status()
        known = answer.json()
        if str(known.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
            raise SuspiciousOperation("the description is another issuer's")
        _described[issuer] = time.monotonic(), known
    return known


def _setting(name: str, *default: object) -> object:
    if name in _ENDPOINTS:
        return describe(settings.OIDC_ISSUER)[_ENDPOINTS[name]]
    return getattr(settings, name, *default)


class Backend(OIDCAuthenticationBackend):  # type: ignore[misc]  # the library ships no types
    """Whose browser comes back from the issuer is logged in; nobody is asked for a password here."""

    get_settings = staticmethod(_setting)

    def __init__(self) -> None:
        """Ask the issuer nothing yet: Django makes every backend at each login, by password too."""
        self.UserModel = User
        self.OIDC_RP_CLIENT_ID = settings.OIDC_RP_CLIENT_ID
        self.OIDC_RP_CLIENT_SECRET = settings.OIDC_RP_CLIENT_SECRET
        self.OIDC_RP_SIGN_ALGO = settings.OIDC_RP_SIGN_ALGO
        self.OIDC_RP_IDP_SIGN_KEY = None

    def authenticate(self, request: HttpRequest | None, **kwargs: object) -> User | None:
        """Log in whoever brings the issuer's code; the library checks state, nonce and PKCE."""
        if request is None or not settings.OIDC_ISSUER or "nonce" not in kwargs:
            return None
        self.OIDC_OP_TOKEN_ENDPOINT = _setting("OIDC_OP_TOKEN_ENDPOINT")
        self.OIDC_OP_USER_ENDPOINT = _setting("OIDC_OP_USER_ENDPOINT")
        self.OIDC_OP_JWKS_ENDPOINT = _setting("OIDC_OP_JWKS_ENDPOINT")
        user: User | None = super().authenticate(request, **kwargs)
        return user

    def verify_token(self, token: str, **kwargs: object) -> Claims:
        """Check besides the signature for whom and by whom it was made, which the library leaves out."""
        claims: Claims = super().verify_token(token, **kwargs)
        audience = claims.get("aud")
        meant = audience if isinstance(audience, list) else [audience]
        if self.OIDC_RP_CLIENT_ID not in meant:
            raise SuspiciousOperation("the token is for another client")
        if str(claims.get("iss", "")).rstrip("/") != settings.OIDC_ISSUER.rstrip("/"):
            raise SuspiciousOperation("the token is of another issuer")
        return claims

    def verify_claims(self, claims: Claims) -> bool:
        """Take nobody's word for an address: one that was not verified may be anybody's."""
        return bool(claims.get("email")) and str(claims.get("email_verified")).lower() == "true"

    def create_user(self, claims: Claims) -> User | None:
        """Let in somebody new whom the issuer puts in one of our groups; nobody else."""
        if not _groups(claims):
            log.warning("oidc_stranger")
            return None
        email = str(claims["email"])
        user = User.objects.create_user(email[:150], email=email)
        return self.update_user(user, claims)

    def update_user(self, user: User, claims: Claims) -> User:
        """Take the groups as the issuer says them; where it says nothing, they stay."""
        if settings.OIDC_GROUPS_CLAIM in claims:
            groups = _groups(claims)
            user.groups.set(groups)
            user.is_staff = bool(groups) or user.is_superuser
        user.first_name = str(claims.get("given_name") or user.first_name)[:150]
        user.last_name = str(claims.get("family_name") or user.last_name)[:150]
        user.save()
        return user


def _groups(claims: Claims) -> list[Group]:
    said = claims.get(settings.OIDC_GROUPS_CLAIM) or []
    names = [str(name) for name in said] if isinstance(said, list) else [str(said)]
    return list(Group.objects.filter(name__in=names))


class BeginView(OIDCAuthenticationRequestView):  # type: ignore[misc]
    """Sends the browser to the issuer."""

    get_settings = staticmethod(_setting)


class ReturnView(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """Takes the browser that comes back."""

    get_settings = staticmethod(_setting)

    def get(self, request: HttpRequest) -> HttpResponse:
        """Log in, or say on the login page that it did not work."""
        try:
            answer: HttpResponse = super().get(request)
        except _FAILURES as exc:
            log.warning("oidc_failed", error=type(exc).__name__)
            return self.login_failure()
        return answer

    def login_failure(self) -> HttpResponse:
        """Go back to the login page with a word."""
        messages.error(
            self.request,
            "No se pudo ingresar con su organización. Si se repite, pida que le den acceso.",
        )
        return HttpResponseRedirect(reverse("admin:login"))


def begin(request: HttpRequest) -> HttpResponseBase:
    """Begin a login at the issuer."""
    if not settings.OIDC_ISSUER:
        raise Http404
    try:
        answer: HttpResponseBase = BeginView.as_view()(request)
    except _FAILURES as exc:
        log.warning("oidc_unreachable", error=type(exc).__name__)
        messages.error(request, "El ingreso con su organización no está disponible ahora.")
        return HttpResponseRedirect(reverse("admin:login"))
    return answer


def come_back(request: HttpRequest) -> HttpResponseBase:
    """End a login at the issuer."""
    if not settings.OIDC_ISSUER:
        raise Http404
    answer: HttpResponseBase = ReturnView.as_view()(request)
    return answer


def offered(request: HttpRequest) -> dict[str, object]:
    """Tell templates whether there is an issuer to log in at."""
    return {"oidc_offered": bool(settings.OIDC_ISSUER)}


# Under the admin: only its pages have sessions.
urlpatterns = [
    path("admin/oidc/", begin, name="oidc_authentication_init"),
    path("admin/oidc/callback/", come_back, name="oidc_authentication_callback"),
]
