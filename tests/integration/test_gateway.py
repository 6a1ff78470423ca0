"""The gateway with the real SDK against the local server, over HTTP, on PostgreSQL."""

import asyncio
import threading
from contextlib import aclosing
from decimal import Decimal

import pytest
import redis
from channels.db import database_sync_to_async as on_database
from django.db import OperationalError

from tests.fake_claude import Script
from usage import ledger
from usage.errors import BudgetExceeded, CallTooLarge, ModelRefused, ModelUnavailable
from usage.llm import Prompt, Reply, TextDelta, Turn, ask, breaker_states, status, stream
from usage.models import ApiKey, BudgetWindow, Outcome, State, UsageRecord
from usage.sweep import sweep

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

SYSTEM = ("Responde en español sobre documentos tributarios electrónicos. " * 80,)
QUESTION = Prompt(SYSTEM, (Turn("user", "¿Qué es un folio?"),), max_tokens=500)


@pytest.fixture(autouse=True)
def quick(settings, monkeypatch):
    monkeypatch.setattr("usage.llm.gateway._pause", lambda failure, number: 0)
    settings.ANTHROPIC_RETRIES = 0


@pytest.fixture
async def key():
    created, _ = await on_database(ApiKey.objects.issue)(name="acme")
    return created


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  # the server lives on another thread
            await asyncio.sleep(0.01)


async def rows():
    return await on_database(
        lambda: list(UsageRecord.objects.select_related("price").order_by("started_at"))
    )()


async def row():
    (only,) = await rows()
    return only


async def spent():
    """Return what every window says was spent and is held; they must agree."""
    windows = await on_database(lambda: list(BudgetWindow.objects.all()))()
    assert len(windows) == 4
    (numbers,) = {(window.spent_usd, window.held_usd) for window in windows}
    return numbers


async def collect(prompt, key):
    async with aclosing(stream(prompt, api_key=key, operation="chat.reply")) as parts:
        return [part async for part in parts]


async def test_ask_returns_the_answer_and_its_exact_account(fake_claude, key):
    fake_claude.say("Un folio es el número de un documento.")
    reply = await ask(QUESTION, api_key=key, operation="chat.reply")
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
    *texts, reply = await collect(QUESTION, key)
    assert [part.text for part in texts] == ["Uno ", "dos ", "tres"]
    assert isinstance(reply, Reply)
    assert reply.text == "Uno dos tres"
    assert (await row()).cost_usd == fake_claude.billed_usd


async def test_the_second_call_reads_the_stable_prefix_from_the_cache(fake_claude, key):
    first = await ask(QUESTION, api_key=key, operation="chat.reply")
    other = Prompt(SYSTEM, (Turn("user", "¿Y qué es un CAF?"),), max_tokens=500)
    second = await ask(other, api_key=key, operation="chat.reply")
    assert first.usage.cache_write_5m_tokens > 512
    assert second.usage.cache_read_tokens > 512
    assert second.cost_usd < first.cost_usd
    assert sum(record.cost_usd for record in await rows()) == fake_claude.billed_usd


async def test_an_answer_that_follows_a_schema_comes_as_data(fake_claude, key):
    schema = {
        "type": "object",
        "properties": {"verdict": {"type": "string", "enum": ["ok", "duda"]}},
        "required": ["verdict"],
        "additionalProperties": False,
    }
    prompt = Prompt(SYSTEM, QUESTION.turns, 500, schema=schema)
    reply = await ask(prompt, api_key=key, operation="dte.review")
    assert reply.data == {"verdict": "ok"}


