"""The provider's events, however its bytes arrive."""

import pytest
from anthropic._streaming import SSEDecoder

from usage.llm.sse import Events

pytestmark = pytest.mark.unit

STREAM = (
    'event: message_start\ndata: {"a": "ñ€"}\n\n'
    ": a comment\n\n"
    "event:ping\ndata\n\n"
    "id: 7\nretry: 10\ndata:  two\ndata: lines\n\n"
    "event: message_stop\ndata: {}\n\n"
)


def read(pieces: list[bytes]) -> list[tuple[str | None, str]]:
    events = Events()
    found = [event for piece in pieces for event in events.feed(piece)]
    return [event for event in [*found, *events.end()] if event[1]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_those_of_the_sdk_whatever_the_pieces_and_the_ends_of_lines(
    end: str, size: int
) -> None:
    data = STREAM.replace("\n", end).encode()
    expected = [
        (event.event, event.data) for event in SSEDecoder().iter_bytes(iter([data])) if event.data
    ]
    assert len(expected) == 3
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert read(pieces) == expected


def test_an_event_without_its_end_is_none() -> None:
    assert read([b"data: {}\n"]) == []


def test_what_came_before_a_byte_that_is_no_text_counts() -> None:
    events = Events().feed(b"data: 1\n\ndata: \xff\n\n")
    assert next(events) == (None, "1")
    with pytest.raises(UnicodeDecodeError):
        next(events)
