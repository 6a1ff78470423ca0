"""Which specialists there are: those shipped in ``specialists/``, and those of installed packages.

A package adds one by an entry point of the group ``aiservice.specialists`` that names a `Specialist`,
or a function that returns one. One that cannot be loaded, or that takes a name that is taken, is
skipped and reported in ``/health``: it does not keep the service from starting.
"""

from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

import structlog

from chat.plugins.specialist import Specialist

log = structlog.get_logger(__name__)

GROUP: Final = "aiservice.specialists"
FALLBACK_NAME: Final = "general"
_SHIPPED: Final = Path(__file__).parent / "specialists"


@dataclass(frozen=True)
class Registry:
    """The specialists of this installation.

    Attributes:
        specialists: All but the fallback, by name.
        fallback: Who answers what belongs to nobody.
        broken: Why an installed package's specialist was skipped, by the name of its entry point.
    """

    specialists: dict[str, Specialist]
    fallback: Specialist
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def everyone(self) -> tuple[Specialist, ...]:
        """All specialists, the fallback last."""
        return (*self.specialists.values(), self.fallback)

    def by_name(self, name: str) -> Specialist | None:
        """Return a specialist by its name or a former one, or None."""
        for specialist in self.everyone:
            if name == specialist.name or name in specialist.former_names:
                return specialist
        return None


def load(installed: tuple[EntryPoint, ...] | None = None) -> Registry:
    """Read the shipped specialists and add the installed ones.

    Args:
        installed: Entry points to add; those of this environment unless given.
    """
    found = {path.stem: Specialist.read(path) for path in sorted(_SHIPPED.glob("*.md"))}
    fallback = found.pop(FALLBACK_NAME)
    registry = Registry(found, fallback)
    for entry in entry_points(group=GROUP) if installed is None else installed:
        try:
            _add(registry, entry)
        except Exception as exc:  # noqa: BLE001 - another's code, and ours must start
            registry.broken[entry.name] = f"{type(exc).__name__}: {exc}"
            log.warning("specialist_skipped", entry_point=entry.name, error=type(exc).__name__)
    return registry


def _add(registry: Registry, entry: EntryPoint) -> None:
    loaded = entry.load()
    specialist = loaded() if callable(loaded) else loaded
    if not isinstance(specialist, Specialist):
        raise TypeError(f"{entry.value} is no Specialist")
    if registry.by_name(specialist.name) is not None:
        raise ValueError(f"the name {specialist.name} is taken")
    registry.specialists[specialist.name] = specialist


@cache
def installed_registry() -> Registry:
    """Return the specialists of this process, read once."""
    return load()
