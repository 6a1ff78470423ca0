"""The line for a place in the connection pool: first come, first served, and nobody waits for nothing."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

LOOK_SECONDS: Final = 0.1  # between two looks at whether waiting still makes sense


class Line:
    """So many may be inside; the others wait in the order of their coming.

    Args:
        places: How many may be inside at once.
    """

    def __init__(self, places: int) -> None:
        self._lock = threading.Lock()
        self._free = places
        self._waiting: deque[threading.Event] = deque()
        self._moved = 0.0

    def enter(self, reason_to_quit: Callable[[float, float], Exception | None]) -> None:
        """Take a place, waiting for it if need be; `leave` gives it back.

        Args:
            reason_to_quit: Told the seconds waited and the seconds since anybody left; returns what to
                raise instead of waiting on.
        """
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = threading.Event()
            self._waiting.append(turn)
        began = time.monotonic()
        while not turn.wait(LOOK_SECONDS):
            now = time.monotonic()
            reason = reason_to_quit(now - began, now - max(self._moved, began))
            if reason is not None and self._quit(turn):
                raise reason

    def leave(self) -> None:
        """Give a place back, to whoever has waited longest."""
        with self._lock:
            self._moved = time.monotonic()
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1

    def _quit(self, turn: threading.Event) -> bool:
        """Stop waiting; False when the turn came at the last moment."""
        with self._lock:
            if turn.is_set():
                return False
            self._waiting.remove(turn)
            return True
