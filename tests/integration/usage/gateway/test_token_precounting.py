"""The provider's own count before a call: asked only where the local bound is too coarse to decide."""

from decimal import Decimal

import pytest

from tests.fake_claude import Script
from tests.integration.usage.gateway.ledger_rows import QUESTION, until
from usage.errors import BudgetExceeded, CallTooLarge, ModelUnavailable
from usage.llm import ask, breaker_states
from usage.models import Operation

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


async def test_near_a_limit_the_providers_own_count_decides(fake_claude, key, settings):
    """The local bound is over the limit, the true number is not."""
    settings.MAX_TOKENS_PER_REQUEST = 3000
    reply = await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert reply.text
    assert len(fake_claude.counted) == 1


async def test_an_ordinary_call_is_not_counted_first(fake_claude, key):
    await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert not fake_claude.counted


async def test_while_the_provider_is_suspected_it_is_not_asked_to_count(fake_claude, key, settings):
    settings.BREAKER_FAILURES, settings.BREAKER_SECONDS = 1, 0.01
    fake_claude.then(Script(status=500))
    with pytest.raises(ModelUnavailable):
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    await until(lambda: breaker_states()["claude-sonnet-5-5"] == "half_open")
    settings.MAX_TOKENS_PER_REQUEST = 3000
    with pytest.raises(CallTooLarge):
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert not fake_claude.counted


async def test_for_a_budget_that_is_used_up_nothing_is_counted(fake_claude, key, settings):
    settings.BUDGET_KEY_DAY_USD = Decimal("0.000001")
    with pytest.raises(BudgetExceeded):
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert not fake_claude.counted
