"""What went wrong with a call, as one value, whoever says so: we, the stream itself, or the SDK (sdk.py)."""

from dataclasses import dataclass
from typing import Final

from usage.models import Outcome

# Error types that are the provider's state rather than our request.
PROVIDER_TYPES: Final = frozenset(
    {"api_error", "overloaded_error", "rate_limit_error", "timeout_error"}
)


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


def reported(event: dict[str, object], request_id: str) -> Failure:
    """Return what an ``error`` event in mid-stream means."""
    error = event.get("error")
    name = error.get("type") if isinstance(error, dict) else None
    if not isinstance(name, str) or name in PROVIDER_TYPES:
        name = name if isinstance(name, str) else "api_error"
        return Failure(
            name, Outcome.FAILED, provider=True, retry=True, billed=True, request_id=request_id
        )
    return Failure(name[:60], Outcome.REJECTED, provider=False, retry=False, request_id=request_id)


def suspended(seconds: float) -> Failure:
    """Return the failure of a call that did not leave because the breaker is open."""
    return Failure("breaker", Outcome.FAILED, provider=True, retry=False, stay_away=seconds)
