"""Threads that outlive their request, or the message of a WebSocket.

Django gives every request a thread, starts it at the first synchronous step and joins it, from yet
another thread, at the end. Whatever is kept by thread then begins anew each time: Django's database
wrapper and, with SQLite, the connection, its functions and its prepared statements. Together that cost a
third of a validation. Nothing of a request stays in its thread: Django sets itself up per request, as it
does for WSGI servers, which have always reused theirs.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Final

from asgiref.sync import ThreadSensitiveContext
from django.db import connections

Application = Callable[[Any, Any, Any], Awaitable[None]]

# As many as are usually busy at once; a burst of streams starts more, and lets go of them.
IDLE_THREADS: Final = 16


class RequestThread(ThreadPoolExecutor):
    """One thread, which knows whether it has come to the end of its work."""

    def __init__(self) -> None:
        super().__init__(1, "request")
        self._steps: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a step after those before it."""
        step = super().submit(fn, *args, **kwargs)
        self._steps = [*(earlier for earlier in self._steps if not earlier.done()), step]
        return step

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do."""
        return all(step.done() for step in self._steps)


class Threads:
    """Those that nobody uses now."""

    def __init__(self) -> None:
        self._idle: list[RequestThread] = []

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[None]:
        """Run the synchronous steps inside in the thread that became idle last."""
        thread = self._idle.pop() if self._idle else RequestThread()
        try:
            async with ThreadSensitiveContext(executor=thread):
                yield
        finally:
            # A step cannot be cancelled with its request: whoever got its thread would wait for it.
            if thread.idle and len(self._idle) < IDLE_THREADS:
                self._idle.append(thread)
            else:
                thread.submit(connections.close_all)  # or they stay open until they are collected
                thread.shutdown(wait=False)


THREADS: Final = Threads()


class ReusedThreads:
    """ASGI middleware that lends each request a thread.

    Args:
        application: The application whose synchronous steps run in that thread.
        threads: Where it comes from.
    """

    def __init__(self, application: Application, threads: Threads = THREADS) -> None:
        self.application = application
        self.threads = threads

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one request."""
        async with self.threads.lend():
            await self.application(scope, receive, send)
