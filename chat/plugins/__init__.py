"""Specialists, one per Odoo module, and how a question finds its own.

The choice is a plain function of the message, the caller's context and who answered last: the same
question always goes to the same specialist, and the answer says to which. To add one, write a module
beside these with a ``SPECIALIST``, its prompt in ``prompts/``, and list it here.
"""

from collections.abc import Mapping
from typing import Any, Final

from chat.plugins import account, dte, general, hr_payroll, purchase, stock
from chat.plugins.specialist import Specialist, fold, read_prompt

__all__ = [
    "COMMON_INSTRUCTIONS",
    "SPECIALISTS",
    "Specialist",
    "by_name",
    "choose",
    "status",
    "title_of",
]

# In order of precedence: the first of those with an equal score answers.
SPECIALISTS: Final = (
    dte.SPECIALIST,
    account.SPECIALIST,
    purchase.SPECIALIST,
    stock.SPECIALIST,
    hr_payroll.SPECIALIST,
)
FALLBACK: Final = general.SPECIALIST

# What all of them share. It comes first in the request, so one cached copy serves every specialist.
COMMON_INSTRUCTIONS: Final = read_prompt("common")

# A change of specialist changes the system prompt, and with it the whole cached prefix of the
# conversation: it takes a clearly better match, not one word, to change in mid-conversation.
_CLEARLY_BETTER: Final = 2


def choose(
    message: str, user_context: Mapping[str, Any] | None = None, current: str = ""
) -> Specialist:
    """Return the specialist for a message.

    Args:
        message: The user's question.
        user_context: What the caller says about the user; a module or model in it counts like a
            word of the conversation's first message.
        current: Name of the specialist who answered the conversation's last question, who keeps it
            unless the message clearly belongs to another.
    """
    folded = fold(message)
    scores = {s.name: s.score(folded) for s in SPECIALISTS}
    keeper = by_name(current)
    if keeper is not None:
        best = max(SPECIALISTS, key=lambda s: scores[s.name])  # max keeps the first of equals
        own = scores.get(keeper.name, 0)
        margin = _CLEARLY_BETTER if own else 1
        return best if scores[best.name] - own >= margin else keeper
    for specialist in SPECIALISTS:
        scores[specialist.name] += specialist.is_named_by(user_context or {})
    best = max(SPECIALISTS, key=lambda s: scores[s.name])
    return best if scores[best.name] else FALLBACK


def by_name(name: str) -> Specialist | None:
    """Return a specialist by its name, or None."""
    return next((s for s in (*SPECIALISTS, FALLBACK) if s.name == name), None)


def title_of(name: str) -> str:
    """Return what people call a specialist; nothing for one that no longer exists."""
    specialist = by_name(name)
    return specialist.title if specialist else ""


def status() -> dict[str, Any]:
    """Describe the registry for ``/health``."""
    everyone = (*SPECIALISTS, FALLBACK)
    return {
        "status": "ok",
        "count": len(everyone),
        "plugins": [{"name": s.name, "module": s.module, "title": s.title} for s in everyone],
    }
