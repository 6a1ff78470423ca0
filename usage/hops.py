"""Crossing from the event loop to the database and back.

Ledger work runs on a few threads of its own: it is bounded, it waits for nobody's request thread, and
it still works while a cancelled request is being torn down. Each hop gives its connection back.
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.db import close_old_connections, connections

P = ParamSpec("P")
T = TypeVar("T")

_THREADS: Final = 4
# Bytes that are parsed in a few milliseconds whatever they are.
SMALL: Final = 16_384

# None: the request's own thread, which a test needs when it lives in one transaction.
executor: ThreadPoolExecutor | None = ThreadPoolExecutor(_THREADS, thread_name_prefix="ledger")

_under_way: set[asyncio.Task[Any]] = set()


async def hop(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a synchronous function that uses the database."""
    if executor is None:
        result: T = await database_sync_to_async(function)(*args, **kwargs)
        return result
    # As asgiref does, but for what only the request's own thread needs.
    step = partial(_between_connections, partial(function, *args, **kwargs))
    return await asyncio.get_running_loop().run_in_executor(executor, copy_context().run, step)


def _between_connections(step: Callable[[], T]) -> T:
    close_old_connections()
    try:
        return step()
    finally:
        close_old_connections()


async def apart(size: int, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a step that takes long when its input is large: then in the request's thread.

    Args:
        size: Of the input, in bytes; a small one is not worth the crossing.
        function: The step; it does not use the database.
        *args: Its arguments.
        **kwargs: Its keywords.
    """
    if size <= SMALL:
        return function(*args, **kwargs)
    return await sync_to_async(function)(*args, **kwargs)


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Await work that must not be cut short: if the caller is cancelled, it goes on without it."""
    task = asyncio.ensure_future(work)
    _under_way.add(task)  # the loop itself keeps only a weak reference
    task.add_done_callback(_under_way.discard)
    return await asyncio.shield(task)


def give_connections_back() -> None:
    """Return this thread's database connections to the pool, as the end of a request does.

    Not those inside a transaction: `django.db.close_old_connections` would end it, which in a test
    is the transaction that the whole test runs in.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
