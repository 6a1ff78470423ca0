"""A few threads for the synchronous steps of all requests and WebSockets.

Django gives every request a thread, starts it at the first synchronous step and joins it, from yet
another thread, at the end. Whatever is kept by thread then begins anew each time: Django's database
wrapper and, with SQLite, the connection, its functions and its prepared statements. Together that cost a
third of a validation. And five hundred streams were five hundred threads, which fought for the
interpreter and stood in line for ten database connections. Here a step runs in whichever thread is free,
and waits for one in the order of its coming; a stream that only listens holds none. Nothing of a request
stays in a thread: Django sets itself up per request, as it does for WSGI servers, which have always
reused theirs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from threading import Lock
from typing import Any, Final, ParamSpec, TypeVar

from asgiref.sync import ThreadSensitiveContext
from channels.db import database_sync_to_async
from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")
Application = Callable[[Any, Any, Any], Awaitable[None]]

# More steps than the database has connections for, by default, would only wait for one.
THREADS_AT_MOST: Final = 16


class Steps(Executor):
    """The synchronous steps of one request: one after the other, each in whichever thread is free.

    Args:
        threads: Those that all requests share.
    """

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self._threads = threads
        self._lock = Lock()
        self._waiting: list[tuple[Future[Any], Callable[[], Any]]] = []
        self._at_work = False

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do; then no thread holds a connection for them either."""
        return not self._at_work

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a step after those before it."""
        step: Future[T] = Future()
        with self._lock:
            self._waiting.append((step, partial(fn, *args, **kwargs)))
            begin, self._at_work = not self._at_work, True
        if begin:
            self._threads.submit(self._run)
        return step

    def _run(self) -> None:
        """Run the next step, and give the thread to whoever else waits before the one after it."""
        with self._lock:
            step, work = self._waiting.pop(0)
        tell: Callable[[], None] | None = None
        if step.set_running_or_notify_cancel():  # who has left meanwhile costs nothing
            tell = _done(step, work)
        with self._lock:
            self._at_work = bool(self._waiting)
        if self._at_work:
            self._threads.submit(self._run)
        if tell is not None:
            tell()


def _done(step: Future[T], work: Callable[[], T]) -> Callable[[], None]:
    """Do the work of a step and give the thread's connections back; return what tells who waits for it."""
    try:
        try:
            result = work()
        finally:
            for connection in connections.all(initialized_only=True):
                connection.close_if_unusable_or_obsolete()
    except BaseException as exc:  # noqa: BLE001 - whoever waits for it is told
        return partial(step.set_exception, exc)
    return partial(step.set_result, result)


class Threads:
    """The threads of a process."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS_AT_MOST, "request")

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[None]:
        """Run the synchronous steps inside in these threads."""
        steps = Steps(self._pool)
        async with ThreadSensitiveContext(executor=steps):
            token = _lent.set(steps)
            try:
                yield
            finally:
                _lent.reset(token)


THREADS: Final = Threads()
_lent: ContextVar[Steps | None] = ContextVar("lent_threads", default=None)


def is_clean() -> bool:
    """Whether this request has no step left to do, and no connection to give back."""
    steps = _lent.get()
    return steps is not None and steps.idle


async def in_thread(step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a step of the request, as `database_sync_to_async` does, at half its cost.

    Args:
        step: It sets no context variable that is read after it, and does not cross back (`async_to_sync`).
        *args: Its arguments.
        **kwargs: Its keywords.
    """
    steps = _lent.get()
    if steps is None:  # not under our ASGI application
        result: T = await database_sync_to_async(step)(*args, **kwargs)
        return result
    work = partial(copy_context().run, step, *args, **kwargs)
    return await asyncio.get_running_loop().run_in_executor(steps, work)


class ReusedThreads:
    """ASGI middleware that lends each request threads.

    Args:
        application: The application whose synchronous steps run in them.
        threads: Where they come from.
    """

    def __init__(self, application: Application, threads: Threads = THREADS) -> None:
        self.application = application
        self.threads = threads

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle one request."""
        async with self.threads.lend():
            await self.application(scope, receive, send)
