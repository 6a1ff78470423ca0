"""One connection to the server: how long it may take, and what it is told before it is closed.

Twisted closes what it cannot read with an empty 400 or with nothing, and waits for good for whoever
sends a byte now and then. Here every refusal has the shape of the application's, and a request has to
make progress: the limits are those of Apache's mod_reqtimeout, header 20 s, body 20 s and a minimum rate.
"""

import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import structlog
from daphne.http_protocol import HTTPFactory
from daphne.ws_protocol import WebSocketProtocol
from twisted.internet import tcp
from twisted.web import http

from aiservice.bodies import BoundedRequest, refusal

log = structlog.get_logger("aiservice.access")

# Between two requests. More than the 60 s of nginx and of most load balancers: who keeps a connection
# shorter never sends a request into one that is just being closed.
IDLE_SECONDS: Final = 75.0
HEADER_SECONDS: Final = 20.0
BODY_SECONDS: Final = 20.0
BODY_BYTES_PER_SECOND: Final = 1024
# How long a refused client's data is still read, so that it can see the answer.
LINGER_SECONDS: Final = 2.0
# How long a client may take to read the last answer of a connection.
FLUSH_SECONDS: Final = 300.0


class Wire(tcp.Server):
    """A connection that sends at once what its socket takes.

    Twisted's own asks the event loop each time to be told when it may write, and then to be told no more:
    for the pieces of a stream that is most of what sending them costs.
    """

    def write(self, data: bytes) -> None:
        """Send, and keep what the socket does not take now."""
        free = not (self.dataBuffer or self._tempDataBuffer or self.disconnecting)
        if free and data and self.connected and not self._writeDisconnected:
            sent = self.writeSomeData(data)
            if isinstance(sent, int):  # if it is lost, the event loop finds out, and says so
                data = data[sent:]
        if data:
            super().write(data)  # type: ignore[no-untyped-call]

    def writeSequence(self, iovec: Iterable[bytes]) -> None:  # noqa: N802
        """Send all pieces in one."""
        self.write(b"".join(iovec))


HTTPChannel: Any = http.HTTPChannel  # only half of it is typed


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that speaks HTTP/1.1."""

    begun = False
    """Whether a request has begun to arrive and is not complete."""
    refused = False

    def connectionMade(self) -> None:  # noqa: N802
        """Wait for the first request no longer than for any other."""
        self.timeOut = IDLE_SECONDS
        super().connectionMade()

    def resetTimeout(self) -> None:  # noqa: N802
        """Do nothing: a byte is no progress."""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Read on, unless all has been said."""
        if not self.refused:
            super().dataReceived(data)

    def lineReceived(self, line: bytes) -> bool:  # noqa: N802
        """Take a line of the head; true when there is nothing more to read."""
        if line and not self.begun:
            self.begun = True
            self.setTimeout(HEADER_SECONDS)
            line = line if line.isascii() else in_ascii(line)
        super().lineReceived(line)
        return self.refused

    def lineLengthExceeded(self, line: bytes) -> bool:  # noqa: N802
        """Refuse a line that does not end."""
        self.refuse(431 if self.begun else 414)
        return True

    def allHeadersReceived(self) -> None:  # noqa: N802
        """Wait for the body as long as its bytes deserve."""
        self.body_began, self.body_received = time.monotonic(), 0
        self.setTimeout(BODY_SECONDS)
        super().allHeadersReceived()

    def rawDataReceived(self, data: bytes) -> bool:  # noqa: N802
        """Take a piece of the body; true when there is nothing more to read."""
        if self.begun:
            self.body_received += len(data)
            earned = BODY_SECONDS + self.body_received / BODY_BYTES_PER_SECOND
            left = earned - (time.monotonic() - self.body_began)
            self.setTimeout(max(0.0, min(IDLE_SECONDS, left)))
        super().rawDataReceived(data)
        return self.refused

    def allContentReceived(self) -> None:  # noqa: N802
        """Hand the request over; Twisted stops the clock, and starts it again after the answer."""
        self.begun = False
        self.timeOut = IDLE_SECONDS
        super().allContentReceived()

    def requestDone(self, request: object) -> None:  # noqa: N802
        """Go on to the next request, or wait until the client has read its answer, but not for good."""
        super().requestDone(request)
        if not self.persistent:
            self.setTimeout(FLUSH_SECONDS)

    def timeoutConnection(self) -> None:  # noqa: N802
        """Say so where a request was under way, and close."""
        if self.begun and not self.refused:
            self.refuse(408)
        else:
            super().timeoutConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802
        large = self._receivedHeaderSize > self.totalHeadersSize
        self.refuse(431 if large or self._receivedHeaderCount > self.maxHeaders else 400)

    def refuse(self, status: int) -> None:
        """Answer before there is a request that could, and close."""
        if self.refused:
            return
        self.refused = True
        body = refusal(status)
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        # A socket closed with data still unread is reset, and the client loses the answer.
        self.transport.loseWriteConnection()
        self.setTimeout(LINGER_SECONDS)
        log.info("refused", status=status, address=getattr(self.transport.getPeer(), "host", None))


def in_ascii(line: bytes) -> bytes:
    """Escape what a client sent unescaped in a request's target: UTF-8, or else what Windows writes."""
    method, space, rest = line.partition(b" ")
    try:
        rest.decode()
    except UnicodeDecodeError:
        rest = rest.decode("latin-1").encode()
    return method + space + quote(rest, safe=bytes(range(0x80))).encode()


class WebSocket(WebSocketProtocol):  # type: ignore[misc]  # daphne ships no types
    """A WebSocket whose client is told what was wrong with its message."""

    def _max_message_size_exceeded(self, msg_size: int, max_msg_size: int, reason: str) -> None:
        super()._max_message_size_exceeded(
            msg_size,
            max_msg_size,
            f"El mensaje es demasiado grande: el máximo es {max_msg_size} bytes.",
        )


class Factory(HTTPFactory):  # type: ignore[misc]  # daphne ships no types
    """Daphne's protocol factory, with our connections and requests."""

    protocol = Channel

    def buildProtocol(self, addr: object) -> object:  # noqa: N802
        """Build the protocol of one connection."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = BoundedRequest
        return protocol
