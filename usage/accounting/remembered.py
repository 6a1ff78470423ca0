"""Prices, limits and policies, read from memory that is two seconds old at most.

They are needed in every call and change a few times a year. A change made in this process holds at once
(signals, `usage.apps` and `dte.apps`), one made in another within `SECONDS`.
"""

from collections.abc import Callable
from time import monotonic as clock
from typing import Any, Final

SECONDS: Final = 2.0


class Memory:
    """Values that are known for a while, as they are: Django's own cache would pickle them each time.

    Args:
        most: How many may be known; then all are forgotten.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._known: dict[str, tuple[float, object]] = {}

    def get(self, name: str) -> object:
        """Return a value, None if it is not known any more."""
        until, value = self._known.get(name, (0.0, None))
        return value if clock() < until else None

    def set(self, name: str, value: object, timeout: float = SECONDS) -> None:
        """Know a value for some seconds."""
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[name] = (clock() + timeout, value)

    def get_or_set(self, name: str, read: Callable[[], Any]) -> Any:
        """Return a value, read anew if it is not known; None is not kept."""
        value = self.get(name)
        if value is None and (value := read()) is not None:
            self.set(name, value)
        return value

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()


memory: Final = Memory()


def forget(**kwargs: object) -> None:
    """Read everything anew from now on; takes what a signal sends."""
    memory.clear()
