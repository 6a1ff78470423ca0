"""A client that sends bytes as they are given, and reads what comes until the server closes."""

import json
import socket
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    phrase: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def connect(url: str, seconds: float = 20) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=seconds)


def exchange(url: str, sent: bytes, seconds: float = 20) -> Answer:
    """Send bytes and read the answer; the request must make the server close."""
    with connect(url, seconds) as wire:
        wire.sendall(sent)
        return read(wire)


def read(wire: socket.socket) -> Answer:
    received = b""
    while piece := wire.recv(65536):
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    _, status, phrase = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = unchunk(body)
    return Answer(int(status), phrase, headers, body)


def request(
    method: str, target: str | bytes, headers: dict[str, str] | None = None, body: bytes = b""
) -> bytes:
    """Write a request; a body has a length unless it is to come in chunks."""
    given = {"Host": "127.0.0.1", "Connection": "close", **(headers or {})}
    if body and "Transfer-Encoding" not in given:
        given["Content-Length"] = str(len(body))
    line = target if isinstance(target, bytes) else target.encode()
    lines = [f"{name}: {value}".encode() for name, value in given.items()]
    head = b"\r\n".join([method.encode() + b" " + line + b" HTTP/1.1", *lines])
    return head + b"\r\n\r\n" + body


def chunked(body: bytes, size: int = 1000) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def unchunk(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        whole += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return whole
