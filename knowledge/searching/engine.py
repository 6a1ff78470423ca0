"""All that searching keeps in the memory of a process, in one place.

Made when the module is imported, filled by the first search. Nothing else in this application keeps
state between calls.
"""

from dataclasses import dataclass, field
from typing import Final

from knowledge.searching.live import LiveIndex
from knowledge.searching.passages import PassageCache
from knowledge.searching.semantic import Encoder


@dataclass
class Engine:
    """The index searched, the text and vectors of passages found lately, and the model."""

    index: LiveIndex = field(default_factory=LiveIndex)
    passages: PassageCache = field(default_factory=PassageCache)
    encoder: Encoder = field(default_factory=Encoder)

    def forget(self) -> None:
        """Drop what came from the database; for tests, whose data vanish. The model stays."""
        self.index.forget()
        self.passages.forget()


engine: Final = Engine()
