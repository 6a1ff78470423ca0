"""Specialists, one per Odoo module, and how a question finds its own.

The choice is a plain function of the message, the caller's context and who answered last: the same
question always goes to the same specialist, and the answer says to which and why. To add one, write a
file in ``specialists/``, or install a package with one (`chat.plugins.registry`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Final, Literal

from chat.plugins.registry import Registry, installed_registry
from chat.plugins.selection import Selector
from chat.plugins.specialist import Specialist
from knowledge.searching.engine import engine

__all__ = [
    "COMMON_INSTRUCTIONS",
    "Choice",
    "Specialist",
    "by_name",
    "choose",
    "everyone",
    "status",
    "title_of",
]

# What all of them share. It comes first in the request, so one cached copy serves every specialist.
# Changing it empties the provider's caches of it.
COMMON_INSTRUCTIONS: Final = (
    (Path(__file__).parent / "common.md").read_text(encoding="utf-8").strip()
)

# What a message must say for a specialist before it is theirs. Tuned on tests/unit/chat/data/specialists.yaml.
_ENOUGH: Final = 0.6
# Whoever knows a trade comes before the general specialist, whose examples share everybody's words.
_RELUCTANCE: Final = 1.0
# What the module that the caller is working in adds, in a conversation's first message.
_CONTEXT: Final = 2.0
# How much better another must fit to take over: a change sends its instructions once more.
_CLEARLY_BETTER: Final = 1.5

_building: Final = Lock()

Reason = Literal["message", "context", "conversation", "fallback"]


@dataclass(frozen=True)
class Choice:
    """Who answers, and what decided it."""

    specialist: Specialist
    reason: Reason

    @property
    def explanation(self) -> str:
        """Why, in Spanish, for people."""
        return {
            "message": "por el tema de la pregunta",
            "context": "por el módulo en que trabaja",
            "conversation": "porque venía respondiendo esta conversación",
            "fallback": "porque la pregunta no es de una sola especialidad",
        }[self.reason]


def choose(
    message: str, user_context: Mapping[str, object] | None = None, current: str = ""
) -> Choice:
    """Choose the specialist for a message.

    Args:
        message: The user's question.
        user_context: What the caller says about the user; a module or model in it counts in the
            conversation's first message.
        current: Name of the specialist who answered the conversation's last question, who keeps it
            unless the message clearly belongs to another.
    """
    known = installed_registry()
    scores = _selector().scores(message)
    scores[known.fallback.name] -= _RELUCTANCE
    keeper = known.by_name(current) if current else None
    named = _named(known, user_context) if user_context and keeper is None else None
    said = max(known.everyone, key=lambda one: scores[one.name])  # max keeps the first of equals
    if named is not None:
        scores[named.name] += _CONTEXT
    best = max(known.everyone, key=lambda one: scores[one.name])
    clear = scores[best.name] >= _ENOUGH
    if keeper is not None:
        if clear and best is not known.fallback and _leads(scores, best, keeper):
            return Choice(best, "message")
        return Choice(keeper, "message" if clear and best is keeper else "conversation")
    if clear:
        return Choice(best, "message" if best is said else "context")
    return Choice(known.fallback, "fallback")


def _named(known: Registry, user_context: Mapping[str, object]) -> Specialist | None:
    return next((one for one in known.specialists.values() if one.is_named_by(user_context)), None)


def _leads(scores: Mapping[str, float], best: Specialist, other: Specialist) -> bool:
    return scores[best.name] - scores[other.name] >= _CLEARLY_BETTER


def _selector() -> Selector:
    with _building:  # a burst at the start would otherwise count the same words in every thread
        return _built_selector()


@cache
def _built_selector() -> Selector:
    return Selector(installed_registry().everyone)


def everyone() -> tuple[Specialist, ...]:
    """Return all specialists, the one for everything else last."""
    return installed_registry().everyone


def by_name(name: str) -> Specialist | None:
    """Return a specialist by its name or a former one, or None."""
    return installed_registry().by_name(name)


def title_of(name: str) -> str:
    """Return what people call a specialist; nothing for one that no longer exists."""
    specialist = by_name(name)
    return specialist.title if specialist else ""


def status() -> dict[str, Any]:
    """Describe the registry for ``/health``.

    Degraded when an installed specialist was skipped, or when one prefers a module that no document
    has: a typo there would silently lose its preference.
    """
    known = installed_registry()
    lost = _modules_without_documents(known)
    report: dict[str, object] = {
        "status": "degraded" if known.broken or lost else "ok",
        "count": len(known.everyone),
        "plugins": [
            {"name": one.name, "module": one.module, "title": one.title} for one in known.everyone
        ],
    }
    if known.broken:
        report["broken"] = known.broken
    if lost:
        report["modules_without_documents"] = lost
    return report


def _modules_without_documents(known: Registry) -> dict[str, list[str]]:
    documented = engine.index.modules()
    if documented is None:
        return {}
    missing = {one.name: sorted(set(one.knowledge_modules) - documented) for one in known.everyone}
    return {name: modules for name, modules in missing.items() if modules}
