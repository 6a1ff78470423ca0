"""Requests share a few threads, step by step."""

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections

from usage.threads import THREADS_AT_MOST, ReusedThreads, Threads

pytestmark = pytest.mark.unit


async def ask(app, *steps):
    await app({"steps": steps}, None, None)


@pytest.fixture
def app():
    """The middleware around an application that does what its scope says, one step after another."""

    async def endpoint(scope, receive, send):
        for step in scope["steps"]:
            await sync_to_async(step)()

    return ReusedThreads(endpoint, Threads())


@pytest.mark.django_db  # the application looks for the prices of its models when it is imported
def test_the_service_lends_its_threads():
    from aiservice.asgi import application as service

    assert isinstance(service.application_mapping["http"], ReusedThreads)


async def test_hundreds_of_requests_take_a_few_threads(app):
    used, at_once, most = set(), [0], [0]
    lock = threading.Lock()

    def step():
        with lock:
            used.add(threading.get_ident())
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        threading.Event().wait(0.001)
        with lock:
            at_once[0] -= 1

    await asyncio.gather(*(ask(app, step, step, step) for _ in range(500)))

    assert len(used) <= THREADS_AT_MOST
    assert most[0] <= THREADS_AT_MOST


async def test_whoever_came_first_is_served_first(app):
    free, order = threading.Event(), []
    held = [asyncio.ensure_future(ask(app, free.wait)) for _ in range(THREADS_AT_MOST)]
    await asyncio.sleep(0)
    waiting = []
    for number in range(50):
        waiting.append(asyncio.ensure_future(ask(app, lambda number=number: order.append(number))))
        await asyncio.sleep(0)
    free.set()
    await asyncio.gather(*held, *waiting)

    # So many are taken out of the line together, and may overtake each other.
    assert all(abs(place - number) < THREADS_AT_MOST for place, number in enumerate(order))
    assert sorted(order) == list(range(50))


async def test_the_steps_of_one_request_follow_each_other(app):
    inside, seen = threading.Lock(), []

    def step(number):
        assert inside.acquire(blocking=False)
        seen.append(number)
        inside.release()

    async def together(scope, receive, send):
        await asyncio.gather(*(sync_to_async(step)(number) for number in range(100)))

    await ReusedThreads(together, Threads())({}, None, None)

    assert seen == list(range(100))


async def test_what_fails_is_told_and_the_next_step_runs(app):
    def fail():
        raise ValueError("theirs")

    for _ in range(2 * THREADS_AT_MOST):
        with pytest.raises(ValueError, match="theirs"):
            await ask(app, fail)
    await ask(app, int)


async def test_a_step_whose_request_has_left_is_not_run(app):
    free, ran = threading.Event(), []
    held = [asyncio.ensure_future(ask(app, free.wait)) for _ in range(THREADS_AT_MOST)]
    await asyncio.sleep(0)
    left = asyncio.ensure_future(ask(app, lambda: ran.append("left")))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.wait([left])
    free.set()
    await asyncio.gather(*held)
    await ask(app, int)

    assert ran == []


async def test_a_step_that_does_not_end_holds_up_nobody_else(app):
    begun, end = threading.Event(), threading.Event()

    def work():
        begun.set()
        end.wait(20)

    request = asyncio.ensure_future(ask(app, work))
    await asyncio.to_thread(begun.wait, 20)
    for _ in range(2):
        request.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await request
    try:
        async with asyncio.timeout(10):
            for _ in range(THREADS_AT_MOST):
                await ask(app, int)
    finally:
        end.set()


@pytest.mark.django_db(transaction=True)
async def test_a_connection_is_given_back_with_the_step_that_took_it(app):
    held = []

    def take():
        connection.ensure_connection()
        connection.close_at = 0  # as with PostgreSQL, whose connections go back to the pool
        held.append(connection.connection is not None)

    def look():
        held.append(any(one.connection for one in connections.all(initialized_only=True)))

    await ask(app, take, *[look] * 5)

    assert held == [True, False, False, False, False, False]
