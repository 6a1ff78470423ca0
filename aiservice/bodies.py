"""A ceiling for request bodies, held by the server itself.

Daphne stores a whole body, in a temporary file, before the application hears of the request: without a
ceiling anybody, with a key or without, could fill the disk. The endpoints' own limits are lower and
answer in their own words; this one only protects the machine.
"""

import json
from typing import Any, Final

from daphne.http_protocol import HTTPFactory, WebRequest
from django.conf import settings

# A client that goes on sending is read this far, so that it can see the answer; then it is cut off.
PATIENCE: Final = 4
REFUSAL: Final = json.dumps(
    {"detail": "La solicitud es demasiado grande.", "code": "request_too_large"}
).encode()


class BoundedRequest(WebRequest):  # type: ignore[misc]  # daphne ships no types
    """A request that keeps no more of its body than ``MAX_REQUEST_BYTES``."""

    received = 0

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
        """Refuse a body that was too large, hand everything else to the application."""
        return self.refuse() if self.too_large else super().process()

    def refuse(self) -> None:
        """Answer 413 in the shape of every other error."""
        headers = [(b"Content-Type", b"application/json"), (b"Connection", b"close")]
        self.handle_reply({"type": "http.response.start", "status": 413, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": REFUSAL})


class BoundedFactory(HTTPFactory):  # type: ignore[misc]  # daphne ships no types
    """Daphne's protocol factory, with bounded requests."""

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        """Build the protocol of one connection."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = BoundedRequest
        return protocol
