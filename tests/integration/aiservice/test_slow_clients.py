"""Clients that take their time: none of them keeps its connection for good."""

import json
import select
import socket
import time

import pytest
from websockets.asyncio.client import connect

from tests import raw
from tests.integration.conftest import RunningService, StartService
from tests.integration.hasty_server import HASTE
from usage.models import ApiKey

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

HEAD = b"POST /live HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BODY = HEAD + b"Content-Length: 1000000\r\n\r\n"


@pytest.fixture(scope="module")
def service(module_services: StartService) -> RunningService:
    """The service without a Claude key and with a tenth of its patience, for all these tests."""
    return module_services(module="tests.integration.hasty_server")


def test_connections_that_send_a_byte_now_and_then_are_told_and_closed(service: RunningService):
    wires = []
    for start in (b"G", HEAD + b"X: ", BODY):
        for _ in range(70):
            wire = raw.connect(service.url, 100)
            wire.sendall(start)
            wires.append(wire)
    alive, answers = set(wires), []
    began = time.monotonic()
    while alive and time.monotonic() < began + 60:
        told, _, _ = select.select(list(alive), [], [], 0)
        for wire in told:
            # A request line that does not end is an idle connection, and closed as one.
            if wire.recv(1, socket.MSG_PEEK):
                answers.append(raw.read(wire))
            alive.remove(wire)
            wire.close()
        for wire in alive:
            wire.sendall(b"a")
        time.sleep(1 / HASTE)

    assert not alive
    assert [(answer.status, answer.json["code"]) for answer in answers] == [
        (408, "request_timeout")
    ] * 140


def test_a_body_that_makes_progress_may_take_longer(service: RunningService):
    body = json.dumps({"a": "b" * 60_000}).encode()
    with raw.connect(service.url) as wire:
        wire.sendall(raw.request("POST", "/live", {"Content-Length": str(len(body))}))
        for start in range(0, len(body), 2_000):
            wire.sendall(body[start : start + 2_000])
            time.sleep(0.8 / HASTE)
        answer = raw.read(wire)

    assert answer.status == 405


async def test_a_question_of_escaped_emoji_is_read_and_a_longer_one_is_refused_in_words(
    service: RunningService, api_key: tuple[ApiKey, str]
):
    address = service.url.replace("http", "ws", 1) + "/ws/chat/"
    headers = {"X-Api-Key": api_key[1]}
    async with connect(address, additional_headers=headers) as chat:
        await chat.send(json.dumps({"message": "🧾" * 10_000}))
        event = json.loads(await chat.recv())
        while event["type"] in {"text", "ping"}:
            event = json.loads(await chat.recv())
        assert event["type"] == "done"
        await chat.send(json.dumps({"message": "🧾" * 30_000}))
        await chat.wait_closed()

    assert chat.close_code == 1009
    assert chat.close_reason == "El mensaje es demasiado grande: el máximo es 262144 bytes."
