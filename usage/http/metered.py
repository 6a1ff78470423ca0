"""The base of every endpoint that costs something."""

import math
from typing import Any, ClassVar

from channels.db import database_sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import AuthenticationFailed, NotAcceptable, NotAuthenticated
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request

from usage.access.address import client_ip
from usage.access.keys import prefix_of, secret_of
from usage.access.limits import Caller, Limited
from usage.errors import RequestRateExceeded, error_body
from usage.hops import finish, give_connections_back
from usage.http import idempotency
from usage.http.answering import AsyncAPIView, rendered
from usage.http.idempotency import Claim, conclude, conclude_at_once
from usage.models import ApiKey
from usage.models.scope import Scope
from usage.threads import in_thread


class JsonAnyway(DefaultContentNegotiation):
    """Answers in the first renderer's format when the caller asks for one that we do not have.

    A client of a stream sends ``Accept: text/event-stream``; DRF would refuse it with 406 before the
    view could answer with its stream.
    """

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer and media type of the answer."""
        first: BaseRenderer = renderers[0]
        asked = request.headers.get("Accept", "*/*")
        if asked in (first.media_type, "*/*") and "format" not in request.META["QUERY_STRING"]:
            return first, first.media_type
        try:
            chosen: tuple[BaseRenderer, str] = super().select_renderer(
                request, renderers, format_suffix
            )
            return chosen
        except NotAcceptable:
            return first, first.media_type


class _Replay(Exception):  # noqa: N818  # not an error: the answer was given before
    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.response = response


class MeteredAPIView(AsyncAPIView):
    """Needs an API key with a scope, is rate limited, and holds no database connection while its handler awaits.

    Limit, key and permission are checked in one hop into the request's thread, the limit first: no
    connection is held while Redis is asked, and whoever is over costs no query. The connection that the
    rest took goes back to the pool before an ``async def`` handler starts, which reaches the ORM
    through ``channels.db.database_sync_to_async``, which gives it back after every step.
    """

    content_negotiation_class = JsonAnyway
    scope: ClassVar[Scope | None] = (
        None  # every route names one: tests/unit/aiservice/test_scopes.py
    )
    limited_as: ClassVar[Limited] = Limited.READS
    caller: Caller
    claim: Claim | None = None  # on the request's Idempotency-Key, if it has one

    async def begin(self, request: Request) -> HttpResponseBase | None:
        """Check the request in its thread: this asks Redis and the database."""
        return await in_thread(self._checked, request)

    def _checked(self, request: Request) -> HttpResponseBase | None:
        self.initial(request, *self.args, **self.kwargs)
        return self.at_once(request)

    def at_once(self, request: Request) -> HttpResponseBase | None:
        """Return the answer of a request that waits for nobody else, in the hop in which it is checked.

        None: its handler is to answer.
        """
        return None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check limit, key and permission, and claim the idempotency key."""
        self.headers.update(self.caller.take())
        try:
            super().initial(request, *args, **kwargs)
            if isinstance(request.auth, ApiKey):
                self.caller.succeeded(request.auth)
            key = request.headers.get(idempotency.HEADER)
            if key is not None and request.method == "POST" and isinstance(request.auth, ApiKey):
                self._claim(request, request.auth, key)
        except (AuthenticationFailed, NotAuthenticated):
            give_connections_back()  # before Redis is asked
            self.caller.failed()
            raise

    def _claim(self, request: Request, api_key: ApiKey, key: str) -> None:
        found = idempotency.claim(request._request, api_key, key)
        if isinstance(found, HttpResponse):
            raise _Replay(found)
        self.claim = found

    def handle_exception(self, exc: Exception) -> Any:
        """Answer a repeated request with what the first one was answered."""
        if isinstance(exc, RequestRateExceeded):
            self.headers.update(exc.headers)
        return exc.response if isinstance(exc, _Replay) else super().handle_exception(exc)

    async def async_dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Serve an ``async def`` handler, and keep its answer if its key was claimed."""
        if (refusal := self._refusal(request)) is not None:
            return refusal
        try:
            response = await super().async_dispatch(request, *args, **kwargs)
        except BaseException:  # cancelled, for the client left
            if idempotency.HEADER in request.headers:
                # In the request's own thread, which may be claiming the key at this moment.
                await finish(database_sync_to_async(self._give_up)())
            raise
        return response if self.claim is None else await conclude(self.claim, response)

    def _give_up(self) -> None:
        if self.claim is not None:
            self.claim.give_up()

    def sync_dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Serve a plain handler, and keep its answer if its key was claimed."""
        if (refusal := self._refusal(request)) is not None:
            return refusal
        try:
            response = rendered(super().sync_dispatch(request, *args, **kwargs))
            return response if self.claim is None else conclude_at_once(self.claim, response)
        finally:
            give_connections_back()

    def _refusal(self, request: HttpRequest) -> HttpResponse | None:
        """Refuse whom this process knows to be over, before DRF is put to work."""
        secret = secret_of(request)
        request.key_prefix = prefix_of(secret)  # type: ignore[attr-defined]  # for the access line
        self.caller = Caller(self.limited_as, secret, client_ip(request))
        try:
            self.caller.refuse_known()
        except RequestRateExceeded as exc:
            return HttpResponse(
                JSONRenderer().render(error_body(exc)),
                content_type="application/json",
                status=exc.status_code,
                headers={**exc.headers, "Retry-After": str(math.ceil(exc.wait or 1))},
            )
        return None
