"""A stand-in for the Anthropic API whose time is known, so that what is left is ours.

    python -m tests.load.upstream --port 9100 --delay 0.05 --chunks 50 --interval 0.1

Raw asyncio, because it must cost less than what is measured against it.
"""

import argparse
import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

WORD: Final = "palabra "
HEAD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: %s\r\nrequest-id: req_local\r\n%s\r\n\r\n"


@dataclass(frozen=True)
class Pace:
    """How the stand-in behaves.

    Attributes:
        delay: Seconds before the first byte of an answer.
        chunks: Pieces of text in an answer.
        interval: Seconds between the pieces of a streamed one.
    """

    delay: float = 0.05
    chunks: int = 50
    interval: float = 0.0


def message(pace: Pace, content: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    """Return a message as the API describes it."""
    usage = {
        "input_tokens": 100,
        "output_tokens": pace.chunks,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 4000,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    }
    return {
        "id": "msg_local",
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
        **fields,
    }


def event(kind: str, **fields: Any) -> bytes:
    """Return one event of a stream, as a chunk of the HTTP body."""
    body = f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(body), body)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pace: Pace) -> None:
    """Answer the requests of one connection until the client leaves."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.partition("content-length:")[2].partition("\r\n")[0] or 0)
            request = json.loads(await reader.readexactly(length) or b"{}")
            path = head.split(" ", 2)[1]
            await answer(path, request, writer, pace)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def answer(
    path: str, request: dict[str, Any], writer: asyncio.StreamWriter, pace: Pace
) -> None:
    """Answer one request."""
    if path.startswith("/v1/messages/count_tokens"):
        plain(writer, {"input_tokens": 1000})
        return
    await asyncio.sleep(pace.delay)
    if request.get("stream"):
        await stream(request["model"], writer, pace)
    else:
        content = [{"type": "text", "text": WORD * pace.chunks}]
        plain(writer, message(pace, content, model=request["model"]))


def plain(writer: asyncio.StreamWriter, value: dict[str, Any]) -> None:
    """Send a JSON body."""
    body = json.dumps(value).encode()
    writer.write(HEAD % (b"application/json", b"content-length: %d" % len(body)) + body)


async def stream(model: str, writer: asyncio.StreamWriter, pace: Pace) -> None:
    """Send an answer piece by piece."""
    writer.write(HEAD % (b"text/event-stream", b"transfer-encoding: chunked"))
    start = message(pace, [], model=model, stop_reason=None)
    writer.write(event("message_start", message=start))
    block = {"type": "text", "text": ""}
    writer.write(event("content_block_start", index=0, content_block=block))
    piece = event("content_block_delta", index=0, delta={"type": "text_delta", "text": WORD})
    for _ in range(pace.chunks):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(pace.interval)
    writer.write(event("content_block_stop", index=0))
    ending = {"stop_reason": "end_turn", "stop_sequence": None}
    writer.write(event("message_delta", delta=ending, usage=start["usage"]))
    writer.write(event("message_stop") + b"0\r\n\r\n")
    await writer.drain()


async def main(port: int, pace: Pace) -> None:
    """Serve until stopped."""
    server = await asyncio.start_server(
        lambda reader, writer: serve(reader, writer, pace), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--delay", type=float, default=Pace.delay)
    parser.add_argument("--chunks", type=int, default=Pace.chunks)
    parser.add_argument("--interval", type=float, default=Pace.interval)
    options = parser.parse_args()
    asyncio.run(main(options.port, Pace(options.delay, options.chunks, options.interval)))
