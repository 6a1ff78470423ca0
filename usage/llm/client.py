"""The SDK's client: one per process and event loop."""

import asyncio
from typing import Final
from weakref import WeakKeyDictionary

import httpx2
from anthropic import AsyncAnthropic
from django.conf import settings

CONNECT_SECONDS: Final = 5.0

_Configuration = tuple[str, str, float]
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[_Configuration, AsyncAnthropic]] = (
    WeakKeyDictionary()
)


def client() -> AsyncAnthropic:
    """Return the client of the running loop; it holds the connections that calls share."""
    loop = asyncio.get_running_loop()
    configuration = (
        settings.ANTHROPIC_BASE_URL,
        settings.ANTHROPIC_API_KEY,
        settings.ANTHROPIC_TIMEOUT,
    )
    known = _clients.get(loop)
    if known is None or known[0] != configuration:
        known = (configuration, _connect(*configuration))
        _clients[loop] = known
    return known[1]


def _connect(base_url: str, api_key: str, timeout: float) -> AsyncAnthropic:
    return AsyncAnthropic(
        base_url=base_url,
        api_key=api_key,
        # Retries are ours: each is a row of the ledger, and a Retry-After of ten minutes, which the
        # SDK would sleep through, opens the breaker instead.
        max_retries=0,
        timeout=httpx2.Timeout(timeout, connect=min(CONNECT_SECONDS, timeout)),
    )


async def aclose() -> None:
    """Close the running loop's client, if it has one."""
    known = _clients.pop(asyncio.get_running_loop(), None)
    if known is not None:
        await known[1].close()
