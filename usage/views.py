"""The base of every endpoint that costs something."""

from typing import Any

from adrf.views import APIView
from django.db import connections
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from usage import limits
from usage.models import ApiKey


def give_connections_back() -> None:
    """Return this thread's database connections to the pool, as the end of a request does.

    Not those inside a transaction: `django.db.close_old_connections` would end it, which in a test
    is the transaction that the whole test runs in.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


class JsonAnyway(DefaultContentNegotiation):
    """Answers in the first renderer's format when the caller asks for one that we do not have.

    A client of a stream sends ``Accept: text/event-stream``; DRF would refuse it with 406 before the
    view could answer with its stream.
    """

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer and media type of the answer."""
        try:
            chosen: tuple[BaseRenderer, str] = super().select_renderer(
                request, renderers, format_suffix
            )
            return chosen
        except NotAcceptable:
            first: BaseRenderer = renderers[0]
            return first, first.media_type


class MeteredAPIView(APIView):  # type: ignore[misc]  # adrf ships no types
    """Needs an API key, is rate limited, and holds no database connection while its handler awaits.

    Key, permission and limit are checked in one hop into the request's thread; the connection that
    this took goes back to the pool before the handler starts. An ``async def`` handler reaches the
    ORM through ``channels.db.database_sync_to_async``, which gives it back after every step.
    """

    content_negotiation_class = JsonAnyway

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check key, permission and limit, then let go of the database."""
        try:
            super().initial(request, *args, **kwargs)
        finally:
            give_connections_back()

    def check_throttles(self, request: Request) -> None:
        """Apply the rate limit; DRF's own throttles are not atomic and let a burst through."""
        if isinstance(request.auth, ApiKey):  # a view may open itself to callers without a key
            limits.check(request.auth, limits.client_ip(request))
