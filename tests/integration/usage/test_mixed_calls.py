"""Sixty calls of every kind, some of whose clients leave: the ledger beside the bill."""

import random

import pytest
from channels.db import database_sync_to_async as on_database

from tests.integration.usage.gateway.ledger_rows import until
from tests.load import mixed_calls
from usage.models import ApiKey

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


async def test_rows_of_clients_that_left_are_never_below_their_bill_and_little_above(
    fake_claude, settings
):
    random.seed(20261127)
    settings.ANTHROPIC_TIMEOUT, settings.ANTHROPIC_RETRIES = 3, 1
    settings.BREAKER_FAILURES = 1000
    settings.BUDGET_KEY_DAY_USD = settings.BUDGET_GLOBAL_DAY_USD = None
    key, _ = await on_database(ApiKey.objects.issue)(name="acme")
    # A process that has seen a few complete answers knows how many tokens a byte is.
    fake_claude.say(mixed_calls.ANSWER)
    for number in range(5):
        await mixed_calls.one(1_001 + 2 * number, key, "stays")
    await mixed_calls.run(fake_claude, key, 60)
    await until(lambda: fake_claude.open_streams == 0)  # a bill is written after the last word
    found = await on_database(mixed_calls.compare)(fake_claude)
    assert found.left.rows + found.left_early.rows >= 5
    assert found.left.below == found.left_early.below == found.cut.below == 0
    assert 0 <= found.gone.over <= 0.05
    assert found.complete.ledger == found.complete.bill
    assert found.silent.bill == 0 < found.silent.ledger
    assert (found.unsettled, found.windows_agree) == (0, True)
