"""Whether the model can be asked, as far as real traffic has shown; probing would cost money."""

from typing import Any

from django.conf import settings

from usage.llm import runtime


def is_configured() -> bool:
    """Tell whether there is a key for the provider; without one the service answers offline."""
    return bool(settings.ANTHROPIC_API_KEY)


def breaker_states() -> dict[str, str]:
    """Return the state of every model that was called by this process."""
    return runtime.current().breakers.states()


def status() -> dict[str, Any]:
    """Return the provider's state for the health page."""
    if not is_configured():
        return {"status": "not_configured", "fallback": "offline"}
    states = breaker_states()
    usable = states.get(settings.ANTHROPIC_MODEL, "closed") == "closed"
    return {
        "status": "ok" if usable else "degraded",
        "model": settings.ANTHROPIC_MODEL,
        "breaker": states,
    }