async def test_without_a_provider_key_nothing_is_asked(fake_claude, key, settings):
    settings.ANTHROPIC_API_KEY = ""
    with pytest.raises(ModelUnavailable):
        await ask(QUESTION, api_key=key, operation="chat.reply")
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
        (Script(reset=True), "failed", "connection"),
        (Script(hang=True), "timeout", "deadline"),
    ],
)
async def test_a_call_that_is_not_answered_costs_nothing_and_is_settled(
    fake_claude, key, settings, script, outcome, error
):
    settings.ANTHROPIC_TIMEOUT = 0.3
    fake_claude.then(script)
    with pytest.raises(ModelUnavailable):
        await ask(QUESTION, api_key=key, operation="chat.reply")
    record = await row()
    assert (record.state, record.outcome, record.error_type) == (State.SETTLED, outcome, error)
    assert record.usage_complete is (script.status != 200)  # whether the provider said it is free
    assert await spent() == (0, 0)


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
    async with aclosing(stream(QUESTION, api_key=key, operation="chat.reply")) as parts:
        assert [(await anext(parts)).text for _ in range(3)] == ["Uno ", "dos ", "tres "]
        with pytest.raises(ModelUnavailable) as cut:
            await anext(parts)
    assert cut.value.get_codes() == "answer_cut"
    record = await row()
    assert record.outcome == outcome
    assert not record.usage_complete
    (bill,) = fake_claude.bills
    assert record.cache_write_5m_tokens == bill.write_5m
    assert record.output_tokens >= bill.output
    assert record.cost_usd >= bill.usd
    assert await spent() == (record.cost_usd, 0)


async def test_a_client_that_leaves_stops_the_answer_and_is_settled(fake_claude, key):
    fake_claude.hold()
    task = asyncio.ensure_future(ask(QUESTION, api_key=key, operation="chat.reply"))
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
    async with aclosing(stream(QUESTION, api_key=key, operation="chat.reply")) as parts:
        assert isinstance(await anext(parts), TextDelta)
    record = await row()
    assert record.outcome == Outcome.CANCELLED
    assert await spent() == (record.cost_usd, 0)


async def test_a_retry_is_an_attempt_of_its_own(fake_claude, key, settings):
    settings.ANTHROPIC_RETRIES = 2
    fake_claude.then(
        Script(status=529, error_type="overloaded_error"), Script(reset=True), Script()
    )
    reply = await ask(QUESTION, api_key=key, operation="chat.reply")
    records = await rows()
    assert [record.outcome for record in records] == ["failed", "failed", "answered"]
    assert [record.attempt for record in records] == [1, 2, 3]
    assert len({record.call_id for record in records}) == 1
    assert records[-1].id == reply.usage_id


async def test_five_failures_open_the_breaker_and_then_nothing_leaves(fake_claude, key):
    fake_claude.then(*[Script(status=500)] * 5)
    for _ in range(8):
        with pytest.raises(ModelUnavailable):
            await ask(QUESTION, api_key=key, operation="chat.reply")
    assert len(fake_claude.requests) == 5


async def test_a_budget_that_does_not_cover_the_call_refuses_it_with_its_numbers(
    fake_claude, key, settings
):
    settings.BUDGET_KEY_DAY_USD = Decimal("0.001")
    with pytest.raises(BudgetExceeded) as refusal:
        await ask(QUESTION, api_key=key, operation="chat.reply")
    assert refusal.value.facts["scope"] == "key"
    assert refusal.value.facts["limit_usd"] == "0.001"
    assert Decimal(refusal.value.facts["used_usd"]) == 0
    assert not fake_claude.requests
    assert await rows() == []


async def test_near_a_limit_the_providers_own_count_decides(fake_claude, key, settings):
    """The local bound is over the limit, the true number is not."""
    settings.MAX_TOKENS_PER_REQUEST = 3000
    reply = await ask(QUESTION, api_key=key, operation="chat.reply")
    assert reply.text
    assert len(fake_claude.counted) == 1


async def test_an_ordinary_call_is_not_counted_first(fake_claude, key):
    await ask(QUESTION, api_key=key, operation="chat.reply")
    assert not fake_claude.counted


async def test_a_call_over_the_limit_of_one_request_never_leaves(fake_claude, key, settings):
    settings.MAX_TOKENS_PER_REQUEST = 600
    with pytest.raises(CallTooLarge) as refusal:
        await ask(QUESTION, api_key=key, operation="chat.reply")
    assert refusal.value.facts["limit_tokens"] == 600
    assert not fake_claude.requests


async def test_thinking_comes_first_and_is_not_text(fake_claude, key):
    fake_claude.then(Script(text="Sí.", thinking="El folio es un número correlativo."))
    reply = await ask(QUESTION, api_key=key, operation="chat.reply")
    assert reply.text == "Sí."
    assert reply.cost_usd == fake_claude.billed_usd


