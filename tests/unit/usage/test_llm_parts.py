"""The gateway's parts that need no connection."""

import json
from decimal import Decimal
from types import SimpleNamespace

import anthropic
import httpx2
import pytest

from tests.fake_claude.protocol import blocks, tokens
from usage.llm import Prompt, Turn, compose, failures
from usage.llm.estimate import Density, input_bound
from usage.llm.reading import Reading
from usage.models import Outcome
from usage.money import UsdField, from_pico, to_pico
from usage.tokens import TokenUsage

pytestmark = pytest.mark.unit

MODEL = "claude-sonnet-5-5"
SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
CONVERSATION = (
    Turn("user", "Hola", ("<pasaje>uno</pasaje>", "  ")),
    Turn("assistant", "Buenas"),
    Turn("user", "¿Folio?", ("<pasaje>dos</pasaje>",)),
)


def marks(arguments):
    system = [block.get("cache_control") for block in arguments.get("system", [])]
    turns = [
        [block.get("cache_control") for block in message["content"]]
        for message in arguments["messages"]
    ]
    return system, turns


def test_breakpoints_end_the_stable_prefix_and_the_last_turn(settings):
    arguments = compose.parameters(Prompt(("a", "b", "c"), CONVERSATION, 10), MODEL)
    system, turns = marks(arguments)
    assert system == [{"type": "ephemeral"}, None, {"type": "ephemeral"}]
    assert turns == [[None, None], [None], [None, {"type": "ephemeral"}]]
    settings.PROMPT_CACHE_TTL = "1h"
    system, turns = marks(compose.parameters(Prompt(("a",), CONVERSATION, 10), MODEL))
    assert system == [{"type": "ephemeral", "ttl": "1h"}]
    assert turns[-1][-1] == {"type": "ephemeral"}  # a longer lifetime may not follow a shorter one


def test_a_prompt_that_will_not_go_on_is_cached_up_to_its_stable_part_only():
    prompt = Prompt(("a",), CONVERSATION, 10, continues=False)
    system, turns = marks(compose.parameters(prompt, MODEL))
    assert system == [{"type": "ephemeral"}]
    assert turns == [[None, None], [None], [None, None]]


def test_passages_stand_in_their_own_turn_before_its_text():
    arguments = compose.parameters(Prompt(("a",), CONVERSATION, 10), MODEL)
    assert [block["text"] for block in arguments["messages"][0]["content"]] == [
        "<pasaje>uno</pasaje>",
        "Hola",
    ]


def test_a_longer_conversation_begins_with_the_bytes_of_the_shorter_one():
    """Breakpoints aside, for those are no part of what is cached."""

    def content(turns):
        arguments = compose.parameters(Prompt(("sistema",), turns, 10), MODEL)
        return [block for block, _, _ in blocks(arguments)]

    shorter, longer = content(CONVERSATION[:1]), content(CONVERSATION)
    assert longer[: len(shorter)] == shorter


def test_the_same_prompt_gives_the_same_bytes():
    schema = {"type": "object", "properties": {"b": {}, "a": {}}, "additionalProperties": False}
    one, two = (
        json.dumps(compose.parameters(Prompt(("a",), CONVERSATION, 10, schema=schema), MODEL))
        for _ in range(2)
    )
    assert one == two


def test_options_are_only_sent_when_they_are_asked_for(settings):
    plain = compose.parameters(Prompt((), CONVERSATION, 10), MODEL)
    assert set(plain) == {"model", "max_tokens", "messages"}
    settings.ANTHROPIC_INFERENCE_GEO = "us"
    full = compose.parameters(Prompt((), CONVERSATION, 10, schema=SCHEMA, effort="low"), MODEL)
    assert full["inference_geo"] == "us"
    assert full["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": SCHEMA},
    }
    assert "max_tokens" not in compose.countable(full)


@pytest.mark.parametrize(
    "text", ["¿Qué es un folio?", "ñandú " * 99, "{}[]();:,." * 50, "日本語", "x"]
)
def test_the_local_bound_is_never_below_the_count(text):
    prompt = Prompt((text,), (Turn("user", text, (text,)),), 10, schema=SCHEMA)
    arguments = compose.parameters(prompt, MODEL)
    counted = sum(count for _, count, _ in blocks(arguments))
    assert input_bound(arguments) >= counted
    assert input_bound(arguments) >= 3 * len(text.encode())


