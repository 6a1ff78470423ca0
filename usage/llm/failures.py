"""What went wrong with a call: the SDK's many exceptions, and what the stream itself says, as one value.

The traps of SDK 2.x that this module knows: a connection that breaks in mid-stream raises httpx2's own
errors, not the SDK's; a spend cap is a 429 without Retry-After that lasts until the first of the month,
or a 400 that says so in its text only.
"""

from dataclasses import dataclass
from typing import Any, Final

import anthropic
import httpx2

from usage.models import Outcome

# Error types that are the provider's state rather than our request.
_PROVIDER_TYPES: Final = frozenset(
    {"api_error", "overloaded_error", "rate_limit_error", "timeout_error"}
)
_SPEND_CAP: Final = "enforced_spend_limit_reached"
_OWN_SPEND_LIMIT: Final = "specified API usage limits"
_SPEND_CAP_SECONDS: Final = 300.0  # then one probe asks whether the cap was raised


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt.

    Attributes:
        type: Stable name for the ledger and the logs.
        outcome: How the ledger row ends.
        provider: Whether it counts against the provider, for the breaker.
        retry: Whether another attempt may succeed soon.
        retry_after: Seconds that the provider asked for, 0 without.
        stay_away: Seconds for which no call at all should leave.
        billed: Whether the provider may have billed it unseen; an error status never is.
        request_id: The provider's identifier of the request.
        invalid: Whether the provider found the request itself invalid, or too large.
    """

    type: str
    outcome: Outcome
    provider: bool
    retry: bool
    retry_after: float = 0.0
    stay_away: float = 0.0
    billed: bool = False
    request_id: str = ""
    invalid: bool = False


TIMED_OUT: Final = Failure("deadline", Outcome.TIMEOUT, provider=True, retry=True, billed=True)
# Waiting as long once more would be longer than callers wait.
SILENT: Final = Failure("silent", Outcome.TIMEOUT, provider=True, retry=False, billed=True)
TRUNCATED: Final = Failure("truncated", Outcome.CUT, provider=True, retry=True, billed=True)
MALFORMED: Final = Failure("malformed", Outcome.FAILED, provider=True, retry=False, billed=True)
# It never left: too many others wait for a sign of life.
CROWDED: Final = Failure("crowded", Outcome.TIMEOUT, provider=False, retry=False)

# How long one call itself waits for the provider before it is tried again.
LONGEST_WAIT: Final = 5.0

EXPECTED: Final = (anthropic.AnthropicError, httpx2.HTTPError, httpx2.StreamError, TimeoutError)


def classify(exc: BaseException) -> Failure:
    """Return what an exception of the SDK or of its transport means."""
    if isinstance(exc, anthropic.APIStatusError):
        return _status(exc)
    if isinstance(exc.__cause__, (httpx2.ConnectError, httpx2.ConnectTimeout)):
        return Failure("unreachable", Outcome.FAILED, provider=True, retry=True)
    if isinstance(exc, (anthropic.APITimeoutError, httpx2.TimeoutException, TimeoutError)):
        return TIMED_OUT
    if isinstance(exc, (anthropic.APIConnectionError, httpx2.HTTPError, httpx2.StreamError)):
        return Failure("connection", Outcome.FAILED, provider=True, retry=True, billed=True)
    return MALFORMED  # a body that is not what the API promises: the provider's fault as well


def reported(event: dict[str, Any], request_id: str) -> Failure:
    """Return what an ``error`` event in mid-stream means."""
    error = event.get("error")
    name = error.get("type") if isinstance(error, dict) else None
    if not isinstance(name, str) or name in _PROVIDER_TYPES:
        name = name if isinstance(name, str) else "api_error"
        return Failure(
            name, Outcome.FAILED, provider=True, retry=True, billed=True, request_id=request_id
        )
    return Failure(name[:60], Outcome.REJECTED, provider=False, retry=False, request_id=request_id)


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
    if exc.status_code >= 500 or exc.status_code in {408, 409, 429} or name in _PROVIDER_TYPES:
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


def suspended(seconds: float) -> Failure:
    """Return the failure of a call that did not leave because the breaker is open."""
    return Failure("breaker", Outcome.FAILED, provider=True, retry=False, stay_away=seconds)
