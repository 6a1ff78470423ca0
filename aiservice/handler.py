"""Django's ASGI handler without the crossings to a thread in which there is nothing to do.

Django crosses to the request's thread when a request begins and when its response is closed, for the sake
of the thread's database connections. Here most requests have given them back by then, or never had one: a
probe, a refusal, a validation. Each crossing cost a tenth of such a request.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asgiref.sync import sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, ASGIRequest, get_script_prefix
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix

from usage import threads

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Handler(ASGIHandler):
    """Serves a request as Django's handler does; its thread is one of `usage.threads`, which end clean."""

    async def handle(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or give it up when its client leaves."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        try:
            set_script_prefix(get_script_prefix(scope))
            # On the event loop, which has no connections: those of the thread were seen to when its last
            # request ended.
            signals.request_started.send(sender=self.__class__, scope=scope)
            request, refusal = self.create_request(scope, body)
            if request is None:
                if refusal is not None:
                    await self.send_response(refusal, send)
                    refusal.close()
                return
            response = await self._answer(request, receive, send)
            if response is None:
                await _in_its_thread(signals.request_finished.send, sender=self.__class__)
            else:
                await _in_its_thread(response.close)
        finally:
            body.close()

    async def _answer(
        self, request: ASGIRequest, receive: Receive, send: Send
    ) -> HttpResponseBase | None:
        """Return the response that was sent; None if the client left before there was one."""
        leaving = asyncio.create_task(self.listen_for_disconnect(receive))
        serving = asyncio.create_task(self._serve(request, send))
        await asyncio.wait((leaving, serving), return_when=asyncio.FIRST_COMPLETED)
        for task in (leaving, serving):
            if not task.done():
                task.cancel()
        _, response = await asyncio.gather(leaving, serving, return_exceptions=True)
        if isinstance(response, asyncio.CancelledError):
            return None
        if isinstance(response, BaseException):
            raise response
        return response

    async def _serve(self, request: ASGIRequest, send: Send) -> HttpResponseBase:
        response = await self.run_get_response(request)
        # Where the client leaves, what it was being sent is still to be closed.
        with contextlib.suppress(asyncio.CancelledError):
            await self.send_response(response, send)
        return response


async def _in_its_thread(step: Callable[..., object], **named: Any) -> None:
    """Do the last step of a request, in its thread if that has a connection to be seen to."""
    if threads.is_clean():
        step(**named)
    else:
        await sync_to_async(step)(**named)
