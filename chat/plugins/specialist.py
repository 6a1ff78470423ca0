"""What a specialist is: a declaration, no behaviour of its own beyond recognising its questions."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

_PROMPTS: Final = Path(__file__).parent / "prompts"

# Fields of ``user_context`` by which Odoo clients say where the user is.
_CONTEXT_FIELDS: Final = ("plugin", "module", "active_module", "active_model", "context_model")


def read_prompt(name: str) -> str:
    """Return a prompt of this package. Changing one empties the provider's caches of it."""
    return (_PROMPTS / f"{name}.md").read_text(encoding="utf-8").strip()


def fold(text: str) -> str:
    """Return the text in lower case without accents, the way people type in a hurry."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


@dataclass(frozen=True)
class Specialist:
    """One specialist, per Odoo module, with its instructions in ``prompts/<name>.md``.

    Attributes:
        name: Stable name, reported as ``plugin_used``.
        module: The Odoo module it answers for.
        title: Its name for people.
        patterns: Regular expressions over the folded message; each one that occurs counts once.
        odoo_names: Modules and models in ``user_context`` that mean this specialist.
        knowledge_modules: Modules of the knowledge base whose passages win a tie.
    """

    name: str
    module: str
    title: str
    patterns: tuple[str, ...]
    odoo_names: frozenset[str] = frozenset()
    knowledge_modules: tuple[str, ...] = field(default=())

    @cached_property
    def instructions(self) -> str:
        """Its part of the system prompt, ``prompts/<name>.md``, in Spanish."""
        return read_prompt(self.name)

    @cached_property
    def _compiled(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(rf"\b(?:{pattern})\b") for pattern in self.patterns)

    def score(self, folded_message: str) -> int:
        """Return how many of the patterns occur in a message passed through `fold`."""
        return sum(1 for pattern in self._compiled if pattern.search(folded_message))

    def is_named_by(self, user_context: Mapping[str, Any]) -> bool:
        """Tell whether the caller's context points at this specialist's module or model."""
        named = {
            user_context.get(key) for key in _CONTEXT_FIELDS if _is_text(user_context.get(key))
        }
        return not named.isdisjoint({self.name, self.module, *self.odoo_names})


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
