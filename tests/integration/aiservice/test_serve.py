"""The server command: what happens to open replies when it is stopped, and how it fails to start."""

import itertools
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from aiservice.serve import EXIT_SECONDS, WEBSOCKET_MESSAGE_BYTES
from tests import servers

pytestmark = pytest.mark.integration

CEILING = 100_000


class SlowServer:
    """The process of slow_server.py."""

    def __init__(
        self,
        directory: Path,
        drain_seconds: float,
        exit_seconds: float = EXIT_SECONDS,
        stop_delay: float = 0,
    ) -> None:
        self.port = servers.free_port()
        self.notes = directory / "notes"
        self.log = directory / "log"
        self.notes.touch()
        numbers = (self.port, drain_seconds, exit_seconds, stop_delay)
        arguments = [*map(str, numbers), str(self.notes)]
        self.process = servers.start(
            [sys.executable, "-m", "tests.integration.slow_server", *arguments],
            log=self.log,
            env=os.environ | {"MAX_REQUEST_BYTES": str(CEILING)},
        )
        servers.wait_until(self.answers, self.process)

    def answers(self) -> bool:
        """Whether requests are served; the port listens a moment before signals are handled."""
        try:
            return httpx2.get(f"http://127.0.0.1:{self.port}/measure").text == "0"
        except httpx2.TransportError:
            return False

    @contextmanager
    def open(self, path: str) -> Iterator[Iterator[str]]:
        """Start a request, wait for the first line of its reply and yield the rest."""
        with httpx2.stream("GET", f"http://127.0.0.1:{self.port}{path}", timeout=20) as response:
            lines = response.iter_lines()
            assert next(lines) == "before"
            yield lines

    def stop(self) -> int:
        return servers.stop(self.process, signal.SIGTERM)


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[SlowServer]:
    server = SlowServer(tmp_path, drain_seconds=20)
    yield server
    server.stop()


@pytest.fixture
def hurried(tmp_path: Path) -> Iterator[SlowServer]:
    server = SlowServer(tmp_path, drain_seconds=0)
    yield server
    server.stop()


def test_new_connections_are_served_until_the_delay_is_over(tmp_path):
    server = SlowServer(tmp_path, drain_seconds=20, stop_delay=600)
    server.process.send_signal(signal.SIGTERM)
    servers.wait_until(lambda: "stopping" in server.notes.read_text(), server.process)
    assert server.answers()
    server.process.send_signal(signal.SIGINT)  # a second signal from a terminal ends at once
    assert server.process.wait(20) == 128 + signal.SIGINT


def test_sigterm_lets_an_open_reply_finish(patient):
    with patient.open("/finishes") as lines:
        patient.process.send_signal(signal.SIGTERM)
        assert list(lines) == ["after"] * 100_000
    assert patient.process.wait(20) == 0


def test_sigterm_refuses_new_connections_while_a_reply_finishes(patient):
    with patient.open("/finishes") as lines:
        patient.process.send_signal(signal.SIGTERM)
        assert next(lines) == "after"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", patient.port))


def test_sigterm_hangs_up_on_a_reply_that_does_not_end_in_time(hurried):
    with hurried.open("/hangs") as lines:
        assert hurried.stop() == 0
        with pytest.raises(httpx2.TransportError):
            list(lines)
    assert hurried.notes.read_text() == "reply hung up on\n"


def test_sigterm_tells_websockets_that_the_server_goes_away(hurried):
    with connect(f"ws://127.0.0.1:{hurried.port}/") as websocket:
        hurried.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            websocket.recv(timeout=20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert hurried.process.wait(20) == 0
    assert hurried.notes.read_text() == "websocket closed with 1001\n"


def test_sigterm_without_connections_ends_at_once(patient):
    assert patient.stop() == 0


def test_ctrl_c_says_that_it_drains_and_a_second_one_ends_at_once(patient):
    with patient.open("/hangs"):
        patient.process.send_signal(signal.SIGINT)
        servers.wait_until(lambda: "draining: 1 open" in patient.log.read_text(), patient.process)
        patient.process.send_signal(signal.SIGINT)
        assert patient.process.wait(5) == 130


def test_sigterm_waits_for_no_thread_that_never_ends_and_says_where_it_is(tmp_path):
    server = SlowServer(tmp_path, drain_seconds=0, exit_seconds=0.5)
    assert httpx2.get(f"http://127.0.0.1:{server.port}/blocks").text == "a thread is busy"
    assert server.stop() == 1
    assert "in never_end" in server.log.read_text()


def post(server: SlowServer, content: bytes | Iterator[bytes]) -> httpx2.Response:
    return httpx2.post(f"http://127.0.0.1:{server.port}/measure", content=content, timeout=20)


@pytest.mark.parametrize(
    ("content", "length"),
    [(b"", 0), (b"x" * CEILING, CEILING), (iter([b"x" * 1000] * 50), 50_000)],
)
def test_body_within_the_ceiling_arrives_whole(patient, content, length):
    assert post(patient, content).text == str(length)


@pytest.mark.parametrize("content", [b"x" * (CEILING + 1), iter([b"x" * 1000] * 101)])
def test_body_above_the_ceiling_is_refused_in_the_shape_of_every_error(patient, content):
    response = post(patient, content)
    assert response.status_code == 413
    assert response.json() == {
        "detail": "La solicitud es demasiado grande.",
        "code": "request_too_large",
    }


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data", "multipart/form-data; boundary=é", "application/x-www-form-urlencoded"],
)
def test_form_is_left_to_the_application(patient, content_type):
    # The server would refuse these without a word, or spend the event loop's time on parsing them.
    response = httpx2.post(
        f"http://127.0.0.1:{patient.port}/measure",
        content=b"not a form",
        headers={"Content-Type": content_type.encode("latin-1")},
        timeout=20,
    )
    assert response.text == "10"


@pytest.mark.parametrize("prefix", ["/somewhere", "/é"])
def test_client_cannot_choose_the_path_prefix(patient, prefix):
    response = httpx2.get(
        f"http://127.0.0.1:{patient.port}/root",
        headers={"Daphne-Root-Path": prefix.encode("latin-1")},
        timeout=20,
    )
    assert (response.status_code, response.text) == (200, "")


def test_client_that_never_stops_sending_is_cut_off(patient):
    with pytest.raises(httpx2.TransportError):
        post(patient, itertools.repeat(b"x" * CEILING))


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /measure HTTP/1.1\r\nX-Odd: \x85",
        b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: \xff",
    ],
)
def test_what_the_server_cannot_take_is_refused_in_the_shape_of_every_error(patient, request_line):
    with socket.create_connection(("127.0.0.1", patient.port), timeout=20) as client:
        client.sendall(request_line + b"\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code": "bad_request"' in answer
    assert "Traceback" not in patient.log.read_text()


def test_websocket_message_above_the_limit_closes_the_socket(patient):
    with connect(f"ws://127.0.0.1:{patient.port}/") as websocket:
        websocket.send("x" * (WEBSOCKET_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed):
            websocket.recv(timeout=20)
