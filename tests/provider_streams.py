"""Streams as no provider should send them: the proper one, bent at random, with what may be concluded."""

import json
import random
from collections.abc import Callable, Iterator
from typing import Final

from tests.fake_claude import Script

Event = dict[str, object]

MODEL: Final = "claude-sonnet-5-5"
ODD_TEXTS: Final[tuple[str, ...]] = (
    "",
    "\n",
    "   ",
    "\x00",
    "uno\x00dos",
    "\ud83d",
    "\ude00",
    "medio \ud83d",
    "\ude00 par",
    "ñandú 😀",
    "\u2028",
    "[1]",
    "x" * 3000,
    '{"a": "\\ud800"}',
)
ODD_VALUES: Final[tuple[object, ...]] = (None, "", "7", -1, 3.5, True, [], {}, 10**30, "\x00")
STOP_REASONS: Final = (
    "end_turn",
    "end_turn",
    "end_turn",
    "max_tokens",
    "refusal",
    "pause_turn",
    "tool_use",
    "brand_new_reason",
    None,
)
NUMBERS: Final = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def proper(rng: random.Random) -> list[Event]:
    """Return the events of an answer as the API promises them."""
    usage = {name: rng.randrange(2000) for name in NUMBERS}
    start: Event = {
        "id": "msg_1",
        "model": MODEL,
        "content": [],
        "stop_reason": None,
        "usage": usage | {"output_tokens": 1},
    }
    texts = rng.choices(["La factura ", "afecta ", "es la 33. ", *ODD_TEXTS], k=rng.randrange(1, 6))
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text},
            }
            for text in texts
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": rng.choice(STOP_REASONS), "stop_details": None},
            "usage": {"output_tokens": rng.randrange(1, 500)},
        },
        {"type": "message_stop"},
    ]


def script(seed: int) -> Script:
    """Return one stream; the same for the same seed."""
    rng = random.Random(seed)  # repeatable, not secret
    events = proper(rng)
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        rng.choice(_BENDS)(rng, events)
    frames = [_frame(rng, event) for event in events]
    if rng.random() < 0.15:
        frames.insert(rng.randrange(len(frames) + 1), rng.choice(_JUNK))
    raw = b"".join(frames)
    if rng.random() < 0.1:
        raw = raw[: rng.randrange(len(raw) + 1)]
    return Script(raw=raw, ending="abort" if rng.random() < 0.07 else "")


def _frame(rng: random.Random, event: Event) -> bytes:
    name = event.get("type")
    head = f"event: {name}\n" if rng.random() > 0.02 else ""
    return f"{head}data: {json.dumps(event)}\n\n".encode()


_JUNK: Final = (
    b"event: content_block_delta\ndata: {nothing\n\n",
    b"event: message_delta\ndata: [1, 2]\n\n",
    b"event: message_delta\ndata: null\n\n",
    b"data: \xff\xfe\n\n",
    b": a comment\n\n",
    b"event: error\ndata: overloaded\n\n",
    b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error"}}\n\n',
    b'event: error\ndata: {"type": "error", "error": null}\n\n',
    b'event: telepathy\ndata: {"type": "telepathy"}\n\n',
    b"data: " + b"[" * 50_000 + b"\n\n",
    b"\n\n\n",
)


def _drop(rng: random.Random, events: list[Event]) -> None:
    if events:
        del events[rng.randrange(len(events))]


def _double(rng: random.Random, events: list[Event]) -> None:
    if events:
        events.insert(rng.randrange(len(events) + 1), rng.choice(events))


def _shuffle(rng: random.Random, events: list[Event]) -> None:
    rng.shuffle(events)


def _swap(rng: random.Random, events: list[Event]) -> None:
    if len(events) > 1:
        one = rng.randrange(len(events) - 1)
        events[one], events[one + 1] = events[one + 1], events[one]


def _spoil(rng: random.Random, events: list[Event]) -> None:
    """Put an odd value anywhere."""
    places = [place for event in events for place in _places(event)]
    if places:
        holder, name = rng.choice(places)
        if rng.random() < 0.4:
            holder.pop(name)
        else:
            holder[name] = rng.choice(ODD_VALUES)


def _second_end(rng: random.Random, events: list[Event]) -> None:
    usage = rng.choice([None, {}, {"output_tokens": 9}, {"cache_creation_input_tokens": 300}])
    delta = rng.choice([None, {}, {"stop_reason": None}])
    events.insert(
        max(0, len(events) - 1), {"type": "message_delta", "delta": delta, "usage": usage}
    )


_BENDS: Final[tuple[Callable[[random.Random, list[Event]], None], ...]] = (
    _drop,
    _double,
    _shuffle,
    _swap,
    _spoil,
    _spoil,
    _second_end,
)


def _places(value: object) -> Iterator[tuple[Event, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield value, name
            yield from _places(inner)
