"""The gateway when the provider, the database or the caller fails: breaker, fallback, retries, spool."""

import asyncio
import threading
from contextlib import aclosing

import pytest
from channels.db import database_sync_to_async as on_database
from django.db import OperationalError

from tests.fake_claude import Script
from tests.integration.usage.gateway.ledger_rows import QUESTION, SYSTEM, row, rows, spent, until
from usage.accounting import journal, ledger, prices, process
from usage.accounting.sweep import sweep
from usage.errors import ModelUnavailable
from usage.llm import Prompt, ask, breaker_states, status, stream
from usage.models import Operation, Outcome, State

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


async def test_while_the_model_is_away_the_next_one_is_asked(fake_claude, key, settings):
    settings.ANTHROPIC_FALLBACK_MODELS = ["claude-haiku-5-5"]
    fake_claude.then(Script(status=529, error_type="overloaded_error"))
    reply = await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert reply.model == "claude-haiku-5-5"
    assert [record.model for record in await rows()] == ["claude-sonnet-5-5", "claude-haiku-5-5"]
    assert (await rows())[1].cost_usd == fake_claude.billed_usd


async def test_a_request_that_is_wrong_is_not_sent_to_the_next_model(fake_claude, key, settings):
    settings.ANTHROPIC_FALLBACK_MODELS = ["claude-haiku-5-5"]
    fake_claude.then(Script(status=400, error_type="invalid_request_error"))
    with pytest.raises(ModelUnavailable):
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert len(fake_claude.requests) == 1


async def test_a_model_that_the_provider_does_not_know_gives_way_to_the_next(
    fake_claude, key, settings
):
    settings.ANTHROPIC_MODEL = "claude-opus-4-8"
    settings.ANTHROPIC_FALLBACK_MODELS = ["claude-haiku-5-5"]
    assert (
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    ).model == "claude-haiku-5-5"


async def test_a_model_without_a_price_is_not_asked(fake_claude, key, settings):
    settings.ANTHROPIC_MODEL = "claude-imaginary"
    with pytest.raises(ModelUnavailable) as refusal:
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert refusal.value.get_codes() == "model_unpriced"
    assert not fake_claude.requests


async def test_a_spend_cap_without_retry_after_opens_the_breaker_at_once(fake_claude, key):
    fake_claude.then(
        Script(status=429, error_type="rate_limit_error", error_code="enforced_spend_limit_reached")
    )
    for _ in range(3):
        with pytest.raises(ModelUnavailable) as refusal:
            await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert len(fake_claude.requests) == 1
    assert 290 < refusal.value.wait <= 300


async def test_a_retry_after_of_ten_minutes_is_not_slept_through(fake_claude, key, settings):
    settings.ANTHROPIC_RETRIES = 2
    fake_claude.then(
        Script(status=429, error_type="rate_limit_error", headers={"retry-after": "600"})
    )
    for _ in range(2):
        with pytest.raises(ModelUnavailable) as refusal:
            await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert len(fake_claude.requests) == 1
    assert 290 < refusal.value.wait <= 300  # obeyed, up to the cap


async def test_a_short_retry_after_is_waited_for(fake_claude, key, settings, monkeypatch):
    monkeypatch.undo()
    settings.ANTHROPIC_RETRIES = 1
    fake_claude.then(
        Script(status=429, error_type="rate_limit_error", headers={"retry-after": "0.05"})
    )
    assert (await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)).text
    assert [record.attempt for record in await rows()] == [1, 2]


async def test_the_breaker_closes_again_after_one_good_probe(fake_claude, key, settings):
    settings.BREAKER_FAILURES, settings.BREAKER_SECONDS = 2, 0.05
    fake_claude.then(*[Script(ending="error", error_type="overloaded_error")] * 2)  # mid-stream
    for _ in range(2):
        with pytest.raises(ModelUnavailable):
            await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert breaker_states()["claude-sonnet-5-5"] != "closed"  # a busy machine takes its time
    assert status()["status"] == "degraded"
    away_since = status()["since"]
    await until(lambda: breaker_states()["claude-sonnet-5-5"] == "half_open")
    assert status()["since"] == away_since
    fake_claude.hold()
    probe = asyncio.ensure_future(ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY))
    await until(lambda: fake_claude.open_streams)
    with pytest.raises(ModelUnavailable):  # one probe at a time
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert len(fake_claude.requests) == 3
    fake_claude.release()
    assert (await probe).text
    assert breaker_states() == {"claude-sonnet-5-5": "closed"}
    assert status()["status"] == "ok"
    assert status()["since"] > away_since
    assert status()["latency_ms"] > 0


async def test_a_probe_whose_caller_leaves_lets_the_next_one_probe(fake_claude, key, settings):
    settings.BREAKER_FAILURES, settings.BREAKER_SECONDS = 1, 0.01
    fake_claude.then(Script(status=500))
    with pytest.raises(ModelUnavailable):
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    await until(lambda: breaker_states()["claude-sonnet-5-5"] == "half_open")
    async with aclosing(stream(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)) as parts:
        await anext(parts)
    assert (await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)).text


async def test_an_error_of_ours_does_not_count_against_the_provider(fake_claude, key, settings):
    settings.BREAKER_FAILURES = 2
    fake_claude.then(*[Script(status=400, error_type="invalid_request_error")] * 4)
    for _ in range(4):
        with pytest.raises(ModelUnavailable):
            await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert len(fake_claude.requests) == 4


