"""The SDK's client: one for each event loop."""

import asyncio
from typing import Final
from weakref import WeakKeyDictionary

import httpx2
from anthropic import AsyncAnthropic
from django.conf import settings

CONNECT_SECONDS: Final = 5.0

_Configuration = tuple[str, str, float]


class Clients:
    """The clients of a process; each holds the connections that the calls of its loop share."""

    def __init__(self) -> None:
        self._of: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[_Configuration, AsyncAnthropic]
        ] = WeakKeyDictionary()

    def get(self) -> AsyncAnthropic:
        """Return the client of the running loop, a new one if the settings changed."""
        loop = asyncio.get_running_loop()
        configuration = (
            settings.ANTHROPIC_BASE_URL,
            settings.ANTHROPIC_API_KEY,
            settings.ANTHROPIC_TIMEOUT,
        )
        known = self._of.get(loop)
        if known is None or known[0] != configuration:
            known = (configuration, _connect(*configuration))
            self._of[loop] = known
        return known[1]


def _connect(base_url: str, api_key: str, timeout: float) -> AsyncAnthropic:
    return AsyncAnthropic(
        base_url=base_url,
        api_key=api_key,
        # Retries are ours: each is a row of the ledger, and a Retry-After of ten minutes, which the
        # SDK would sleep through, opens the breaker instead.
        max_retries=0,
        # A second longer than our own deadline, which says what it was that took too long.
        timeout=httpx2.Timeout(timeout + 1, connect=min(CONNECT_SECONDS, timeout)),
    )