def test_the_density_of_an_answer_is_learnt_from_complete_ones():
    learnt = Density()
    assert learnt.tokens(MODEL, 100) >= 50  # nothing known: two bytes a token
    for _ in range(5):
        learnt.learn(MODEL, 1000, 250)
    learnt.learn(MODEL, 10, 10)  # too short to tell
    assert 250 <= learnt.tokens(MODEL, 1000) <= 252
    learnt.learn(MODEL, 1000, 300)
    assert learnt.tokens(MODEL, 1000) >= 300  # the densest of the last ones
    assert learnt.tokens("claude-haiku-5-5", 100) >= 50


def test_a_cut_answer_has_at_least_the_output_that_was_reported():
    density = Density()
    usage = TokenUsage(output_tokens=40)
    assert density.cut_short(MODEL, usage, 10).output_tokens == 40
    assert density.cut_short(MODEL, usage, 1000).output_tokens >= 500


def event(**fields):
    return SimpleNamespace(**fields)


def start(**usage):
    numbers = {
        "input_tokens": 5,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": None,
        "output_tokens": 1,
        "inference_geo": None,
    }
    return event(
        type="message_start",
        message=event(id="msg_1", model=MODEL, usage=event(**numbers | usage)),
    )


def end(**usage):
    numbers = {"input_tokens": None, "cache_read_input_tokens": None, "output_tokens": 9}
    return event(
        type="message_delta",
        delta=event(stop_reason="end_turn"),
        usage=event(**numbers | usage),
    )


def test_the_last_report_replaces_the_first_and_is_not_added():
    reading = Reading()
    for item in (start(), end(output_tokens=9), end(output_tokens=12, input_tokens=6)):
        reading.feed(item)
    assert reading.usage == TokenUsage(input_tokens=6, output_tokens=12)


@pytest.mark.parametrize(("one_hour", "expected"), [(False, (70, 30)), (True, (60, 40))])
def test_writes_missing_from_the_split_are_still_counted(one_hour, expected):
    reading = Reading(one_hour_cache=one_hour)
    split = event(ephemeral_5m_input_tokens=60, ephemeral_1h_input_tokens=30)
    reading.feed(start(cache_creation_input_tokens=100, cache_creation=split))
    usage = reading.usage
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == expected


def test_events_that_are_yet_to_be_invented_are_ignored():
    reading = Reading()
    assert reading.feed(event(type="telepathy_delta")) == ""
    assert reading.feed(event(type="content_block_start", content_block=event(type="new"))) == ""
    delta = event(type="citations_delta")
    assert reading.feed(event(type="content_block_delta", delta=delta)) == ""
    assert not reading.began


def response(status, **headers):
    request = httpx2.Request("POST", "http://localhost/v1/messages")
    return httpx2.Response(status, request=request, headers=headers)


def status_error(status, error_type=None, **headers):
    body = {"error": {"type": error_type}} if error_type else None
    return anthropic.APIStatusError("x", response=response(status, **headers), body=body)


@pytest.mark.parametrize(
    ("exc", "provider", "retry"),
    [
        (status_error(200, "overloaded_error"), True, True),  # an error event in mid-stream
        (status_error(200, "invalid_request_error"), False, False),
        (status_error(413, "request_too_large"), False, False),
        (status_error(502), True, True),
        (status_error(409, "conflict_error"), True, True),
        (httpx2.ReadError("broken"), True, True),
        (httpx2.RemoteProtocolError("cut"), True, True),
        (httpx2.ReadTimeout("silence"), True, True),
        (anthropic.APIResponseValidationError(response(200), None), True, False),
    ],
)
def test_every_way_the_sdk_fails_has_a_meaning(exc, provider, retry):
    failure = failures.classify(exc)
    assert (failure.provider, failure.retry) == (provider, retry)


@pytest.mark.parametrize(
    ("headers", "wait", "away"),
    [
        ({"retry-after-ms": "1500"}, 1.5, 0),
        ({"retry-after": "2"}, 2, 0),
        ({"retry-after": "600"}, 600, 600),
        ({"retry-after": "tomorrow"}, 0, 0),
        ({}, 0, 0),
    ],
)
def test_retry_after_is_read_in_both_forms(headers, wait, away):
    failure = failures.classify(status_error(429, "rate_limit_error", **headers))
    assert (failure.retry_after, failure.stay_away) == (wait, away)
    assert failure.outcome is Outcome.FAILED


def test_money_is_whole_pico_dollars_and_nothing_finer():
    assert to_pico(Decimal("0.000000000001")) == 1
    assert from_pico(to_pico(Decimal("9000000"))) == Decimal(9000000)
    with pytest.raises(ValueError, match="finer"):
        to_pico(Decimal("0.0000000000001"))
    field = UsdField()
    assert field.to_python("1.5") == Decimal("1.5")
    assert field.from_db_value(None, None, None) is None
    assert tokens("una factura") <= len(b"una factura")
