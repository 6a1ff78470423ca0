"""The chat over a WebSocket: one question at a time, answered with the same events as SSE.

The client sends ``{"message": …, "session_id"?: …, "user_context"?: …}``, or ``{"type": "stop"}`` to
cut the answer that is being given.
"""

import asyncio
import contextlib
import json
import uuid
from collections.abc import MutableMapping
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
from rest_framework.exceptions import APIException, AuthenticationFailed, ValidationError

from chat.answering.exchange import Question
from chat.engine import answer
from chat.events import Event, Failed, kept_alive
from chat.views import question_from
from usage.access import limits
from usage.access.keys import find_key
from usage.errors import DatabaseUnavailable, RequestRateExceeded
from usage.http.parsers import load_json
from usage.models import ApiKey
from usage.threads import THREADS

log = structlog.get_logger(__name__)

# A browser cannot set headers on a WebSocket; it can offer subprotocols, the second being the key.
SUBPROTOCOL: Final = "aiservice.bearer"
UNAUTHORIZED: Final = 4401
TOO_MANY_REQUESTS: Final = 4429
TRY_AGAIN_LATER: Final = 1013  # in the registry of RFC 6455

STOPPED: Final = Failed({"detail": "Respuesta detenida.", "code": "stopped"}, 499)

Scope = MutableMapping[str, Any]


class OriginIfPresent(OriginValidator):  # type: ignore[misc]
    """Refuse browsers that come from another site.

    Programs send no Origin and are judged by their key alone; a browser always sends one.
    """

    def __init__(self, application: Any) -> None:
        super().__init__(application, settings.ALLOWED_HOSTS)

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        """Tell whether the connection may be opened."""
        return parsed_origin is None or bool(super().valid_origin(parsed_origin))


class ChatConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One socket."""

    api_key: ApiKey | None = None
    reply: "asyncio.Task[None] | None" = None

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
            found: ApiKey = await database_sync_to_async(find_key)(secret)
        except AuthenticationFailed:
            await sync_to_async(caller.failed, thread_sensitive=False)()
            raise
        return found

    async def _refuse(self, exc: Exception) -> None:
        """Say why nothing is answered, and close the socket where asking again would not help."""
        refusal = exc if isinstance(exc, APIException) else DatabaseUnavailable()
        await self.send_event(Failed.from_refusal(refusal))
        if isinstance(exc, AuthenticationFailed):
            await self.close(UNAUTHORIZED)
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
        busy = self.reply is not None and not self.reply.done()
        if data.get("type") == "stop":
            if busy:
                await self.stop()
                await self.send_event(STOPPED)
            return
        if busy:
            raise ValidationError("Ya se está respondiendo una pregunta.", code="busy")
        await database_sync_to_async(find_key)(_secret(self.scope))  # revoked or expired since?
        await limits.acheck(api_key, limits.client_ip(self.scope))
        self.reply = asyncio.create_task(self._answer(question_from(data, api_key)))

    async def _answer(self, question: Question) -> None:
        structlog.contextvars.bind_contextvars(request_id=uuid.uuid4().hex)  # this task's own
        async with (
            THREADS.lend(),
            aclosing(kept_alive(answer(question, streaming=True))) as events,
        ):
            async for event in events:
                await self.send_event(event)

    async def send_event(self, event: Event) -> None:
        await self.send(json.dumps(event.as_dict(), ensure_ascii=False))

    async def stop(self) -> None:
        """Cancel the answer that is being given and wait until its cost is settled."""
        if self.reply is not None:
            self.reply.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.reply

    async def disconnect(self, code: int) -> None:
        """Stop paying for an answer that nobody reads."""
        await self.stop()


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
