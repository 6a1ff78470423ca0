"""The only code that talks to the model, so that no call to it can go unmetered.

    ask()     a question and its whole answer
    stream()  the same, piece by piece, the reply last

Both hold an upper bound of the cost before anything leaves, and settle the ledger on every way out.
They raise `BudgetExceeded`, `CallTooLarge`, `ModelUnavailable` or `ModelRefused` (usage.errors).
"""

from usage.llm.breaker import states as breaker_states
from usage.llm.gateway import ask, stream
from usage.llm.health import is_configured, status
from usage.llm.history import trim
from usage.llm.values import Prompt, Reply, TextDelta, Turn
from usage.tokens import TokenUsage

__all__ = [
    "Prompt",
    "Reply",
    "TextDelta",
    "TokenUsage",
    "Turn",
    "ask",
    "breaker_states",
    "is_configured",
    "status",
    "stream",
    "trim",
]
