"""Calls that wait for money that others only hold."""

import asyncio
from decimal import Decimal

import pytest
from channels.db import database_sync_to_async as on_database

from tests.integration.usage.gateway.ledger_rows import rows, until
from usage.errors import BudgetExceeded
from usage.llm import Prompt, Turn, ask
from usage.models import BudgetWindow, Operation

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

QUESTION = Prompt((), (Turn("user", "¿Qué es un folio?"),), max_tokens=100)


async def one(key):
    try:
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    except BudgetExceeded:
        return False
    return True


async def costs(key):
    """Return what a call holds and what it comes to."""
    assert await one(key)
    (first,) = await rows()
    return first.held_usd, first.cost_usd


@pytest.fixture(autouse=True)
def more_than_the_breaker_lets_through(settings):
    settings.ANTHROPIC_FIRST_EVENT_TIMEOUT = 60


async def test_of_200_calls_with_holds_for_50_all_that_fit_when_settled_are_granted(
    fake_claude, key, settings
):
    held, cost = await costs(key)
    settings.BUDGET_KEY_DAY_USD, settings.BUDGET_WAIT_SECONDS = 50 * held, 60
    assert 201 * cost < 50 * held - held  # all of them fit once they are settled
    assert sum(await asyncio.gather(*(one(key) for _ in range(200)))) == 200
    window = await on_database(BudgetWindow.objects.get)(api_key=key, period="day")
    assert (window.spent_usd, window.held_usd) == (201 * cost, 0)


async def test_what_never_fits_is_refused_when_the_wait_is_over_and_nothing_is_overspent(
    fake_claude, key, settings
):
    held, cost = await costs(key)
    settings.BUDGET_KEY_DAY_USD, settings.BUDGET_WAIT_SECONDS = 3 * held, 0.5
    fake_claude.hold()
    calls = [asyncio.ensure_future(one(key)) for _ in range(20)]
    await until(lambda: sum(call.done() for call in calls) >= 18)
    assert not any(call.result() for call in calls if call.done())
    fake_claude.release()
    granted = sum(await asyncio.gather(*calls))
    assert granted == 2  # the third did not fit beside what was spent before
    window = await on_database(BudgetWindow.objects.get)(api_key=key, period="day")
    assert (window.spent_usd, window.held_usd) == (3 * cost, 0)


async def test_what_is_spent_is_not_waited_for(fake_claude, key, settings):
    await costs(key)
    settings.BUDGET_KEY_DAY_USD, settings.BUDGET_WAIT_SECONDS = Decimal("0.000001"), 60
    async with asyncio.timeout(10):
        assert not await one(key)


async def test_a_caller_that_leaves_while_it_waits_leaves_nothing_behind(
    fake_claude, key, settings
):
    held, _ = await costs(key)
    settings.BUDGET_KEY_DAY_USD, settings.BUDGET_WAIT_SECONDS = 2 * held, 60
    fake_claude.hold()
    first = asyncio.ensure_future(one(key))
    await until(lambda: fake_claude.open_streams)
    waiting = [asyncio.ensure_future(one(key)) for _ in range(3)]
    await asyncio.sleep(0.3)
    for call in waiting:
        call.cancel()
    await asyncio.wait(waiting)
    fake_claude.release()
    assert await first
    assert len(await rows()) == 2
    window = await on_database(BudgetWindow.objects.get)(api_key=key, period="day")
    assert window.held_usd == 0
