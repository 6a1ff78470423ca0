"""What the server itself withholds from a request, before the application hears of it.

Daphne stores a whole body, in a temporary file: without a ceiling anybody, with a key or without, could
fill the disk. The endpoints' own limits are lower and answer in their own words; this one only protects
the machine. Twisted would then parse forms, on the event loop and for nobody: 40 MiB of ``a&a&…`` held
up every other request for half a minute. And a header of daphne's own would let a client choose the
path prefix that the application believes to be mounted under.
"""

import json
import re
from collections.abc import Mapping
from http.client import responses
from typing import Any, Final

from daphne.http_protocol import WebRequest
from django.conf import settings

# A client that goes on sending is read this far, so that it can see the answer; then it is cut off.
PATIENCE: Final = 4
SUBPROTOCOL_HEADER: Final = b"Sec-WebSocket-Protocol"
ROOT_PATH_HEADER: Final = b"Daphne-Root-Path"
# RFC 9112 §3.2.2: what a client sends to a proxy, and a server must understand.
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)([^#]*)", re.IGNORECASE)

REFUSALS: Final[Mapping[int, dict[str, str]]] = {
    400: {"detail": "La solicitud no es válida.", "code": "bad_request"},
    408: {"detail": "La solicitud no llegó completa a tiempo.", "code": "request_timeout"},
    413: {"detail": "La solicitud es demasiado grande.", "code": "request_too_large"},
    414: {"detail": "La dirección es demasiado larga.", "code": "uri_too_long"},
    431: {"detail": "Los encabezados son demasiado grandes.", "code": "headers_too_large"},
}
FAULT: Final = {"detail": "Ocurrió un error interno.", "code": "internal_error"}


def refusal(status: int) -> bytes:
    """Return the body of a refusal, in the one error shape."""
    return json.dumps(REFUSALS.get(status, FAULT), ensure_ascii=False).encode()


class BoundedRequest(WebRequest):  # type: ignore[misc]  # daphne ships no types
    """A request that keeps no more of its body than ``MAX_REQUEST_BYTES``."""

    uri: bytes
    path: bytes
    received = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._parsePOSTFormSubmission = False  # Django parses what a view asks for

    @property
    def too_large(self) -> bool:
        """Whether the body has outgrown the ceiling."""
        return bool(self.received > settings.MAX_REQUEST_BYTES)

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        """Store a piece of the body, or drop it once there is too much."""
        self.received += len(data)
        if not self.too_large:
            super().handleContentChunk(data)
        elif self.received > PATIENCE * settings.MAX_REQUEST_BYTES:
            self.transport.abortConnection()

    def process(self) -> Any:
        """Refuse what nobody can use, hand everything else to the application."""
        self.requestHeaders.removeHeader(ROOT_PATH_HEADER)
        if self.too_large:
            return self.refuse(413)
        offered = self.requestHeaders.getRawHeaders(SUBPROTOCOL_HEADER, [])
        if not all(value.isascii() for value in offered):  # daphne fails on it, with a traceback
            return self.refuse(400)
        self.take_target()
        if not self.path.startswith((b"/", b"*")):
            return self.refuse(400)
        self.say_length()
        return super().process()

    def take_target(self) -> None:
        """Take an absolute URI for its path, and its host for the Host header."""
        if absolute := _ABSOLUTE.fullmatch(self.uri):
            host, rest = absolute.groups()
            self.uri = rest if rest.startswith(b"/") else b"/" + rest
            self.path = self.uri.partition(b"?")[0]
            self.requestHeaders.setRawHeaders(b"Host", [host])

    def say_length(self) -> None:
        """Say how long a body is that came in chunks: by now it is known, and DRF reads none without it."""
        if self.requestHeaders.hasHeader(b"Transfer-Encoding"):
            self.requestHeaders.removeHeader(b"Transfer-Encoding")
            self.requestHeaders.setRawHeaders(b"Content-Length", [b"%d" % self.received])

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:  # noqa: N802
        """Set the status with its name; Twisted knows none newer than RFC 2616."""
        super().setResponseCode(code, message or responses.get(code, "Unknown").encode())

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """Refuse what daphne would refuse with a page of its own."""
        self.refuse(status)

    def refuse(self, status: int) -> None:
        """Answer in the shape of every other error."""
        headers = [(b"Content-Type", b"application/json"), (b"Connection", b"close")]
        self.handle_reply({"type": "http.response.start", "status": status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": refusal(status)})
