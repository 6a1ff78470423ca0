"""Letting one call write a cold prefix to the cache before the others read it.

An entry of the provider's cache can be read only once the response that writes it has begun: calls that
start together would each write the whole prefix and pay for it. The first one leaves, the others wait
for its first event, but not for long.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from usage.llm.plan import Plan

WAIT_SECONDS: Final = 3.0
WARM_SECONDS: Final = 240.0  # the provider keeps an entry for five minutes after its last use
_MANY: Final = 1000


class Lead:
    """One call's part in it."""

    def __init__(self) -> None:
        self.has_begun = False

    def began(self) -> None:
        """The response has begun: what it writes can be read."""
        self.has_begun = True


class Prefixes:
    """What one event loop knows of the prefixes it has sent."""

    def __init__(self) -> None:
        self._warm_until: dict[str, float] = {}
        self._leading: dict[str, asyncio.Event] = {}

    @asynccontextmanager
    async def turn(self, plan: Plan) -> AsyncIterator[Lead]:
        """Wait for this call's turn; the block ends when its response has begun, or failed to."""
        lead, key = Lead(), plan.prefix
        loop = asyncio.get_running_loop()
        if not key or self._warm_until.get(key, 0.0) > loop.time():
            yield lead
        elif (leader := self._leading.get(key)) is not None:
            await _wait(leader)
            yield lead
        else:
            self._leading[key] = asyncio.Event()
            try:
                yield lead
            finally:
                self._leading.pop(key).set()
        if key and lead.has_begun:
            self._forget_cold(loop.time())
            self._warm_until[key] = loop.time() + WARM_SECONDS

    def _forget_cold(self, now: float) -> None:
        if len(self._warm_until) > _MANY:
            self._warm_until = {k: until for k, until in self._warm_until.items() if until > now}


async def _wait(leader: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await leader.wait()
    except TimeoutError:
        return
