"""What surrounds every request: its id, its access line, its metrics; and what only the admin needs."""

import re
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import FieldDoesNotExist
from django.db import DataError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.deprecation import MiddlewareMixin

from aiservice.errors import database_unavailable, method_not_allowed, unsupported_coding
from aiservice.metrics import HttpMetrics
from usage import tracing
from usage.access.address import client_ip

log = structlog.get_logger("aiservice.access")

ADMIN_PREFIX: Final = "/admin/"
REQUEST_ID_HEADER: Final = "X-Request-ID"
DATABASE_ERRORS: Final = (OperationalError, InterfaceError)
UNUSABLE_PARAMETERS: Final = (DataError, OverflowError, FieldDoesNotExist)
NO_PAGE: Final = "default-src 'none'; frame-ancestors 'none'"
POLICIES: Final = {
    # The theme's Alpine evaluates what its templates say, and its colours are in a style element.
    ADMIN_PREFIX: "default-src 'self'; script-src 'self' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    # Swagger UI styles its elements in place.
    "/api/docs/": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestMiddleware:
    """Give the request an id, bind it to the logs, write the access line, count the response.

    A caller's own ``X-Request-ID`` is kept when it is short and plain, so that one id follows a
    document from the ERP to the model. Native to async: it costs no thread hop.
    """

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        self.metrics = HttpMetrics.get_instance()
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle one request."""
        given = request.headers.get(REQUEST_ID_HEADER, "")
        request_id = given if _ACCEPTABLE_ID.fullmatch(given) else uuid.uuid4().hex
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        span = tracing.begin("request", "SERVER", http__request__method=_method(request))
        tracing.keep_current(span)
        forget_no_charset(request)
        if request.headers.get("Content-Encoding", "").strip().lower() in {"", "identity"}:
            response = await self.get_response(request)
        else:  # nobody here would unpack it, and a validator would judge the packed bytes
            response = unsupported_coding(request)
        if isinstance(response, HttpResponseNotAllowed):
            response = method_not_allowed(request, response.headers["Allow"])
        self._report(request, response, time.perf_counter() - started)
        tracing.end(
            span,
            "" if response.status_code < 500 else str(response.status_code),
            http__response__status_code=response.status_code,
            http__route=_view(request),
            aiservice__request_id=request_id,
        )
        response.headers[REQUEST_ID_HEADER] = request_id
        return response

    async def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """Answer for a view outside DRF, such as the admin's, whose database is away.

        A page of the admin that can make nothing of its parameters is shown without them, as Django does
        where it notices: it notices neither null characters nor numbers that are no number of the database.
        """
        if isinstance(exception, DATABASE_ERRORS):
            return database_unavailable(request)
        if (
            isinstance(exception, UNUSABLE_PARAMETERS)
            and request.path.startswith(ADMIN_PREFIX)
            and request.method == "GET"
            and set(request.GET) - {ERROR_FLAG}
        ):
            log.warning(
                "admin_parameters_dropped", view=_view(request), error=type(exception).__name__
            )
            return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")
        return None

    def _report(self, request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
        view, method = _view(request), _method(request)
        self.metrics.responses_by_status_view_method.labels(
            str(response.status_code), view, method
        ).inc()
        self.metrics.requests_latency_by_view_method.labels(view, method).observe(seconds)
        log.info(
            "request",
            method=method,
            view=view,
            status=response.status_code,
            ms=round(seconds * 1000, 1),
            address=client_ip(request),
            key=getattr(request, "key_prefix", None),
        )


def _view(request: HttpRequest) -> str:
    """Return the route, not the path: paths hold session ids and would make endless label values."""
    match = request.resolver_match
    return (match.view_name or match.route) if match else "<unnamed view>"


def _method(request: HttpRequest) -> str:
    return request.method if request.method in {"GET", "POST", "DELETE"} else "other"


def forget_no_charset(request: HttpRequest) -> None:
    """Take a charset by which no text can be read (zlib, idna) as Django takes an unknown one: not given.

    Django believes every codec that Python has, and fails where it reads a form's fields.
    """
    if request.encoding is not None:
        try:
            b"a".decode(request.encoding, "replace")
        except (LookupError, UnicodeError):
            request.encoding = None  # type: ignore[assignment]  # Django's own default


class _Inline:
    """Run a Django middleware on the event loop: its steps only look at headers and cookies.

    Django would hop to a thread before and after the view for each, a fifth of a validation's time.
    """

    async def __acall__(self: Any, request: HttpRequest) -> HttpResponseBase:
        """Handle one request."""
        before = getattr(self, "process_request", None)
        response: HttpResponseBase | None = before(request) if before else None
        if response is None:
            response = await self.get_response(request)
        after: HttpResponseBase = self.process_response(request, response)
        return after


class InlineSecurityMiddleware(_Inline, SecurityMiddleware):
    """HTTPS and its headers."""


class InlineXFrameOptionsMiddleware(_Inline, XFrameOptionsMiddleware):
    """No page of ours in another's frame."""


class ContentSecurityPolicyMiddleware(_Inline, MiddlewareMixin):
    """Where a page may take scripts from: this host, none of them inline. Data is no page at all.

    A view that needs another policy, such as the chat's page, brings its own.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Add the policy of the path."""
        policy = next((p for path, p in POLICIES.items() if request.path.startswith(path)), NO_PAGE)
        response.headers.setdefault("Content-Security-Policy", policy)
        return response


class InlineCsrfViewMiddleware(_Inline, CsrfViewMiddleware):
    """No form of another's page; views that take no cookie, as the API's, are exempt."""

    async def process_view(  # type: ignore[override]  # Django calls either kind
        self, request: HttpRequest, callback: Any, *arguments: Any
    ) -> HttpResponseBase | None:
        """Look for the token, in a thread: a form's body may be large."""
        if getattr(callback, "csrf_exempt", False):
            return None
        return await sync_to_async(super().process_view)(request, callback, *arguments)


class _UnderAdmin:
    """Run a Django middleware only for the admin's own paths; pass everything else through."""

    get_response: Callable[[HttpRequest], Any]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Decide by the path; in async mode both ways return an awaitable."""
        if request.path.startswith(ADMIN_PREFIX):
            response: HttpResponse = super().__call__(request)  # type: ignore[misc]
        else:
            response = self.get_response(request)
        return response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer where a database is lost outside a view, as in keeping a session: Django would with 500."""
        try:
            response: HttpResponseBase = await super().__acall__(request)  # type: ignore[misc]
        except DATABASE_ERRORS:
            response = database_unavailable(request)
        return response


class AdminSessionMiddleware(_UnderAdmin, SessionMiddleware):
    """Sessions for the admin."""


class AdminAuthenticationMiddleware(_UnderAdmin, AuthenticationMiddleware):
    """The logged-in user for the admin."""


class AdminMessageMiddleware(_UnderAdmin, MessageMiddleware):
    """One-time messages for the admin."""
