"""Calls that are too large, and the client's own end."""

from decimal import Decimal

import pytest
from channels.db import database_sync_to_async as on_database
from django.utils import timezone

from tests.integration.usage.gateway.ledger_rows import QUESTION, SYSTEM, row, rows
from usage.accounting import prices
from usage.accounting.remembered import memory
from usage.errors import CallTooLarge, ModelUnavailable
from usage.llm import Prompt, Turn, ask, runtime, status
from usage.models import ModelPrice, Operation
from usage.money import dollars

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}},
    "required": ["text"],
    "additionalProperties": False,
}


async def test_more_output_than_the_model_can_give_is_refused(fake_claude, key, settings):
    settings.MAX_TOKENS_PER_REQUEST = 10_000_000
    prompt = Prompt((), QUESTION.turns, max_tokens=128_001)
    with pytest.raises(CallTooLarge) as refusal:
        await ask(prompt, api_key=key, operation=Operation.CHAT_REPLY)
    assert refusal.value.facts == {
        "exceeds": "max_tokens",
        "estimated_tokens": 128_001,
        "limit_tokens": 128_000,
    }
    assert not fake_claude.requests
    assert await rows() == []


async def test_more_than_the_models_context_is_refused(fake_claude, key, settings):
    settings.MAX_TOKENS_PER_REQUEST = 10_000_000
    settings.MAX_ESTIMATED_COST_PER_REQUEST = None
    prompt = Prompt((), (Turn("user", "palabra " * 550_000),), max_tokens=100)
    with pytest.raises(CallTooLarge) as refusal:
        await ask(prompt, api_key=key, operation=Operation.CHAT_REPLY)
    assert refusal.value.facts["exceeds"] == "context"
    assert not fake_claude.requests


async def test_a_call_dearer_than_one_may_be_is_refused_with_both_numbers(
    fake_claude, key, settings
):
    settings.MAX_ESTIMATED_COST_PER_REQUEST = Decimal("0.004")
    with pytest.raises(CallTooLarge) as refusal:
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert refusal.value.facts["limit_usd"] == "0.004"
    estimated = Decimal(refusal.value.facts["estimated_cost_usd"])
    assert estimated > Decimal("0.004")
    told = f"puede costar hasta {dollars(estimated)} USD y el máximo para una sola es 0,004 USD."
    assert told in str(refusal.value.detail)
    assert not fake_claude.requests


async def test_a_price_that_was_deleted_while_it_was_remembered_is_read_anew(fake_claude, key):
    await on_database(prices.current)("claude-sonnet-5-5")
    await on_database(delete_and_seed_prices)()
    reply = await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert reply.cost_usd == fake_claude.billed_usd


def delete_and_seed_prices():
    """As another process would: without a signal to this one."""
    remembered = memory.get(f"price:{timezone.localdate()}:claude-sonnet-5-5")
    ModelPrice.objects.all()._raw_delete("default")
    prices.seed()
    memory.set(f"price:{timezone.localdate()}:claude-sonnet-5-5", remembered)


async def test_an_answer_cut_before_it_follows_its_schema_is_no_answer_but_is_paid(
    fake_claude, key
):
    prompt = Prompt(SYSTEM, QUESTION.turns, max_tokens=5, schema=SCHEMA)
    with pytest.raises(ModelUnavailable) as refusal:
        await ask(prompt, api_key=key, operation=Operation.DTE_REVIEW)
    assert refusal.value.get_codes() == "invalid_answer"
    assert (await row()).cost_usd == fake_claude.billed_usd > 0


async def test_a_changed_configuration_takes_a_new_client(fake_claude, settings):
    first = runtime.current().clients.get()
    assert runtime.current().clients.get() is first
    settings.ANTHROPIC_API_KEY = "sk-ant-other"
    assert runtime.current().clients.get() is not first


def test_without_a_key_the_state_says_so(settings):
    settings.ANTHROPIC_API_KEY = ""
    assert status() == {"status": "not_configured", "fallback": "offline"}