async def test_thinking_that_uses_up_max_tokens_leaves_no_answer_but_is_paid(fake_claude, key):
    fake_claude.then(Script(text="Sí.", thinking="palabra " * 600))
    with pytest.raises(ModelUnavailable) as empty:
        await ask(QUESTION, api_key=key, operation="chat.reply")
    assert empty.value.get_codes() == "empty_answer"
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
        await ask(QUESTION, api_key=key, operation="chat.reply")
    record = await row()
    assert record.outcome == Outcome.REFUSED
    assert record.cost_usd == fake_claude.billed_usd
    assert (record.cost_usd == 0) is free


async def test_an_identical_request_is_answered_again_at_no_cost_and_says_so(fake_claude, key):
    first = await ask(QUESTION, api_key=key, operation="dte.review", reuse_seconds=900)
    second = await ask(QUESTION, api_key=key, operation="dte.review", reuse_seconds=900)
    assert (second.text, second.cached, second.cost_usd) == (first.text, True, 0)
    assert not first.cached
    assert len(fake_claude.requests) == 1
    assert [(r.outcome, r.cost_usd > 0) for r in await rows()] == [
        ("answered", True),
        ("cached", False),
    ]
    assert second.usage_id != first.usage_id


async def test_another_document_model_or_key_is_another_request(fake_claude, key, settings):
    await ask(QUESTION, api_key=key, operation="dte.review", reuse_seconds=900)
    other = Prompt(SYSTEM, (Turn("user", "¿Otro?"),), 500)
    await ask(other, api_key=key, operation="dte.review", reuse_seconds=900)
    settings.ANTHROPIC_MODEL = "claude-haiku-5-5"
    await ask(QUESTION, api_key=key, operation="dte.review", reuse_seconds=900)
    stranger, _ = await on_database(ApiKey.objects.issue)(name="stranger")
    await ask(QUESTION, api_key=stranger, operation="dte.review", reuse_seconds=900)
    assert len(fake_claude.requests) == 4


async def test_an_answer_cut_by_max_tokens_is_not_given_again(fake_claude, key):
    prompt = Prompt(SYSTEM, QUESTION.turns, max_tokens=3)
    for _ in range(2):
        reply = await ask(prompt, api_key=key, operation="dte.review", reuse_seconds=900)
        assert reply.stop_reason == "max_tokens"
    assert len(fake_claude.requests) == 2


async def test_without_the_reply_cache_the_model_is_asked(fake_claude, key, monkeypatch):
    def away(*args):
        raise redis.ConnectionError

    monkeypatch.setattr("usage.llm.reply_cache.cache.get", away)
    monkeypatch.setattr("usage.llm.reply_cache.cache.set", away)
    assert (await ask(QUESTION, api_key=key, operation="dte.review", reuse_seconds=900)).text


async def test_while_the_model_is_away_the_next_one_is_asked(fake_claude, key, settings):
    settings.ANTHROPIC_FALLBACK_MODELS = ["claude-haiku-5-5"]
    fake_claude.then(Script(status=529, error_type="overloaded_error"))
    reply = await ask(QUESTION, api_key=key, operation="chat.reply")
    assert reply.model == "claude-haiku-5-5"
    assert [record.model for record in await rows()] == ["claude-sonnet-5-5", "claude-haiku-5-5"]
    assert (await rows())[1].cost_usd == fake_claude.billed_usd


async def test_a_request_that_is_wrong_is_not_sent_to_the_next_model(fake_claude, key, settings):
    settings.ANTHROPIC_FALLBACK_MODELS = ["claude-haiku-5-5"]
    fake_claude.then(Script(status=400, error_type="invalid_request_error"))
    with pytest.raises(ModelUnavailable):
        await ask(QUESTION, api_key=key, operation="chat.reply")
    assert len(fake_claude.requests) == 1


async def test_a_model_that_the_provider_does_not_know_gives_way_to_the_next(
    fake_claude, key, settings
):
    settings.ANTHROPIC_MODEL = "claude-opus-4-8"
    settings.ANTHROPIC_FALLBACK_MODELS = ["claude-haiku-5-5"]
    assert (await ask(QUESTION, api_key=key, operation="chat.reply")).model == "claude-haiku-5-5"


