"""Passwords tried on the admin: counted by address, locked out, logged and kept (django-axes)."""

from typing import Final

import structlog
from asgiref.sync import sync_to_async
from axes.middleware import AxesMiddleware
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from aiservice.errors import too_many_passwords
from usage.access.address import client_ip
from usage.access.limits import Limited, limiter
from usage.errors import RequestRateExceeded

log = structlog.get_logger("aiservice.access")

LOGIN: Final = "/admin/login/"


def address_of(request: HttpRequest) -> str | None:
    """Return what axes keeps: an address, for IPv6 the first of its network; None if there is none."""
    address = client_ip(request).partition("/")[0]
    return None if address == "unknown" else address


def locked_out(request: HttpRequest, *_: object) -> HttpResponse:
    """Answer an address that has tried too many passwords; named by ``AXES_LOCKOUT_CALLABLE``."""
    return too_many_passwords(request)


class AdminLoginMiddleware(AxesMiddleware):  # type: ignore[misc]  # axes ships no types
    """Lock out who guesses passwords; many at once are stopped before any of them is hashed."""

    sync_capable = False

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle one request."""
        if request.path != LOGIN or request.method != "POST":
            response: HttpResponseBase = await self.get_response(request)
            return response
        try:
            bucket = f"<{client_ip(request)}>"
            await sync_to_async(limiter.take, thread_sensitive=False)(Limited.LOGINS, bucket)
        except RequestRateExceeded:
            return too_many_passwords(request)
        answered: HttpResponseBase = await super().__acall__(request)
        return answered


def log_failure(request: HttpRequest | None = None, **kwargs: object) -> None:
    """Write a line; without the name, which people take for the field of the password."""
    log.warning("login_failed", address=request and client_ip(request))


def log_success(
    request: HttpRequest | None = None, user: User | None = None, **kwargs: object
) -> None:
    """Write a line."""
    log.info("login", address=request and client_ip(request), user=getattr(user, "pk", None))


user_login_failed.connect(log_failure, dispatch_uid="aiservice.logins")
user_logged_in.connect(log_success, dispatch_uid="aiservice.logins")
