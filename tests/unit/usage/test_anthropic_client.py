"""What goes to Anthropic and what comes back: requests, events, failures, money; without a connection."""

import json
from decimal import Decimal
from itertools import pairwise

import anthropic
import httpx2
import pytest
from hypothesis import given, strategies

from tests.fake_claude.protocol import blocks, tokens, wrong_body
from usage.errors import ModelUnavailable
from usage.llm import Prompt, Turn, compose, failures, sdk
from usage.llm.estimate import Density, input_bound
from usage.llm.reading import Reading
from usage.llm.texts import clean, ends_half_way
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


texts = strategies.text(strategies.characters(exclude_categories=()), max_size=20)
turns = strategies.builds(Turn, strategies.sampled_from(["user", "assistant"]), texts)


@given(strategies.lists(turns, max_size=8))
def test_whatever_was_said_the_request_is_valid(stored):
    prompt = Prompt(("instrucciones",), (*stored, Turn("user", "¿Folio?")), 10)
    arguments = compose.parameters(prompt, MODEL)
    assert wrong_body("/v1/messages", arguments) is None
    roles = [message["role"] for message in arguments["messages"]]
    assert all(one != two for one, two in pairwise(roles))
    sent = json.dumps(arguments, ensure_ascii=False)
    sent.encode()
    assert "\\u0000" not in sent


def test_without_a_word_of_the_user_nothing_is_asked():
    with pytest.raises(ModelUnavailable):
        compose.parameters(Prompt(("a",), (Turn("user", " \x00\n"),), 10), MODEL)


@pytest.mark.parametrize(
    ("model", "effort"),
    [
        ("claude-sonnet-5-5", True),
        ("claude-haiku-5-5", True),
        ("claude-haiku-4-5", False),
        ("claude-haiku-4-5-20251001", False),
        ("claude-sonnet-4-5-20250929", False),
        ("claude-opus-4-5", True),
        ("a-model-of-tomorrow", False),
    ],
)
def test_a_request_asks_for_effort_only_where_the_model_takes_it(model, effort):
    prompt = Prompt(("a",), CONVERSATION, 10, effort="medium")
    assert ("output_config" in compose.parameters(prompt, model)) is effort


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


def start(**usage):
    numbers = {"input_tokens": 5, "output_tokens": 1}
    return {
        "type": "message_start",
        "message": {"id": "msg_1", "model": MODEL, "usage": numbers | usage},
    }


def end(**usage):
    delta = {"stop_reason": "end_turn"}
    return {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 9} | usage}


def test_the_last_report_replaces_the_first_and_is_not_added():
    reading = Reading()
    for item in (start(), end(output_tokens=9), end(output_tokens=12, input_tokens=6)):
        reading.feed(item)
    assert reading.usage == TokenUsage(input_tokens=6, output_tokens=12)


@pytest.mark.parametrize(("one_hour", "expected"), [(False, (70, 30)), (True, (60, 40))])
def test_writes_missing_from_the_split_are_still_counted(one_hour, expected):
    reading = Reading(one_hour_cache=one_hour)
    split = {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 30}
    reading.feed(start(cache_creation_input_tokens=100, cache_creation=split))
    usage = reading.usage
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == expected


@pytest.mark.parametrize(
    ("at_the_end", "expected"),
    [
        ({"cache_creation_input_tokens": 50}, (20, 30)),
        ({"cache_creation_input_tokens": 10}, (0, 10)),
        ({"cache_creation_input_tokens": 120}, (90, 30)),
        ({"cache_creation": {"ephemeral_5m_input_tokens": 7}}, (7, 0)),
        ({"cache_creation_input_tokens": None}, (60, 30)),
        ({}, (60, 30)),
    ],
)
def test_writes_reported_at_the_end_replace_those_of_the_beginning(at_the_end, expected):
    reading = Reading()
    split = {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 30}
    reading.feed(start(cache_creation_input_tokens=90, cache_creation=split))
    reading.feed(end(**at_the_end))
    usage = reading.usage
    assert (usage.cache_write_5m_tokens, usage.cache_write_1h_tokens) == expected


