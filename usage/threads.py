"""Threads that outlive their request, or the message of a WebSocket.

Django gives every request a thread, starts it at the first synchronous step and joins it, from yet
another thread, at the end. Whatever is kept by thread then begins anew each time: Django's database
wrapper and, with SQLite, the connection, its functions and its prepared statements. Together that cost a
third of a validation. Nothing of a request stays in its thread: Django sets itself up per request, as it
does for WSGI servers, which have always reused theirs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

P = ParamSpec("P")
T = TypeVar("T")
Application = Callable[[Any, Any, Any], Awaitable[None]]

# As many as are usually busy at once; a burst of streams starts more, and lets go of them.
IDLE_THREADS: Final = 16


class RequestThread(ThreadPoolExecutor):
    """One thread, which knows whether it has come to the end of its work, and left nothing open."""

    def __init__(self) -> None:
        super().__init__(1, "request")
        self._steps: list[Future[Any]] = []
        self._holding = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a step after those before it."""
        step = super().submit(self._run, partial(fn, *args, **kwargs))
        self._steps = [*(earlier for earlier in self._steps if not earlier.done()), step]
        return step

    def _run(self, step: Callable[[], T]) -> T:
        try:
            return step()
        finally:
            self._holding = any(map(_is_due, connections.all(initialized_only=True)))

    @property
    def clean(self) -> bool:
        """Whether nothing is left to do, and no connection to be given back."""
        return self.idle and not self._holding

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do."""
        return all(step.done() for step in self._steps)


def _is_due(connection: BaseDatabaseWrapper) -> bool:
    """Tell whether a connection is one that the end of a request closes or returns to its pool."""
    return connection.connection is not None and (
        connection.close_at is not None
        or connection.errors_occurred
        or connection.in_atomic_block
        or not connection.get_autocommit()
    )


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
                token = _borrowed.set(thread)
                try:
                    yield
                finally:
                    _borrowed.reset(token)
        finally:
            # A step cannot be cancelled with its request: whoever got its thread would wait for it.
            if thread.idle and len(self._idle) < IDLE_THREADS:
                self._idle.append(thread)
            else:
                thread.submit(connections.close_all)  # or they stay open until they are collected
                thread.shutdown(wait=False)


THREADS: Final = Threads()
_borrowed: ContextVar[RequestThread | None] = ContextVar("borrowed_thread", default=None)


def is_clean() -> bool:
    """Whether the thread of this request has nothing left to do, and no connection to give back."""
    thread = _borrowed.get()
    return thread is not None and thread.clean


async def in_thread(step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a step in the request's thread, as `sync_to_async` does, at half its cost.

    Args:
        step: It sets no context variable that is read after it, and does not cross back (`async_to_sync`).
        *args: Its arguments.
        **kwargs: Its keywords.
    """
    thread = _borrowed.get()
    if thread is None:  # not under our ASGI application
        return await sync_to_async(step)(*args, **kwargs)
    work = partial(copy_context().run, step, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(thread, work)


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
