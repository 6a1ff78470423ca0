"""A server whose replies outlast SIGTERM, run as a process by test_serve.py.

Its arguments: PORT DRAIN_SECONDS EXIT_SECONDS STOP_DELAY LOG.
"""

import logging
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from aiservice.serve import DrainingServer, endpoint

HEADERS = [(b"content-type", b"text/plain")]


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await chat(receive, send)
    elif scope["path"] == "/measure":
        await measure(receive, send)
    elif scope["path"] == "/root":
        await answer(scope["root_path"], send)
    elif scope["path"] == "/blocks":
        threading.Thread(target=never_end).start()
        await answer("a thread is busy", send)
    else:
        await reply(scope["path"], receive, send)


async def chat(receive: Any, send: Any) -> None:
    """Accept, then note how it ends."""
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] != "websocket.disconnect":
        pass
    note(f"websocket closed with {event['code']}")


async def reply(path: str, receive: Any, send: Any) -> None:
    """Send one line; at /finishes a second one after SIGTERM; at /hangs wait for the client to go."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"before\n", "more_body": True})
    if path == "/hangs":
        while (await receive())["type"] != "http.disconnect":
            pass
        note("reply hung up on")
        return
    await server.draining.wait()
    await send({"type": "http.response.body", "body": b"after\n" * 100_000})


def never_end() -> None:
    time.sleep(600)


async def measure(receive: Any, send: Any) -> None:
    """Answer how long the body is."""
    length, more = 0, True
    while more:
        event = await receive()
        length += len(event["body"])
        more = event["more_body"]
    await answer(str(length), send)


async def answer(text: str, send: Any) -> None:
    """Send a whole reply."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": text.encode()})


def note(line: str) -> None:
    with log.open("a") as file:
        file.write(line + "\n")


if __name__ == "__main__":
    # A suite in the background of a shell ignores Ctrl-C, and so would what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    port, drain_seconds, exit_seconds, stop_delay, notes = sys.argv[1:]
    log = Path(notes)
    logging.basicConfig(level=logging.INFO)
    server = DrainingServer(
        application,
        drain_seconds=float(drain_seconds),
        exit_seconds=float(exit_seconds),
        stop_delay=float(stop_delay),
        announce_stop=lambda: note("stopping") if stop_delay != "0" else None,
        endpoints=[endpoint("127.0.0.1", int(port))],
    )
    server.run()
