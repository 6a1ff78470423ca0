"""The chat over a WebSocket: one question at a time, answered with the same events as SSE.

The client sends a question, as to REST, or ``{"type": "stop"}`` to end the answer that is being given,
``{"type": "resume", "session_id": …, "last_event_id"?: …}`` to go on reading one, ``{"type": "ping"}`` to
hear ``pong``. docs/websocket.md says it to integrators.
"""

import asyncio
import contextlib
import json
import uuid
from collections.abc import Coroutine, MutableMapping
from contextlib import aclosing
from typing import Any, Final
from urllib.parse import ParseResult

import structlog
from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.security.websocket import OriginValidator
from django.conf import settings
from django.db import InterfaceError, OperationalError
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    PermissionDenied,
    ValidationError,
)

from chat.events import Begun, Failed, Last, Sent, Text
from chat.live import asking
from chat.live.asking import Events
from chat.serializers import ResumeSerializer
from chat.views.asking import question_from
from usage.access import limits
from usage.access.address import exact_ip
from usage.access.keys import admit
from usage.errors import DatabaseUnavailable, RequestRateExceeded
from usage.http.parsers import load_json
from usage.models import ApiKey
from usage.models.scope import Scope as KeyScope
from usage.threads import THREADS

log = structlog.get_logger(__name__)

# A browser cannot set headers on a WebSocket; it can offer subprotocols, the second being the key.
SUBPROTOCOL: Final = "aiservice.bearer"
UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
TOO_MANY_REQUESTS: Final = 4429
TRY_AGAIN_LATER: Final = 1013  # in the registry of RFC 6455

_encode: Final = json.JSONEncoder(ensure_ascii=False).encode

Scope = MutableMapping[str, Any]


class OriginIfPresent(OriginValidator):  # type: ignore[misc]
    """Refuse browsers that come from another site, unless it is allowed (``ALLOWED_ORIGINS``).

    Programs send no Origin and are judged by their key alone; a browser always sends one.
    """

    def __init__(self, application: Any) -> None:
        super().__init__(application, [*settings.ALLOWED_HOSTS, *settings.ALLOWED_ORIGINS])

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        """Tell whether the connection may be opened."""
        return parsed_origin is None or bool(super().valid_origin(parsed_origin))


class ChatConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One socket."""

    api_key: ApiKey | None = None
    reply: "asyncio.Task[None] | None" = None
    session_id = ""

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handle one message in a thread lent for it: a socket that only listens holds none."""
        async with THREADS.lend():
            await super().dispatch(message)

    async def connect(self) -> None:
        """Accept first: only an open socket can be closed with a code that the client gets to see."""
        offered = self.scope.get("subprotocols", [])
        await self.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        try:
            self.api_key = await self._admit()
        except (APIException, OperationalError, InterfaceError) as exc:
            await self._refuse(exc)
            if isinstance(exc, OperationalError | InterfaceError):
                await self.close(TRY_AGAIN_LATER)

    async def _admit(self) -> ApiKey:
        secret = _secret(self.scope)
        caller = limits.Caller(limits.Limited.CHAT, secret, limits.client_ip(self.scope))
        caller.refuse_known()
        try:
            found: ApiKey = await self._find_key()
        except AuthenticationFailed:
            await sync_to_async(caller.failed, thread_sensitive=False)()
            raise
        return found

    async def _find_key(self) -> ApiKey:
        address = exact_ip(self.scope)
        found: ApiKey = await database_sync_to_async(admit)(
            _secret(self.scope), KeyScope.CHAT, address
        )
        return found

    async def _refuse(self, exc: Exception) -> None:
        """Say why nothing is answered, and close the socket where asking again would not help."""
        refusal = exc if isinstance(exc, APIException) else DatabaseUnavailable()
        await self.send(_encode(Failed.from_refusal(refusal).as_dict()))
        if isinstance(exc, AuthenticationFailed):
            await self.close(UNAUTHORIZED)
        elif isinstance(exc, PermissionDenied):
            await self.close(FORBIDDEN)
        elif isinstance(exc, RequestRateExceeded):
            await self.close(TOO_MANY_REQUESTS)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Take what the client sends; an answer runs in a task, so that the socket goes on listening."""
        if self.api_key is None:
            return  # being closed
        try:
            await self._handle(_parse(text_data), self.api_key)
        except (APIException, OperationalError, InterfaceError) as exc:
            await self._refuse(exc)

    async def _handle(self, data: dict[str, Any], api_key: ApiKey) -> None:
        kind = data.get("type", "message")
        busy = self.reply is not None and not self.reply.done()
        if kind == "ping":
            await self.send('{"type": "pong"}')
            return
        if kind == "stop":
            if busy and self.session_id:
                await asking.stop(api_key, self.session_id)  # its last event says so
            return
        if kind not in ("message", "resume"):
            raise ValidationError("No se conoce ese tipo de mensaje.", code="invalid")
        if busy:
            raise ValidationError("Ya se está respondiendo una pregunta.", code="busy")
        api_key = await self._find_key()  # revoked, expired or changed since?
        await limits.acheck(api_key, limits.client_ip(self.scope))
        if kind == "resume":
            form = ResumeSerializer(data=data)
            form.is_valid(raise_exception=True)
            self.session_id = form.validated_data["session_id"]
            events = self._resume(api_key, form.validated_data.get("last_event_id") or "")
        else:
            question = question_from(data, api_key)
            self.session_id = question.session_id
            events = asking.ask(question, streaming=True)
        self.reply = asyncio.create_task(self._answer(events))

    async def _resume(self, api_key: ApiKey, last_event_id: str) -> Events:
        events = await asking.resume(api_key, self.session_id, last_event_id)
        return events if events is not None else self._idle()

    async def _idle(self) -> Events:
        yield Last({"type": "idle", "session_id": self.session_id})

    async def _answer(self, asked: Coroutine[Any, Any, Events]) -> None:
        structlog.contextvars.bind_contextvars(request_id=uuid.uuid4().hex)  # this task's own
        try:
            async with THREADS.lend():  # for as long as the database is asked
                events = await asked
        except (APIException, OperationalError, InterfaceError) as exc:
            await self._refuse(exc)
            return
        async with aclosing(events):
            async for event in events:
                await self.send_event(event)

    async def send_event(self, event: Sent) -> None:
        match event:
            case Begun():
                return  # the first text carries the id
            case Text():  # what there are many of: a string is encoded faster than an object
                text = _encode(event.content)
                await self.send(
                    f'{{"type": "text", "content": {text}, "id": "{event.id}", "seq": {event.seq}}}'
                )
            case _:
                await self.send(_encode(event.as_dict()))

    async def disconnect(self, code: int) -> None:
        """Leave the answer that is being given; whoever comes back for it may still find it."""
        if self.reply is not None:
            self.reply.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.reply


def _secret(scope: Scope) -> str:
    headers: dict[bytes, bytes] = dict(scope.get("headers", []))
    scheme, _, secret = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return secret.strip()
    if b"x-api-key" in headers:
        return headers[b"x-api-key"].decode("latin-1")
    offered: list[str] = list(scope.get("subprotocols", []))
    if SUBPROTOCOL in offered[:-1]:
        return offered[offered.index(SUBPROTOCOL) + 1]
    raise AuthenticationFailed("Falta la clave de API.", code="not_authenticated")


def _parse(text: str | None) -> dict[str, Any]:
    if text is None:
        raise ValidationError("El mensaje debe ser texto JSON.", code="parse_error")
    data = load_json(text)
    if not isinstance(data, dict):
        raise ValidationError("El mensaje debe ser un objeto JSON.", code="invalid")
    return data
