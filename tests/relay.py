"""A network between a client and a server that can be cut and mended."""

import contextlib
import socket
import threading
from typing import Final

_PIECE: Final = 65_536


class Relay:
    """Passes connections on to a port of this machine until `cut`, and again after `mend`."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._joined: list[socket.socket] = []
        self._whole = True
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The address to use instead of the server's."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Break every connection, and let none through."""
        self._whole = False
        for wire in self._joined:
            _close(wire)
        self._joined.clear()

    def mend(self) -> None:
        """Let connections through again."""
        self._whole = True

    def stop(self) -> None:
        """Break everything and listen no more."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._whole:
                    _close(near)
                    continue
                far = socket.create_connection(("127.0.0.1", self._target))
                self._joined += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pass_on, args=(source, sink), daemon=True).start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            sink.sendall(piece)
    _close(source)
    _close(sink)


def _close(wire: socket.socket) -> None:
    with contextlib.suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
    wire.close()