async def test_a_model_without_a_price_is_not_asked(fake_claude, key, settings):
    settings.ANTHROPIC_MODEL = "claude-imaginary"
    with pytest.raises(ModelUnavailable) as refusal:
        await ask(QUESTION, api_key=key, operation="chat.reply")
    assert refusal.value.get_codes() == "model_unpriced"
    assert not fake_claude.requests


async def test_a_spend_cap_without_retry_after_opens_the_breaker_at_once(fake_claude, key):
    fake_claude.then(
        Script(status=429, error_type="rate_limit_error", error_code="enforced_spend_limit_reached")
    )
    for _ in range(3):
        with pytest.raises(ModelUnavailable) as refusal:
            await ask(QUESTION, api_key=key, operation="chat.reply")
    assert len(fake_claude.requests) == 1
    assert 290 < refusal.value.wait <= 300


async def test_a_retry_after_of_ten_minutes_is_not_slept_through(fake_claude, key, settings):
    settings.ANTHROPIC_RETRIES = 2
    fake_claude.then(
        Script(status=429, error_type="rate_limit_error", headers={"retry-after": "600"})
    )
    for _ in range(2):
        with pytest.raises(ModelUnavailable) as refusal:
            await ask(QUESTION, api_key=key, operation="chat.reply")
    assert len(fake_claude.requests) == 1
    assert 290 < refusal.value.wait <= 300  # obeyed, up to the cap


async def test_a_short_retry_after_is_waited_for(fake_claude, key, settings, monkeypatch):
    monkeypatch.undo()
    settings.ANTHROPIC_RETRIES = 1
    fake_claude.then(
        Script(status=429, error_type="rate_limit_error", headers={"retry-after": "0.05"})
    )
    assert (await ask(QUESTION, api_key=key, operation="chat.reply")).text
    assert [record.attempt for record in await rows()] == [1, 2]


async def test_the_breaker_closes_again_after_one_good_probe(fake_claude, key, settings):
    settings.BREAKER_FAILURES, settings.BREAKER_SECONDS = 2, 0.05
    fake_claude.then(*[Script(ending="error", error_type="overloaded_error")] * 2)  # mid-stream
    for _ in range(2):
        with pytest.raises(ModelUnavailable):
            await ask(QUESTION, api_key=key, operation="chat.reply")
    assert breaker_states() == {"claude-sonnet-5-5": "open"}
    assert status()["status"] == "degraded"
    await until(lambda: breaker_states()["claude-sonnet-5-5"] == "half_open")
    fake_claude.hold()
    probe = asyncio.ensure_future(ask(QUESTION, api_key=key, operation="chat.reply"))
    await until(lambda: fake_claude.open_streams)
    with pytest.raises(ModelUnavailable):  # one probe at a time
        await ask(QUESTION, api_key=key, operation="chat.reply")
    assert len(fake_claude.requests) == 3
    fake_claude.release()
    assert (await probe).text
    assert breaker_states() == {"claude-sonnet-5-5": "closed"}
    assert status()["status"] == "ok"


async def test_a_probe_whose_caller_leaves_lets_the_next_one_probe(fake_claude, key, settings):
    settings.BREAKER_FAILURES, settings.BREAKER_SECONDS = 1, 0.01
    fake_claude.then(Script(status=500))
    with pytest.raises(ModelUnavailable):
        await ask(QUESTION, api_key=key, operation="chat.reply")
    await until(lambda: breaker_states()["claude-sonnet-5-5"] == "half_open")
    async with aclosing(stream(QUESTION, api_key=key, operation="chat.reply")) as parts:
        await anext(parts)
    assert (await ask(QUESTION, api_key=key, operation="chat.reply")).text


async def test_an_error_of_ours_does_not_count_against_the_provider(fake_claude, key, settings):
    settings.BREAKER_FAILURES = 2
    fake_claude.then(*[Script(status=400, error_type="invalid_request_error")] * 4)
    for _ in range(4):
        with pytest.raises(ModelUnavailable):
            await ask(QUESTION, api_key=key, operation="chat.reply")
    assert len(fake_claude.requests) == 4


