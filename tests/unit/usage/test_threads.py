"""Requests share threads, one at a time."""

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async

from usage import threads
from usage.threads import ReusedThreads, Threads

pytestmark = pytest.mark.unit


def application():
    """Return the middleware around an application, and the thread that each of its requests got."""
    used = []

    async def endpoint(scope, receive, send):
        first = await sync_to_async(threading.get_ident)()
        await asyncio.sleep(scope["seconds"])
        assert await sync_to_async(threading.get_ident)() == first
        used.append(first)
        if scope["seconds"] < 0:
            raise ValueError

    return ReusedThreads(endpoint, Threads()), used


async def ask(app, seconds=0.0):
    await app({"seconds": seconds}, None, None)


@pytest.mark.django_db  # the application looks for the prices of its models when it is imported
def test_the_service_lends_its_threads():
    from aiservice.asgi import application as service

    assert isinstance(service.application_mapping["http"], ReusedThreads)


async def test_one_request_after_another_uses_the_same_thread():
    app, used = application()
    for _ in range(3):
        await ask(app)
    with pytest.raises(ValueError):  # noqa: PT011 - raised by the application above
        await ask(app, -1)
    await ask(app)
    assert len(used) == 5
    assert len(set(used)) == 1


async def test_requests_at_the_same_time_do_not_wait_for_each_other(monkeypatch):
    monkeypatch.setattr(threads, "IDLE_THREADS", 2)
    app, used = application()
    await asyncio.gather(*(ask(app, 0.05) for _ in range(5)))
    assert len(set(used)) == 5
    used.clear()
    await asyncio.gather(*(ask(app, 0.05) for _ in range(2)))
    for _ in range(3):
        await ask(app)
    assert len(set(used)) == 2  # only those that were kept


async def test_a_thread_still_at_work_for_a_cancelled_request_is_not_lent():
    begun, end = threading.Event(), threading.Event()

    def work():
        begun.set()
        end.wait(20)

    async def endpoint(scope, receive, send):
        try:
            await sync_to_async(scope["step"])()
        except asyncio.CancelledError:
            await sync_to_async(int)()  # cancelled too, before the thread comes to it
            raise

    app = ReusedThreads(endpoint, Threads())
    request = asyncio.ensure_future(app({"step": work}, None, None))
    await asyncio.to_thread(begun.wait, 20)
    for _ in range(2):
        request.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await request
    try:
        async with asyncio.timeout(10):
            await app({"step": int}, None, None)
    finally:
        end.set()
