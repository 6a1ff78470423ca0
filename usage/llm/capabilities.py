"""What each model takes, so that a request fits the model it goes to.

From the models' pages (https://platform.claude.com/docs/en/about-claude/models/overview): `effort` came
with Opus 4.5 and is turned down by the Haiku 4.5 and Sonnet 4.5 families; `inference_geo` is turned down
by models older than 4.6.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Optional parameters that a model takes."""

    known: bool = True
    effort: bool = True
    inference_geo: bool = True


# By the beginning of the name: dated names of a model take what the model takes. The longest one counts.
_FAMILIES: Final = {
    "claude-haiku-4-5": Capabilities(effort=False, inference_geo=False),
    "claude-sonnet-4-5": Capabilities(effort=False, inference_geo=False),
    "claude-opus-4-5": Capabilities(inference_geo=False),
    "claude-haiku-5": Capabilities(),
    "claude-sonnet-4-6": Capabilities(),
    "claude-sonnet-5": Capabilities(),
    "claude-opus-4": Capabilities(),
    "claude-opus-5": Capabilities(),
    "claude-fable-5": Capabilities(),
    "claude-mythos-5": Capabilities(),
}
_UNKNOWN: Final = Capabilities(known=False, effort=False)


def of(model: str) -> Capabilities:
    """Return what a model takes; of one that is not in the table, the least."""
    families = [name for name in _FAMILIES if model == name or model.startswith(f"{name}-")]
    return _FAMILIES[max(families, key=len)] if families else _UNKNOWN
