"""The SDK's client: one for each event loop."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from django.conf import settings

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

_Configuration = tuple[str, str, float]
_Life = AsyncGenerator[None, None]  # of a client: closed, it closes that


class Clients:
    """The clients of a process; each holds the connections that the calls of its loop share."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[_Configuration, AsyncAnthropic, _Life]
        ] = WeakKeyDictionary()

    def get(self) -> "AsyncAnthropic":
        """Return the client of the running loop, a new one if the settings changed."""
        from usage.llm import sdk

        loop = asyncio.get_running_loop()
        configuration = (
            settings.ANTHROPIC_BASE_URL,
            settings.ANTHROPIC_API_KEY,
            settings.ANTHROPIC_TIMEOUT,
        )
        known = self._of.get(loop)
        if known is None or known[0] != configuration:
            client = sdk.connect(*configuration)
            known = (configuration, client, _begin(_closed_with_its_loop(client)))
            self._of[loop] = known
        return known[1]

    async def close(self) -> None:
        """Close the connections of the running loop."""
        known = self._of.pop(asyncio.get_running_loop(), None)
        if known is not None:
            await known[2].aclose()


async def _closed_with_its_loop(client: "AsyncAnthropic") -> _Life:
    """Close a client at the latest when its loop ends, which then closes every generator that waits."""
    try:
        yield
    finally:
        await client.close()


def _begin(life: _Life) -> _Life:
    with contextlib.suppress(StopIteration):
        life.asend(None).send(None)  # to where it waits, without waiting for it
    return life
