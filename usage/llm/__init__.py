"""The only code that talks to the model, so that no call to it can go unmetered.

    ask()       a question and its whole answer
    stream()    the same, piece by piece, the reply last
    appraise()  what a call would cost at most, without making it

The first two hold an upper bound of the cost before anything leaves, and settle the ledger on every way
out.
They raise `BudgetExceeded`, `CallTooLarge`, `ModelUnavailable` or `ModelRefused` (usage.errors).

Nothing outside `usage` imports what lies behind this face (import-linter sees to it).
"""

from usage.llm.appraisal import Appraisal, appraise
from usage.llm.gateway import ask, stream
from usage.llm.health import breaker_states, close, is_configured, load, status
from usage.llm.runtime import reset
from usage.llm.values import Companion, Prompt, Reply, TextDelta, Turn
from usage.tokens import TokenUsage

__all__ = [
    "Appraisal",
    "Companion",
    "Prompt",
    "Reply",
    "TextDelta",
    "TokenUsage",
    "Turn",
    "appraise",
    "ask",
    "breaker_states",
    "close",
    "is_configured",
    "load",
    "reset",
    "status",
    "stream",
]
