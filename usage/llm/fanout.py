"""Letting one call write a cold prefix to the cache before the others read it.

An entry of the provider's cache can be read only once the response that writes it has begun: calls that
start together would each write the whole prefix and pay for it. The first one leaves, the others wait
for its first event, but not for long.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from usage.llm.plan import Plan

WAIT_SECONDS: Final = 3.0
WARM_SECONDS: Final = 240.0  # the provider keeps an entry for five minutes after its last use


class Prefixes:
    """What one event loop knows of the prefixes it has sent."""

    def __init__(self) -> None:
        self._warm_until: dict[str, float] = {}
        self._leading: dict[str, asyncio.Event] = {}

    @asynccontextmanager
    async def turn(self, plan: Plan) -> AsyncIterator[None]:
        """Wait for this call's turn; the block ends when its response has begun, or failed to."""
        key = _key(plan)
        loop = asyncio.get_running_loop()
        if key is None or self._warm_until.get(key, 0.0) > loop.time():
            yield
        elif (leader := self._leading.get(key)) is not None:
            await _wait(leader)
            yield
        else:
            self._leading[key] = asyncio.Event()
            try:
                yield
            finally:
                self._leading.pop(key).set()
        if key is not None:  # only after a response that began
            self._forget_cold(loop.time())
            self._warm_until[key] = loop.time() + WARM_SECONDS

    def _forget_cold(self, now: float) -> None:
        if len(self._warm_until) > 1000:
            self._warm_until = {k: until for k, until in self._warm_until.items() if until > now}


async def _wait(leader: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await leader.wait()
    except TimeoutError:
        return


def _key(plan: Plan) -> str | None:
    system = plan.arguments.get("system")
    if not system:
        return None
    stable = json.dumps([plan.model, plan.arguments.get("output_config"), system])
    return hashlib.sha256(stable.encode()).hexdigest()
