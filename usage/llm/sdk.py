"""All that is used of the SDK. Its types take 50 MB: `load` imports this module where there is a key.

Its connections are aiohttp's (docs/adr/0014-connections-of-the-sdk-on-aiohttp.md).

The traps of SDK 2.x that it knows: a connection that breaks in mid-stream raises httpx2's own errors, not
the SDK's; a server that hangs up on a request is reported as a failure to connect; a spend cap is a 429
without Retry-After that lasts until the first of the month, or a 400 that says so in its text only.
"""

from collections.abc import AsyncIterable, Iterator
from typing import Any, Final, cast

import aiohttp
import anthropic
import httpx2
from anthropic import AsyncAnthropic, AsyncStream

from usage.llm.failures import LONGEST_WAIT, MALFORMED, PROVIDER_TYPES, TIMED_OUT, Failure
from usage.models import Outcome

CONNECT_SECONDS: Final = 5.0
PATH: Final = "/v1/messages"
_SPEND_CAP: Final = "enforced_spend_limit_reached"
_OWN_SPEND_LIMIT: Final = "specified API usage limits"
_SPEND_CAP_SECONDS: Final = 300.0  # then one probe asks whether the cap was raised

# What aiohttp raises before it has written a byte of a request, and nothing that it raises later.
_NEVER_LEFT: Final = (
    aiohttp.ClientConnectorError,  # name, connection, TLS, connection to a proxy
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,  # the proxy opened no tunnel
    aiohttp.InvalidURL,
)

_SENT: Final = httpx2.Request("POST", PATH)
_NONE: Final = httpx2.Headers()

EXPECTED: Final = (anthropic.AnthropicError, httpx2.HTTPError, httpx2.StreamError, TimeoutError)


def connect(base_url: str, api_key: str, timeout: float) -> AsyncAnthropic:
    """Return a client; it connects with its first request."""
    # A second longer than our own deadlines, which say what it was that took too long. None for reading:
    # it would be another timer for every piece of an answer (Connection has one for all).
    patience = httpx2.Timeout(timeout + 1, connect=connect_seconds(timeout), read=None)
    return AsyncAnthropic(
        base_url=base_url,
        api_key=api_key,
        http_client=anthropic.DefaultAioHttpClient(timeout=patience),
        timeout=patience,
        # Retries are ours: each is a row of the ledger, and a Retry-After of ten minutes, which the
        # SDK would sleep through, opens the breaker instead.
        max_retries=0,
    )


def connect_seconds(timeout: float) -> float:
    """Return how long a connection may take to be made."""
    return min(CONNECT_SECONDS, timeout)


async def send(client: AsyncAnthropic, arguments: dict[str, Any]) -> httpx2.Response:
    """Send a request whose answer is streamed, as `messages.create` does.

    Its events are to be taken as they are: the SDK's models are built without checks and fail on whatever
    a gateway leaves out. What was sent is let go, for an answer may take minutes.
    """
    stream = await client.post(
        PATH,
        body=arguments | {"stream": True},
        cast_to=object,
        stream=True,
        stream_cls=AsyncStream[object],
    )
    stream.response.request = _SENT
    return stream.response


def chunks(response: httpx2.Response) -> AsyncIterable[bytes]:
    """Return an answer as it comes, without httpx2's layers where there is nothing to decompress.

    Then its headers are let go as well: with what was sent they are most of what it holds.
    """
    if "content-encoding" in response.headers:
        return response.aiter_bytes()
    response.headers = _NONE
    return cast("httpx2.AsyncByteStream", response.stream)


def is_connect_timeout(exc: BaseException) -> bool:
    """Tell whether nothing was sent, for want of a connection in time."""
    return any(isinstance(one, aiohttp.ConnectionTimeoutError) for one in _causes(exc))


def _never_left(exc: BaseException) -> bool:
    """Tell whether a request certainly was not sent: whatever else went wrong may have been billed."""
    return any(isinstance(one, _NEVER_LEFT) for one in _causes(exc))


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__


def classify(exc: BaseException) -> Failure:
    """Return what an exception of the SDK or of its transport means."""
    if isinstance(exc, anthropic.APIStatusError):
        return _status(exc)
    if _never_left(exc):
        return Failure("unreachable", Outcome.FAILED, provider=True, retry=True)
    if isinstance(exc, (anthropic.APITimeoutError, httpx2.TimeoutException, TimeoutError)):
        return TIMED_OUT
    if isinstance(exc, (anthropic.APIConnectionError, httpx2.HTTPError, httpx2.StreamError)):
        return Failure("connection", Outcome.FAILED, provider=True, retry=True, billed=True)
    return MALFORMED  # a body that is not what the API promises: the provider's fault as well


def _status(exc: anthropic.APIStatusError) -> Failure:
    name = exc.type if isinstance(exc.type, str) else f"http_{exc.status_code}"
    request_id = exc.request_id or ""
    own_limit = exc.status_code == 400 and _OWN_SPEND_LIMIT in str(exc)
    if exc.error_code == _SPEND_CAP or own_limit:
        return Failure(
            "spend_cap",
            Outcome.FAILED,
            provider=True,
            retry=False,
            stay_away=_SPEND_CAP_SECONDS,
            request_id=request_id,
        )
    if exc.status_code >= 500 or exc.status_code in {408, 409, 429} or name in PROVIDER_TYPES:
        wait = _retry_after(exc.response)
        return Failure(
            name,
            Outcome.FAILED,
            provider=True,
            retry=True,
            retry_after=wait,
            stay_away=wait if wait > LONGEST_WAIT else 0.0,
            request_id=request_id,
        )
    return Failure(
        name,
        Outcome.REJECTED,
        provider=False,
        retry=False,
        request_id=request_id,
        invalid=exc.status_code in {400, 413},
    )


def _retry_after(response: httpx2.Response) -> float:
    for header, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(response.headers[header]) / scale
        except (KeyError, ValueError):  # absent, or a date, which this API does not send
            continue
        return max(0.0, seconds) if seconds < float("inf") else 0.0
    return 0.0
