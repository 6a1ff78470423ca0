"""The SDK's client: one for each event loop."""

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from django.conf import settings

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

_Configuration = tuple[str, str, float]


class Clients:
    """The clients of a process; each holds the connections that the calls of its loop share."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[_Configuration, AsyncAnthropic]
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
            known = (configuration, sdk.connect(*configuration))
            self._of[loop] = known
        return known[1]