async def test_where_nobody_listens_nothing_is_sent_and_the_row_says_so(key, settings):
    settings.ANTHROPIC_API_KEY = "sk-ant-test"  # the suite's base URL is a closed port
    with pytest.raises(ModelUnavailable):
        await ask(QUESTION, api_key=key, operation="chat.reply")
    record = await row()
    assert (record.outcome, record.error_type, record.usage_complete) == (
        "failed",
        "unreachable",
        True,
    )


async def test_without_the_database_the_call_is_refused(fake_claude, key, monkeypatch):
    def away(*args):
        raise OperationalError

    monkeypatch.setattr("usage.ledger.reserve", away)
    with pytest.raises(ModelUnavailable) as refusal:
        await ask(QUESTION, api_key=key, operation="chat.reply")
    assert refusal.value.get_codes() == "ledger_unavailable"
    assert not fake_claude.requests


async def test_a_settlement_that_finds_no_database_is_spooled_and_the_answer_still_given(
    fake_claude, key, monkeypatch, settings, tmp_path
):
    settings.STATE_DIR = tmp_path
    settle = ledger.settle

    def away(*args):
        raise OperationalError

    monkeypatch.setattr("usage.ledger.settle", away)
    reply = await ask(QUESTION, api_key=key, operation="chat.reply")
    assert (await row()).state == State.OPEN
    monkeypatch.setattr("usage.ledger.settle", settle)
    assert (await on_database(sweep)()).replayed == 1
    record = await row()
    assert (record.state, record.cost_usd) == (State.SETTLED, reply.cost_usd)
    assert await spent() == (fake_claude.billed_usd, 0)


async def test_a_caller_who_leaves_before_the_first_event_is_charged_what_the_provider_bills(
    fake_claude, key
):
    """The request is kept until the provider said what its input costs."""
    fake_claude.delay_start()
    task = asyncio.ensure_future(ask(QUESTION, api_key=key, operation="chat.reply"))
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

    monkeypatch.setattr("usage.ledger.reserve", slow)
    task = asyncio.ensure_future(ask(QUESTION, api_key=key, operation="chat.reply"))
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
    reply = await ask(QUESTION, api_key=key, operation="chat.reply")
    assert reply.cost_usd == fake_claude.billed_usd
    assert (await row()).inference_geo == geo


@pytest.mark.parametrize("ttl", ["5m", "1h"])
async def test_cache_writes_are_billed_by_their_lifetime_with_or_without_the_split(
    fake_claude, key, settings, ttl
):
    settings.PROMPT_CACHE_TTL = ttl
    fake_claude.then(Script(), Script(split=False))
    first = await ask(QUESTION, api_key=key, operation="chat.reply")
    written = (
        first.usage.cache_write_1h_tokens if ttl == "1h" else first.usage.cache_write_5m_tokens
    )
    assert written > 512
    assert first.cost_usd == fake_claude.billed_usd
    other = Prompt(("Otro prefijo estable. " * 200,), QUESTION.turns, 500)
    unsplit = await ask(other, api_key=key, operation="chat.reply")
    assert unsplit.usage.cache_write_tokens > 512
    assert sum(bill.usd for bill in fake_claude.bills) <= first.cost_usd + unsplit.cost_usd


async def test_no_more_output_than_max_tokens_is_ever_held_for_or_billed(fake_claude, key):
    fake_claude.say("palabra " * 400)
    reply = await ask(Prompt(SYSTEM, QUESTION.turns, 50), api_key=key, operation="chat.reply")
    assert reply.stop_reason == "max_tokens"
    assert reply.usage.output_tokens <= 50
    record = await row()
    assert record.cost_usd <= record.held_usd


async def test_logs_name_facts_and_never_what_was_said(fake_claude, key, caplog):
    caplog.set_level("INFO")
    fake_claude.say("respuesta secreta")
    await ask(QUESTION, api_key=key, operation="chat.reply")
    assert "model_call" in caplog.text
    assert "secreta" not in caplog.text
    assert "folio" not in caplog.text
    assert "sk-ant" not in caplog.text