def test_events_that_are_yet_to_be_invented_are_ignored():
    reading = Reading()
    assert reading.feed({"type": "telepathy_delta"}) == ""
    assert not reading.began
    assert reading.feed({"type": "content_block_start", "content_block": {"type": "new"}}) == ""
    delta = {"type": "citations_delta"}
    assert reading.feed({"type": "content_block_delta", "delta": delta}) == ""


json_values = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers()
    | strategies.floats()
    | strategies.text(strategies.characters(exclude_categories=())),
    lambda inner: strategies.lists(inner) | strategies.dictionaries(strategies.text(), inner),
    max_leaves=8,
)
FIELDS = ("message", "usage", "delta", "content_block", "type", "text", "stop_reason", "model")
events = strategies.dictionaries(strategies.sampled_from(FIELDS), json_values) | strategies.builds(
    lambda kind, fields: fields | {"type": kind},
    strategies.sampled_from(["message_start", "message_delta", "content_block_delta"]),
    strategies.dictionaries(strategies.sampled_from(FIELDS), json_values),
)


@given(strategies.lists(events))
def test_no_event_can_break_the_reading(stream):
    reading = Reading()
    said = "".join(reading.feed(event) for event in stream)
    assert said == reading.text
    said.encode()
    assert "\x00" not in said
    assert reading.usage.total >= 0


@given(strategies.lists(strategies.text(strategies.characters(exclude_categories=()))))
def test_a_letter_that_comes_in_two_halves_is_put_together(pieces):
    whole = "".join(pieces)
    reading = Reading()
    for piece in pieces:
        delta = {"type": "text_delta", "text": piece}
        reading.feed({"type": "content_block_delta", "delta": delta})
    half = 1 if ends_half_way(whole) else 0  # the other half never came
    assert reading.text == clean(whole[: len(whole) - half])


def response(status, **headers):
    request = httpx2.Request("POST", "http://localhost/v1/messages")
    return httpx2.Response(status, request=request, headers=headers)


def status_error(status, error_type=None, **headers):
    body = {"error": {"type": error_type}} if error_type else None
    return anthropic.APIStatusError("x", response=response(status, **headers), body=body)


@pytest.mark.parametrize(
    ("exc", "provider", "retry"),
    [
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
    failure = sdk.classify(exc)
    assert (failure.provider, failure.retry) == (provider, retry)


@pytest.mark.parametrize(
    ("error", "type_", "provider"),
    [
        ({"type": "overloaded_error"}, "overloaded_error", True),
        ({"type": "invalid_request_error"}, "invalid_request_error", False),
        ({"type": 7}, "api_error", True),
        (None, "api_error", True),
    ],
)
def test_an_error_event_in_mid_stream_has_a_meaning(error, type_, provider):
    failure = failures.reported({"type": "error", "error": error}, "req_1")
    assert (failure.type, failure.provider, failure.request_id) == (type_, provider, "req_1")


def test_the_own_spend_limit_is_a_state_and_no_invalid_request():
    text = "You have reached your specified API usage limits."
    exc = anthropic.BadRequestError(
        text, response=response(400), body={"error": {"type": "invalid_request_error"}}
    )
    failure = sdk.classify(exc)
    assert (failure.type, failure.provider, failure.invalid) == ("spend_cap", True, False)
    assert failure.stay_away > 0


@pytest.mark.parametrize(
    ("headers", "wait", "away"),
    [
        ({"retry-after-ms": "1500"}, 1.5, 0),
        ({"retry-after": "2"}, 2, 0),
        ({"retry-after": "600"}, 600, 600),
        ({"retry-after": "tomorrow"}, 0, 0),
        ({"retry-after": "inf"}, 0, 0),
        ({"retry-after": "nan"}, 0, 0),
        ({}, 0, 0),
    ],
)
def test_retry_after_is_read_in_both_forms(headers, wait, away):
    failure = sdk.classify(status_error(429, "rate_limit_error", **headers))
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
