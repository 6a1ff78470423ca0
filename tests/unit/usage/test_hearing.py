"""The clock of somebody else's silence."""

import asyncio
import time

import pytest

from usage.llm import hearing

pytestmark = pytest.mark.unit


async def test_it_goes_on_while_the_loop_listens():
    clock, loop = hearing.clock(), asyncio.get_running_loop()
    began, heard = loop.time(), clock.time()
    await asyncio.sleep(3 * hearing.TICK_SECONDS)

    assert 0 < clock.time() - heard <= loop.time() - began


async def test_it_stands_still_while_the_loop_is_busy():
    clock = hearing.clock()
    heard = clock.time()
    for _ in range(2):
        time.sleep(10 * hearing.TICK_SECONDS)  # noqa: ASYNC251 - what a busy process does
        assert clock.time() - heard < 4 * hearing.TICK_SECONDS
        await asyncio.sleep(0)


async def test_nobody_who_asks_costs_no_timer(monkeypatch):
    monkeypatch.setattr(hearing, "UNASKED_SECONDS", 0.0)
    clock = hearing.Hearing()
    first = clock.time()
    await asyncio.sleep(2 * hearing.TICK_SECONDS)
    assert not clock._ticking
    assert clock.time() >= first


def test_every_loop_has_its_own():
    async def clock():
        return hearing.clock()

    assert asyncio.run(clock()) is not asyncio.run(clock())
