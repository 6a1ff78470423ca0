"""What a specialist is: one Markdown file, front matter and instructions, and no behaviour of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

# libyaml's, where PyYAML was built with it: eight files take 13 ms at each start instead of 143.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FENCE: Final = "---\n"
_REQUIRED: Final = ("name", "module", "title")
_LISTS: Final = ("former_names", "odoo_names", "knowledge_modules", "vocabulary", "examples")

# Fields of ``user_context`` by which Odoo clients say where the user is.
_CONTEXT_FIELDS: Final = ("plugin", "module", "active_module", "active_model", "context_model")


class InvalidSpecialistError(ValueError):
    """A specialist's file is not one."""


@dataclass(frozen=True)
class Specialist:
    """One specialist, for one Odoo module.

    Attributes:
        name: Stable name, reported as ``plugin_used``.
        module: The Odoo module it answers for.
        title: Its name for people.
        instructions: Its part of the system prompt, in Spanish. Changing it empties the provider's
            caches of it.
        former_names: Names under which earlier versions stored it.
        odoo_names: Modules and models in ``user_context`` that mean this specialist.
        knowledge_modules: Modules of the knowledge base whose passages win a tie.
        vocabulary: Words and phrases of its trade.
        examples: Questions that belong to it, as people ask them.
    """

    name: str
    module: str
    title: str
    instructions: str
    former_names: tuple[str, ...] = ()
    odoo_names: tuple[str, ...] = ()
    knowledge_modules: tuple[str, ...] = ()
    vocabulary: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "Specialist":
        """Read a specialist from its file.

        Raises:
            InvalidSpecialistError: The file has no front matter, lacks a field, or has one too many.
        """
        text = path.read_text(encoding="utf-8")
        head, fence, instructions = text.removeprefix(_FENCE).partition(f"\n{_FENCE}")
        if not text.startswith(_FENCE) or not fence:
            raise InvalidSpecialistError(f"{path.name}: no front matter between two lines of ---")
        try:
            fields = yaml.load(head, Loader=_LOADER)  # noqa: S506 - safe_load's, or libyaml's of it
        except yaml.YAMLError as exc:
            raise InvalidSpecialistError(f"{path.name}: {exc}") from None
        return cls(**_checked(fields, path.name), instructions=instructions.strip())

    def is_named_by(self, user_context: Mapping[str, object]) -> bool:
        """Tell whether the caller's context points at this specialist's module or model."""
        named = {
            value for key in _CONTEXT_FIELDS if isinstance(value := user_context.get(key), str)
        }
        return not named.isdisjoint({self.name, self.module, *self.former_names, *self.odoo_names})


def _checked(fields: Any, file: str) -> dict[str, Any]:
    if not isinstance(fields, dict):
        raise InvalidSpecialistError(f"{file}: the front matter is not a mapping")
    if unknown := set(fields) - {*_REQUIRED, *_LISTS}:
        raise InvalidSpecialistError(f"{file}: unknown field {sorted(unknown)[0]}")
    for name in _REQUIRED:
        if not isinstance(fields.get(name), str) or not fields[name].strip():
            raise InvalidSpecialistError(f"{file}: {name} must be a text")
    lists: dict[str, tuple[str, ...]] = {}
    for name in _LISTS:
        values = fields.get(name) or []
        if not isinstance(values, list):
            raise InvalidSpecialistError(f"{file}: {name} must be a list")
        lists[name] = tuple(str(value) for value in values)  # YAML reads 33 as a number
    return {name: fields[name].strip() for name in _REQUIRED} | lists
