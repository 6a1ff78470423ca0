"""Calls through the gateway and what each leaves in the ledger."""

import asyncio
import time
from contextlib import aclosing
from decimal import Decimal

import pytest

from tests.fake_claude import Script
from tests.integration.usage.gateway.ledger_rows import (
    QUESTION,
    SYSTEM,
    collect,
    row,
    rows,
    spent,
    until,
)
from usage.errors import BudgetExceeded, CallTooLarge, ModelRefused, ModelUnavailable
from usage.llm import Prompt, Reply, TextDelta, ask, stream
from usage.models import Operation, Outcome, State

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


async def test_ask_returns_the_answer_and_its_exact_account(fake_claude, key):
    fake_claude.say("Un folio es el número de un documento.")
    reply = await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert reply.text == "Un folio es el número de un documento."
    assert reply.stop_reason == "end_turn"
    record = await row()
    assert (record.id, record.cost_usd) == (reply.usage_id, reply.cost_usd)
    assert record.cost_usd == fake_claude.billed_usd > 0
    assert (record.state, record.outcome) == (State.SETTLED, Outcome.ANSWERED)
    assert record.usage_complete
    assert record.price.model == record.model == "claude-sonnet-5-5"
    assert record.provider_request_id.startswith("req_")
    assert record.total_tokens == reply.usage.total
    assert await spent() == (record.cost_usd, 0)


async def test_stream_yields_text_as_it_comes_and_the_reply_last(fake_claude, key):
    fake_claude.say("Uno dos tres")
    fake_claude.pause = 0.1
    *texts, reply = await collect(QUESTION, key)
    assert [part.text for part in texts] == ["Uno ", "dos ", "tres"]
    assert isinstance(reply, Reply)
    assert reply.text == "Uno dos tres"
    assert (await row()).cost_usd == fake_claude.billed_usd


async def test_what_came_while_the_caller_was_busy_goes_on_in_one_piece(fake_claude, key):
    words = "palabra " * 150
    fake_claude.say(words)
    async with aclosing(stream(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)) as parts:
        first = await anext(parts)
        await asyncio.sleep(0.5)
        *texts, reply = [part async for part in parts]
    assert first.text + "".join(part.text for part in texts) == reply.text == words
    assert len(texts) < 50


async def test_an_answer_that_follows_a_schema_comes_as_data(fake_claude, key):
    schema = {
        "type": "object",
        "properties": {"verdict": {"type": "string", "enum": ["ok", "duda"]}},
        "required": ["verdict"],
        "additionalProperties": False,
    }
    prompt = Prompt(SYSTEM, QUESTION.turns, 500, schema=schema)
    reply = await ask(prompt, api_key=key, operation=Operation.DTE_REVIEW)
    assert reply.data == {"verdict": "ok"}


async def test_without_a_provider_key_nothing_is_asked(fake_claude, key, settings):
    settings.ANTHROPIC_API_KEY = ""
    with pytest.raises(ModelUnavailable):
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert not fake_claude.requests
    assert await rows() == []


@pytest.mark.parametrize(
    ("script", "outcome", "error"),
    [
        (
            Script(status=400, error_type="invalid_request_error"),
            "rejected",
            "invalid_request_error",
        ),
        (Script(status=401, error_type="authentication_error"), "rejected", "authentication_error"),
        (Script(status=429, error_type="rate_limit_error"), "failed", "rate_limit_error"),
        (Script(status=500, error_type="api_error"), "failed", "api_error"),
        (Script(status=529, error_type="overloaded_error"), "failed", "overloaded_error"),
    ],
)
async def test_a_call_that_is_turned_down_costs_nothing_and_is_settled(
    fake_claude, key, script, outcome, error
):
    fake_claude.then(script)
    with pytest.raises(ModelUnavailable):
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    record = await row()
    assert (record.state, record.outcome, record.error_type) == (State.SETTLED, outcome, error)
    assert record.usage_complete
    assert await spent() == (0, 0)


@pytest.mark.parametrize(
    ("script", "outcome", "error"),
    [
        (Script(reset=True), "failed", "connection"),
        (Script(hang=True), "timeout", "silent"),
        (Script(empty=True), "cut", "truncated"),
    ],
)
async def test_a_call_that_was_sent_and_never_answered_costs_what_its_input_may_be_billed_at(
    fake_claude, key, settings, script, outcome, error
):
    await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    answered = await row()
    settings.ANTHROPIC_FIRST_EVENT_TIMEOUT = 0.3
    fake_claude.then(script)
    with pytest.raises(ModelUnavailable):
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    record = (await rows())[1]
    assert (record.state, record.outcome, record.error_type) == (State.SETTLED, outcome, error)
    assert not record.usage_complete
    prompt = answered.total_tokens - answered.output_tokens
    assert prompt <= record.cache_write_5m_tokens <= 1.2 * prompt
    assert await spent() == (answered.cost_usd + record.cost_usd, 0)


async def test_a_silent_provider_is_waited_for_as_long_as_the_setting_says(
    fake_claude, key, settings
):
    settings.ANTHROPIC_FIRST_EVENT_TIMEOUT, settings.ANTHROPIC_RETRIES = 0.3, 2
    settings.ANTHROPIC_FALLBACK_MODELS = ["claude-haiku-5-5"]
    fake_claude.then(Script(hang=True), Script(hang=True))
    began = asyncio.get_running_loop().time()
    with pytest.raises(ModelUnavailable) as silence:
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert silence.value.get_codes() == "timeout"
    assert asyncio.get_running_loop().time() - began < 5
    assert len(fake_claude.requests) == 1


