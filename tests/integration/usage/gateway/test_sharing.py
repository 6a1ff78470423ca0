"""Calls that share one answer."""

import asyncio

import pytest
import redis
from channels.db import database_sync_to_async as on_database

from tests.fake_claude import Script
from tests.integration.usage.gateway.ledger_rows import (
    QUESTION,
    SYSTEM,
    rows,
    until,
)
from usage.errors import ModelUnavailable
from usage.llm import Prompt, Turn, ask, runtime
from usage.models import ApiKey, Operation

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


async def test_an_identical_request_is_answered_again_at_no_cost_and_says_so(fake_claude, key):
    first = await ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW, reuse_seconds=900)
    second = await ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW, reuse_seconds=900)
    assert (second.text, second.cached, second.cost_usd) == (first.text, True, 0)
    assert not first.cached
    assert len(fake_claude.requests) == 1
    assert [(r.outcome, r.cost_usd > 0) for r in await rows()] == [
        ("answered", True),
        ("cached", False),
    ]
    assert second.usage_id != first.usage_id


async def test_of_identical_requests_at_once_one_pays_and_the_others_wait_for_it(fake_claude, key):
    fake_claude.pause = 0.02
    replies = await asyncio.gather(
        *(
            ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW, reuse_seconds=900)
            for _ in range(10)
        )
    )
    assert len(fake_claude.requests) == 1
    assert sorted(reply.cached for reply in replies) == [False] + [True] * 9
    assert len({reply.usage_id for reply in replies}) == 10
    assert sum(record.cost_usd for record in await rows()) == fake_claude.billed_usd


async def test_who_waits_for_an_identical_request_fails_as_it_does(fake_claude, key):
    fake_claude.delay_start()
    fake_claude.then(Script(status=529, error_type="overloaded_error"))
    calls = [
        asyncio.ensure_future(
            ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW, reuse_seconds=900)
        )
        for _ in range(5)
    ]
    failed = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(failure) for failure in failed} == {ModelUnavailable}
    assert len(fake_claude.requests) == 1


async def test_if_the_one_who_asks_leaves_the_next_one_asks(fake_claude, key):
    fake_claude.hold()
    calls = [
        asyncio.ensure_future(
            ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW, reuse_seconds=900)
        )
        for _ in range(3)
    ]
    await until(lambda: fake_claude.open_streams)
    calls[0].cancel()
    await until(lambda: len(fake_claude.requests) == 2)
    fake_claude.release()
    second, third = await asyncio.gather(*calls[1:])
    assert (second.cached, third.cached) == (False, True)


async def test_another_process_that_asks_the_same_is_waited_for(fake_claude, key):
    fake_claude.hold()
    first = asyncio.ensure_future(
        ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW, reuse_seconds=900)
    )
    await until(lambda: fake_claude.open_streams)
    runtime.reset()  # what another process knows: nothing but the shared cache
    second = asyncio.ensure_future(
        ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW, reuse_seconds=900)
    )
    await asyncio.sleep(0.3)
    fake_claude.release()
    assert not (await first).cached
    assert (await second).cached
    assert len(fake_claude.requests) == 1


async def test_another_document_model_or_key_is_another_request(fake_claude, key, settings):
    await ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW, reuse_seconds=900)
    other = Prompt(SYSTEM, (Turn("user", "¿Otro?"),), 500)
    await ask(other, api_key=key, operation=Operation.DTE_REVIEW, reuse_seconds=900)
    settings.ANTHROPIC_MODEL = "claude-haiku-5-5"
    await ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW, reuse_seconds=900)
    stranger, _ = await on_database(ApiKey.objects.issue)(name="stranger")
    await ask(QUESTION, api_key=stranger, operation=Operation.DTE_REVIEW, reuse_seconds=900)
    assert len(fake_claude.requests) == 4


async def test_an_answer_cut_by_max_tokens_is_not_given_again(fake_claude, key):
    prompt = Prompt(SYSTEM, QUESTION.turns, max_tokens=3)
    for _ in range(2):
        reply = await ask(prompt, api_key=key, operation=Operation.DTE_REVIEW, reuse_seconds=900)
        assert reply.stop_reason == "max_tokens"
    assert len(fake_claude.requests) == 2


async def test_without_the_reply_cache_the_model_is_asked(fake_claude, key, monkeypatch):
    def away(*args):
        raise redis.ConnectionError

    monkeypatch.setattr("usage.llm.reply_cache.cache.get", away)
    monkeypatch.setattr("usage.llm.reply_cache.cache.set", away)
    assert (
        await ask(QUESTION, api_key=key, operation=Operation.DTE_REVIEW, reuse_seconds=900)
    ).text
