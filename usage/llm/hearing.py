"""A clock for how long somebody else has been silent: it stands still while this process does not listen.

When hundreds of calls begin together, a pass of the event loop takes seconds, and what the provider has
said meanwhile lies unread. uvloop even rings its timers before it looks at its sockets. By the loop's own
clock, answers that were there in time would be given up, and the breaker would open for a provider that
is well.
"""

import asyncio
from typing import Final
from weakref import WeakKeyDictionary

TICK_SECONDS: Final = 0.1
# Without anybody who asks for the time for so long, it is not worth a timer.
UNASKED_SECONDS: Final = 30.0


class Hearing:
    """The clock of one event loop."""

    def __init__(self) -> None:
        self._deaf = 0.0  # seconds that did not count
        self._next_tick = self._asked_at = 0.0
        self._ticking = False

    def time(self) -> float:
        """Return seconds; only their differences mean something."""
        loop = asyncio.get_running_loop()
        now = self._asked_at = loop.time()
        if not self._ticking:
            self._ticking = True
            self._go_on(loop, now)
        return now - self._deaf - max(0.0, now - self._next_tick)

    def _go_on(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        self._next_tick = now + TICK_SECONDS
        loop.call_at(self._next_tick, self._tick)

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._deaf += max(0.0, now - self._next_tick)
        self._ticking = now - self._asked_at < UNASKED_SECONDS
        if self._ticking:
            self._go_on(loop, now)


_clocks: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Hearing]] = WeakKeyDictionary()


def clock() -> Hearing:
    """Return the clock of the running event loop."""
    loop = asyncio.get_running_loop()
    known = _clocks.get(loop)
    if known is None:
        known = _clocks[loop] = Hearing()
    return known
