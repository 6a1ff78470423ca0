"""The provider's cache of prompts: a stable prefix is written once and read by the calls after it."""

import asyncio

import pytest

from tests.fake_claude import Script
from tests.integration.usage.gateway.ledger_rows import (
    QUESTION,
    SYSTEM,
    row,
    rows,
    until,
)
from usage.errors import ModelUnavailable
from usage.llm import Prompt, Reply, Turn, ask
from usage.models import Operation

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


async def test_the_second_call_reads_the_stable_prefix_from_the_cache(fake_claude, key):
    first = await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    other = Prompt(SYSTEM, (Turn("user", "¿Y qué es un CAF?"),), max_tokens=500)
    second = await ask(other, api_key=key, operation=Operation.CHAT_REPLY)
    assert first.usage.cache_write_5m_tokens > 512
    assert second.usage.cache_read_tokens > 512
    assert second.cost_usd < first.cost_usd
    assert sum(record.cost_usd for record in await rows()) == fake_claude.billed_usd


async def test_a_prefix_too_short_for_the_cache_is_reported(fake_claude, key, caplog):
    short = Prompt(("Responde breve.",), QUESTION.turns, 100)
    await ask(short, api_key=key, operation=Operation.CHAT_REPLY)
    assert "prefix_not_cached" in caplog.text
    caplog.clear()
    await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert "prefix_not_cached" not in caplog.text


async def test_calls_that_start_together_write_a_cold_prefix_once(fake_claude, key):
    prompts = [Prompt(SYSTEM, (Turn("user", f"¿{n}?"),), 100) for n in range(10)]
    replies = await asyncio.gather(
        *(ask(prompt, api_key=key, operation=Operation.DTE_REVIEW) for prompt in prompts)
    )
    reading = [reply for reply in replies if reply.usage.cache_read_tokens > 512]
    assert len(reading) == 9
    assert sum(record.cost_usd for record in await rows()) == fake_claude.billed_usd


async def test_the_others_do_not_wait_for_a_first_call_that_fails(fake_claude, key):
    fake_claude.then(Script(status=500))
    results = await asyncio.gather(
        *(ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW) for _ in range(3)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Reply) for result in results) == 2


async def test_nor_for_long_for_one_that_hangs(fake_claude, key, monkeypatch, settings):
    monkeypatch.setattr("usage.llm.fanout.WAIT_SECONDS", 0.05)
    settings.ANTHROPIC_FIRST_EVENT_TIMEOUT = 1
    fake_claude.then(Script(hang=True))
    hanging = asyncio.ensure_future(ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW))
    await until(lambda: fake_claude.requests)
    assert (await ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW)).text
    with pytest.raises(ModelUnavailable):
        await hanging


async def test_a_call_that_still_waits_for_its_turn_leaves_without_being_sent(fake_claude, key):
    fake_claude.delay_start()
    leader = asyncio.ensure_future(ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW))
    await until(lambda: fake_claude.requests)
    waiting = asyncio.ensure_future(ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    fake_claude.release()
    assert (await leader).text
    assert len(fake_claude.requests) == 1
    assert (await row()).outcome == "answered"  # who waits holds no money
