"""A server that does on each connection what a test wrote for it, byte by byte."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Conversation = Callable[[socket.socket], None]


@contextmanager
def serving(*conversations: Conversation, certificate: Path | None = None) -> Iterator[int]:
    """Serve connections one after the other, each by its conversation; yield the port.

    Args:
        conversations: What is done on the first connection, the second …; the last one also on later ones.
        certificate: Of a server that speaks TLS.
    """
    context: ssl.SSLContext | None = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(
            target=_accept, args=(listener, conversations, context), daemon=True
        ).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(
    listener: socket.socket, conversations: tuple[Conversation, ...], context: ssl.SSLContext | None
) -> None:
    with contextlib.suppress(OSError):
        for number in range(1000):
            wire, _ = listener.accept()
            wire.settimeout(30)
            conversation = conversations[min(number, len(conversations) - 1)]
            threading.Thread(target=_hold, args=(wire, conversation, context), daemon=True).start()


def _hold(wire: socket.socket, conversation: Conversation, context: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError), wire:
        if context is None:
            conversation(wire)
        else:
            with context.wrap_socket(wire, server_side=True) as secured:
                conversation(secured)


def read_request(wire: socket.socket) -> tuple[bytes, bytes]:
    """Return the head and the body of a request with a length."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _some(wire)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    while len(body) < length:
        body += _some(wire)
    return head, body


def _some(wire: socket.socket) -> bytes:
    if piece := wire.recv(65_536):
        return piece
    raise ConnectionError("the client left")


def reset(wire: socket.socket) -> None:
    """Break a connection at once, whatever is under way."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wire.close()


def tunnel(wire: socket.socket, port: int) -> None:
    """Pass everything on to a port of this machine, there and back."""
    with socket.create_connection(("127.0.0.1", port)) as far:
        back = threading.Thread(target=_pass_on, args=(far, wire), daemon=True)
        back.start()
        _pass_on(wire, far)
        back.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