async def test_an_answer_that_lay_unread_in_a_busy_process_is_no_silence(
    fake_claude, key, settings
):
    settings.ANTHROPIC_FIRST_EVENT_TIMEOUT, settings.ANTHROPIC_RETRIES = 2, 0
    fake_claude.delay_start()
    call = asyncio.ensure_future(ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY))
    await until(lambda: fake_claude.requests)
    fake_claude.release()
    time.sleep(3)  # noqa: ASYNC251 - hundreds of calls that begin at once keep a loop as busy
    assert (await call).text
    assert (await row()).outcome == "answered"


@pytest.mark.parametrize(
    ("ending", "outcome"),
    [
        ("error", "cut"),
        ("truncate", "cut"),
        ("abort", "cut"),
        ("stall", "timeout"),
        ("pings", "timeout"),
    ],
)
async def test_a_cut_stream_is_settled_with_the_input_of_its_start_and_the_output_received(
    fake_claude, key, settings, ending, outcome
):
    settings.ANTHROPIC_TIMEOUT = 0.3
    fake_claude.then(
        Script(
            text="Uno dos tres cuatro cinco", ending=ending, after=3, error_type="overloaded_error"
        )
    )
    heard = ""

    async def listen():
        nonlocal heard
        async with aclosing(stream(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)) as parts:
            async for part in parts:
                heard += part.text

    with pytest.raises(ModelUnavailable) as cut:
        await listen()
    assert heard == "Uno dos tres "
    assert cut.value.get_codes() == "answer_cut"
    record = await row()
    assert record.outcome == outcome
    assert not record.usage_complete
    await until(lambda: fake_claude.bills)  # once the provider has seen that the client hung up
    (bill,) = fake_claude.bills
    assert record.cache_write_5m_tokens == bill.write_5m
    assert record.output_tokens >= bill.output
    assert record.cost_usd >= bill.usd
    assert await spent() == (record.cost_usd, 0)


async def test_a_client_that_leaves_stops_the_answer_and_is_settled(fake_claude, key):
    fake_claude.hold()
    task = asyncio.ensure_future(ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY))
    await until(lambda: fake_claude.open_streams)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    record = await row()
    assert record.outcome == Outcome.CANCELLED
    await until(lambda: not fake_claude.open_streams)
    assert record.cost_usd >= fake_claude.billed_usd > 0
    assert await spent() == (record.cost_usd, 0)


async def test_a_generator_that_is_closed_half_way_is_settled(fake_claude, key):
    async with aclosing(stream(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)) as parts:
        assert isinstance(await anext(parts), TextDelta)
    record = await row()
    assert record.outcome == Outcome.CANCELLED
    assert await spent() == (record.cost_usd, 0)


async def test_a_retry_is_an_attempt_of_its_own(fake_claude, key, settings):
    settings.ANTHROPIC_RETRIES = 2
    fake_claude.then(
        Script(status=529, error_type="overloaded_error"), Script(reset=True), Script()
    )
    reply = await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    records = await rows()
    assert [record.outcome for record in records] == ["failed", "failed", "answered"]
    assert [record.attempt for record in records] == [1, 2, 3]
    assert len({record.call_id for record in records}) == 1
    assert records[-1].id == reply.usage_id


async def test_five_failures_open_the_breaker_and_then_nothing_leaves(fake_claude, key):
    fake_claude.then(*[Script(status=500)] * 5)
    for _ in range(8):
        with pytest.raises(ModelUnavailable):
            await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert len(fake_claude.requests) == 5


async def test_a_budget_that_does_not_cover_the_call_refuses_it_with_its_numbers(
    fake_claude, key, settings
):
    settings.BUDGET_KEY_DAY_USD = Decimal("0.001")
    with pytest.raises(BudgetExceeded) as refusal:
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert refusal.value.facts["scope"] == "key"
    assert refusal.value.facts["limit_usd"] == "0.001"
    assert Decimal(refusal.value.facts["used_usd"]) == 0
    assert not fake_claude.requests
    assert await rows() == []


async def test_a_call_over_the_limit_of_one_request_never_leaves(fake_claude, key, settings):
    settings.MAX_TOKENS_PER_REQUEST = 600
    with pytest.raises(CallTooLarge) as refusal:
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert refusal.value.facts["limit_tokens"] == 600
    assert not fake_claude.requests


async def test_thinking_comes_first_and_is_not_text(fake_claude, key):
    fake_claude.then(Script(text="Sí.", thinking="El folio es un número correlativo."))
    reply = await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert reply.text == "Sí."
    assert reply.cost_usd == fake_claude.billed_usd


async def test_thinking_that_uses_up_max_tokens_leaves_no_answer_but_is_paid(fake_claude, key):
    fake_claude.then(Script(text="Sí.", thinking="palabra " * 600))
    with pytest.raises(ModelUnavailable) as empty:
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert empty.value.get_codes() == "thinking_only"
    record = await row()
    assert (record.outcome, record.stop_reason) == (Outcome.EMPTY, "max_tokens")
    assert record.cost_usd == fake_claude.billed_usd > 0


@pytest.mark.parametrize(
    ("text", "category", "free"),
    [("", None, True), ("", "cyber", True), ("", "bio", False), ("No puedo", "cyber", False)],
)
async def test_a_refusal_costs_what_the_provider_bills_for_it(
    fake_claude, key, text, category, free
):
    fake_claude.then(Script(text=text, stop_reason="refusal", refusal_category=category))
    with pytest.raises(ModelRefused):
        await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    record = await row()
    assert record.outcome == Outcome.REFUSED
    assert record.cost_usd == fake_claude.billed_usd
    assert (record.cost_usd == 0) is free