async def test_where_nobody_listens_nothing_is_sent_and_the_row_says_so(key, settings):
    settings.ANTHROPIC_API_KEY = "sk-ant-test"  # the suite's base URL is a closed port
    with pytest.raises(ModelUnavailable):
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    record = await row()
    assert (record.outcome, record.error_type, record.usage_complete) == (
        "failed",
        "unreachable",
        True,
    )


async def test_without_the_database_the_call_is_refused(fake_claude, key, monkeypatch):
    def away(*args):
        raise OperationalError

    monkeypatch.setattr("usage.accounting.ledger.reserve", away)
    with pytest.raises(ModelUnavailable) as refusal:
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert refusal.value.get_codes() == "ledger_unavailable"
    assert not fake_claude.requests


async def test_a_settlement_that_finds_no_database_is_spooled_and_the_answer_still_given(
    fake_claude, key, monkeypatch, settings, tmp_path
):
    settings.STATE_DIR = tmp_path
    settle = ledger.settle

    def away(*args):
        raise OperationalError

    monkeypatch.setattr("usage.accounting.ledger.settle", away)
    reply = await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert (await row()).state == State.OPEN
    monkeypatch.setattr("usage.accounting.ledger.settle", settle)
    assert (await on_database(sweep)()).replayed == 1
    record = await row()
    assert (record.state, record.cost_usd) == (State.SETTLED, reply.cost_usd)
    assert await spent() == (fake_claude.billed_usd, 0)


async def test_a_call_is_noted_before_it_leaves_and_its_row_says_what_it_is_likely_to_cost(
    fake_claude, key
):
    """A process that is killed while the provider is silent leaves enough to settle its rows by."""
    fake_claude.then(Script(hang=True))
    asking = asyncio.create_task(ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY))
    await until(lambda: fake_claude.requests)
    record = await row()
    note = journal.last_notes(process.PROCESS_ID)[record.id]
    assert (note.usage.cache_write_5m_tokens > 0, note.received_bytes) == (True, 0)
    noted = prices.cost(note.usage, record.price)
    assert 0 < noted < record.likely_usd <= record.held_usd
    asking.cancel()
    await asyncio.wait([asking])
    assert (await row()).state == State.SETTLED


async def test_a_caller_who_leaves_before_the_first_event_is_charged_what_the_provider_bills(
    fake_claude, key
):
    """The request is kept until the provider said what its input costs."""
    fake_claude.delay_start()
    task = asyncio.ensure_future(ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY))
    await until(lambda: fake_claude.requests)
    task.cancel()
    fake_claude.release()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: fake_claude.bills)
    record = await row()
    assert record.outcome == Outcome.CANCELLED
    assert record.cache_write_5m_tokens == fake_claude.bills[0].write_5m
    assert record.cost_usd >= fake_claude.billed_usd


async def test_a_caller_who_leaves_while_the_reservation_is_made_leaves_nothing_open(
    fake_claude, key, monkeypatch
):
    entered, leave = threading.Event(), threading.Event()
    reserve = ledger.reserve

    def slow(*args):
        entered.set()
        leave.wait(20)
        return reserve(*args)

    monkeypatch.setattr("usage.accounting.ledger.reserve", slow)
    task = asyncio.ensure_future(ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY))
    await until(entered.is_set)
    task.cancel()
    leave.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    record = await row()
    assert (record.state, record.outcome, record.cost_usd) == (State.SETTLED, "cancelled", 0)
    assert not fake_claude.requests
    assert await spent() == (0, 0)


@pytest.mark.parametrize("geo", ["us", "global"])
async def test_residency_is_billed_as_the_usage_says(fake_claude, key, geo):
    fake_claude.then(Script(geo=geo))
    reply = await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert reply.cost_usd == fake_claude.billed_usd
    assert (await row()).inference_geo == geo


@pytest.mark.parametrize("ttl", ["5m", "1h"])
async def test_cache_writes_are_billed_by_their_lifetime_with_or_without_the_split(
    fake_claude, key, settings, ttl
):
    settings.PROMPT_CACHE_TTL = ttl
    fake_claude.then(Script(), Script(split=False))
    first = await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    written = (
        first.usage.cache_write_1h_tokens if ttl == "1h" else first.usage.cache_write_5m_tokens
    )
    assert written > 512
    assert first.cost_usd == fake_claude.billed_usd
    other = Prompt(("Otro prefijo estable. " * 200,), QUESTION.turns, 500)
    unsplit = await ask(other, api_key=key, operation=Operation.CHAT_REPLY)
    assert unsplit.usage.cache_write_tokens > 512
    assert sum(bill.usd for bill in fake_claude.bills) <= first.cost_usd + unsplit.cost_usd


async def test_no_more_output_than_max_tokens_is_ever_held_for_or_billed(fake_claude, key):
    fake_claude.say("palabra " * 400)
    reply = await ask(
        Prompt(SYSTEM, QUESTION.turns, 50), api_key=key, operation=Operation.CHAT_REPLY
    )
    assert reply.stop_reason == "max_tokens"
    assert reply.usage.output_tokens <= 50
    record = await row()
    assert record.cost_usd <= record.held_usd


async def test_logs_name_facts_and_never_what_was_said(fake_claude, key, caplog):
    caplog.set_level("INFO")
    fake_claude.say("respuesta secreta")
    await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert "model_call" in caplog.text
    assert "secreta" not in caplog.text
    assert "folio" not in caplog.text
    assert "sk-ant" not in caplog.text
