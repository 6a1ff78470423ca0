"""Whatever the provider streams: an answer or a reason why not, a settled row, a breaker that knows."""

import asyncio
import json
from contextlib import aclosing
from decimal import Decimal

import pytest
from channels.db import database_sync_to_async as on_database

from tests import provider_streams
from tests.fake_claude import Script
from tests.integration.usage.gateway.ledger_rows import QUESTION, SYSTEM, row, rows, spent
from usage.accounting import prices
from usage.errors import ModelRefused, ModelUnavailable
from usage.llm import Prompt, Reply, ask, runtime, stream
from usage.models import ModelPrice, Operation, Outcome, State, UsageRecord
from usage.tokens import TokenUsage

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

MODEL = "claude-sonnet-5-5"
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}


def frames(*events):
    return b"".join(
        f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events
    )


def start(**usage):
    message: dict[str, object] = {
        "id": "msg_1",
        "model": MODEL,
        "content": [],
        "usage": usage or None,
    }
    return {"type": "message_start", "message": message}


def text(piece):
    delta = {"type": "text_delta", "text": piece}
    return {"type": "content_block_delta", "index": 0, "delta": delta}


def end(reason="end_turn", **usage):
    delta = {"stop_reason": reason}
    return {"type": "message_delta", "delta": delta, "usage": usage or None}


STOP = {"type": "message_stop"}
BEGUN = start(input_tokens=100, output_tokens=1)


def failures():
    return runtime.current().breakers.of(MODEL).condition.failures


async def answered(fake_claude, key, *events, **options):
    fake_claude.then(Script(raw=frames(*events), **options))
    return await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)


async def test_usage_is_the_last_word_of_each_class(fake_claude, key):
    reply = await answered(
        fake_claude,
        key,
        BEGUN,
        text("Sí."),
        end(output_tokens=7, cache_creation_input_tokens=300, cache_read_input_tokens=40),
        STOP,
    )
    assert reply.usage == TokenUsage(100, 300, 0, 40, 7)
    assert (await row()).usage_complete


async def test_a_second_delta_after_the_end_changes_nothing_but_numbers(fake_claude, key):
    again = {"type": "message_delta", "delta": {"stop_reason": None}, "usage": {"output_tokens": 9}}
    reply = await answered(fake_claude, key, BEGUN, text("Sí."), end(output_tokens=7), again, STOP)
    assert (reply.text, reply.stop_reason, reply.usage.output_tokens) == ("Sí.", "end_turn", 9)


@pytest.mark.parametrize(
    "events",
    [
        (start(), text("Sí."), end(output_tokens=7), STOP),
        (BEGUN, text("Sí."), end(), STOP),
        (text("Sí."), end(output_tokens=7), STOP),
    ],
)
async def test_an_answer_without_all_of_its_usage_is_given_and_booked_as_incomplete(
    fake_claude, key, events
):
    reply = await answered(fake_claude, key, *events)
    record = await row()
    assert reply.text == "Sí."
    assert (record.outcome, record.usage_complete) == (Outcome.ANSWERED, False)
    assert record.total_tokens - record.output_tokens >= 100
    assert record.cost_usd > 0
    assert failures() == 0


async def test_what_cannot_be_stored_or_sent_is_taken_out_of_the_text(fake_claude, key):
    reply = await answered(
        fake_claude,
        key,
        BEGUN,
        text("uno\x00 \ud83d"),
        text("\ude00 dos \ud800!"),
        end(output_tokens=7),
        STOP,
    )
    assert reply.text == "uno 😀 dos \ufffd!"


async def test_data_is_cleaned_like_text(fake_claude, key):
    prompt = Prompt(SYSTEM, QUESTION.turns, 500, schema=SCHEMA)
    answer = r'{"a": ["\ud800", "\u0000b"]}'
    fake_claude.then(Script(raw=frames(BEGUN, text(answer), end(output_tokens=7), STOP)))
    reply = await ask(prompt, api_key=key, operation=Operation.DTE_REVIEW)
    assert reply.data == {"a": ["\ufffd", "b"]}


@pytest.mark.parametrize("answer", ['{"a": NaN}', "[" * 100_000, '{"a": 1', "9" * 5000])
async def test_data_that_is_no_json_is_no_answer_but_is_paid(fake_claude, key, answer):
    prompt = Prompt(SYSTEM, QUESTION.turns, 500, schema=SCHEMA)
    fake_claude.then(Script(raw=frames(BEGUN, text(answer), end(output_tokens=7), STOP)))
    with pytest.raises(ModelUnavailable) as refusal:
        await ask(prompt, api_key=key, operation=Operation.DTE_REVIEW)
    assert refusal.value.get_codes() == "invalid_answer"
    assert (await row()).cost_usd > 0


