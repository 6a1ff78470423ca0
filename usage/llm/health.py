"""Whether the model can be asked, as far as real traffic has shown; probing would cost money."""

from django.conf import settings

from usage.llm import runtime
from usage.llm.breaker import BreakerState, Condition


def is_configured() -> bool:
    """Tell whether there is a key for the provider; without one the service answers offline."""
    return bool(settings.ANTHROPIC_API_KEY)


def load() -> None:
    """Import the SDK if there is a key, before the first question waits a second or more for it."""
    if is_configured():
        from usage.llm import sdk  # noqa: F401


async def close() -> None:
    """Close this event loop's connections to the provider, before the process ends."""
    await runtime.current().clients.close()


def breaker_states() -> dict[str, str]:
    """Return the state of every model that was called by this process."""
    conditions = runtime.current().breakers.conditions()
    return {model: condition.state.name.lower() for model, condition in conditions.items()}


def status() -> dict[str, object]:
    """Return the provider's state for the health page.

    `since` and `latency_ms` (from the admission of a call to its first event) are of the usual model, and
    None before this process has called it.
    """
    if not is_configured():
        return {"status": "not_configured", "fallback": "offline"}
    conditions = runtime.current().breakers.conditions()
    own = conditions.get(settings.ANTHROPIC_MODEL)
    usable = own is None or own.state is BreakerState.CLOSED
    return {
        "status": "ok" if usable else "degraded",
        "since": own.since if own else None,
        "latency_ms": own.latency_ms if own else None,
        "model": settings.ANTHROPIC_MODEL,
        "breaker": breaker_states(),
        "suspended": {
            model: _suspension(condition)
            for model, condition in conditions.items()
            if condition.state is not BreakerState.CLOSED
        },
    }


def _suspension(condition: Condition) -> dict[str, object]:
    return {"reason": condition.reason, "retry_seconds": round(condition.retry_seconds, 1)}
