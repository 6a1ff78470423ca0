"""Events as Server-Sent Events."""

import json
from collections.abc import AsyncGenerator

import pytest

from chat.events import Begun, Last, Ping, Sent, Text
from chat.sse import event_stream, frame

pytestmark = pytest.mark.unit


def test_an_event_is_one_data_line_in_utf8_under_its_id():
    lines = frame(Text("¿Año?\nsí", "turno-01:11", 11)).decode().split("\n")

    assert lines[0] == "id: turno-01:11"
    assert json.loads(lines[1].removeprefix("data: ")) == {
        "type": "text",
        "content": "¿Año?\nsí",
        "id": "turno-01:11",
        "seq": 11,
    }
    assert lines[2:] == ["", ""]


def test_silence_is_filled_with_comments():
    assert frame(Ping()).startswith(b":")


def test_the_beginning_gives_an_id_and_nothing_to_show():
    assert frame(Begun("turno-01:0")) == b"id: turno-01:0\n\n"


def test_the_end_is_numbered_like_what_came_before():
    text = frame(Last({"type": "done", "metadata": {}}, "turno-01:12", 12)).decode()

    assert text.startswith("id: turno-01:12\ndata: ")
    assert json.loads(text.split("data: ")[1])["seq"] == 12


def test_proxies_are_told_to_leave_the_stream_alone():
    async def nothing() -> AsyncGenerator[Sent, None]:
        return
        yield

    response = event_stream(nothing(), "sesión/1")

    assert response.headers["X-Accel-Buffering"] == "no"
    assert "no-transform" in response.headers["Cache-Control"]
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert response.headers["X-Session-Id"] == "sesi%C3%B3n/1"