@pytest.mark.parametrize(
    "raw",
    [
        b"event: message_start\ndata: {broken\n\n",
        frames(BEGUN) + b"event: content_block_delta\ndata: \xff\xff\n\n",
        frames(BEGUN) + b"event: message_delta\ndata: [1]\n\n",
        frames(BEGUN, STOP),
        frames(BEGUN),
        b"",
    ],
)
async def test_a_malformed_stream_counts_against_the_provider_and_the_next_model_is_asked(
    fake_claude, key, settings, raw
):
    settings.ANTHROPIC_FALLBACK_MODELS = ["claude-haiku-5-5"]
    fake_claude.then(Script(raw=raw))
    reply = await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
    assert reply.model == "claude-haiku-5-5"
    assert failures() == 1
    first, second = await rows()
    assert (first.state, first.outcome, first.usage_complete) == (State.SETTLED, "cut", False) or (
        first.outcome == "failed"
    )
    assert first.error_type in {"malformed", "truncated"}
    assert second.outcome == Outcome.ANSWERED


async def test_eight_malformed_streams_open_the_breaker(fake_claude, key):
    fake_claude.then(*[Script(raw=b"event: message_start\ndata: {\n\n")] * 8)
    codes = []
    for _ in range(8):
        with pytest.raises(ModelUnavailable) as refusal:
            await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
        codes.append(refusal.value.get_codes())
    assert codes == ["provider_failed"] * 5 + ["breaker_open"] * 3
    assert len(fake_claude.requests) == 5


async def test_an_answer_is_not_held_up_by_a_connection_that_does_not_end(fake_claude, key):
    """A gateway that leaves out `message_stop` and keeps the connection."""
    fake_claude.then(
        Script(raw=frames(BEGUN, text("Sí."), end(output_tokens=7)), ending="hold"),
    )
    began = asyncio.get_running_loop().time()
    assert (await ask(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)).text == "Sí."
    assert asyncio.get_running_loop().time() - began < 5
    assert failures() == 0


async def test_pause_turn_is_not_a_complete_answer(fake_claude, key):
    reply = await answered(
        fake_claude, key, BEGUN, text("Sí"), end("pause_turn", output_tokens=2), STOP
    )
    assert not reply.complete


async def try_stream(seed, fake_claude, key):
    """Ask by one generated stream; return what came of it."""
    fake_claude.then(provider_streams.script(seed))
    pieces, reply = [], None
    try:
        parts = stream(QUESTION, api_key=key, operation=Operation.CHAT_REPLY)
        async with aclosing(parts):
            async for part in parts:
                if isinstance(part, Reply):
                    reply = part
                else:
                    pieces.append(part.text)
    except ModelRefused:
        return "".join(pieces), "refused"
    except ModelUnavailable as refusal:
        return "".join(pieces), str(refusal.get_codes())
    assert reply is not None
    assert reply.text == "".join(pieces)
    return reply.text, reply


def judge(record, said, result, before, after):
    """Hold a row and the breaker against what came of a stream."""
    assert record.state == State.SETTLED
    said.encode()
    assert "\x00" not in said
    failed = record.error_type in {
        "malformed",
        "truncated",
        "connection",
        "overloaded_error",
        "api_error",
    }
    assert failed or record.error_type == ""
    assert after == (before + 1 if failed else 0)
    if isinstance(result, Reply):
        assert record.outcome == Outcome.ANSWERED
        assert (record.cost_usd, record.id) == (result.cost_usd, result.usage_id)
        assert said.strip()
    elif result == "refused":
        assert record.outcome == Outcome.REFUSED
    elif result in {"empty_answer", "thinking_only"}:
        assert record.outcome == Outcome.EMPTY
    else:
        assert failed
        assert result == ("answer_cut" if said else "provider_failed")
        assert record.outcome in {Outcome.CUT, Outcome.FAILED}
        assert not record.usage_complete
    if not record.usage_complete and result != "refused":  # some refusals are free
        assert record.cost_usd > 0


async def run(seeds, fake_claude, key, settings):
    settings.BREAKER_FAILURES = 1_000_000
    settings.BUDGET_KEY_DAY_USD = settings.BUDGET_GLOBAL_DAY_USD = None
    settings.BUDGET_KEY_MONTH_USD = settings.BUDGET_GLOBAL_MONTH_USD = None
    total = Decimal(0)
    for seed in seeds:
        before = failures()
        said, result = await try_stream(seed, fake_claude, key)
        record = await on_database(UsageRecord.objects.order_by("-started_at").first)()
        try:
            judge(record, said, result, before, failures())
        except AssertionError as wrong:
            raise AssertionError(f"seed {seed}: {wrong}") from wrong
        total += record.cost_usd
    assert len(fake_claude.requests) == len(seeds)
    assert await on_database(UsageRecord.objects.filter(state=State.OPEN).count)() == 0
    assert await spent() == (total, 0)


async def test_generated_streams(fake_claude, key, settings):
    await run(range(300), fake_claude, key, settings)


@pytest.mark.load
async def test_ten_thousand_generated_streams(fake_claude, key, settings):
    await run(range(1_000, 11_000), fake_claude, key, settings)


async def test_rates_of_the_bill_are_those_of_the_model(fake_claude, key):
    reply = await answered(fake_claude, key, BEGUN, text("Sí."), end(output_tokens=7), STOP)
    price = await on_database(ModelPrice.objects.filter(model=MODEL).latest)("valid_from")
    assert reply.cost_usd == prices.cost(TokenUsage(input_tokens=100, output_tokens=7), price)
