"""What changed between two texts of a page, for people to read."""

import hashlib
import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from knowledge.monitoring import noise

_CONTEXT: Final = 2
MAX_DIFF: Final = 200_000  # characters

# A text that lost so much is rather an error that the server calls a page.
_SHRUNK: Final = 0.25
_SUBSTANTIAL: Final = 600
_APOLOGY: Final = re.compile(
    r"en mantenci[oó]n|en mantenimiento|no (?:se encuentra |est[áa] )?disponible (?:temporalmente|por el momento|en este momento)|"
    r"temporalmente (?:no disponible|fuera de servicio)|fuera de servicio|int[ée]nte(?:lo)? (?:nuevamente )?m[áa]s tarde|"
    r"p[áa]gina no (?:encontrada|existe)|p[áa]gina solicitada no|requested url was rejected|request rejected|access denied|"
    r"service unavailable|bad gateway|internal server error|error (?:404|500|502|503)|demasiadas solicitudes",
    re.IGNORECASE,
)
_APOLOGY_LINES: Final = 25


@dataclass(frozen=True, slots=True)
class Change:
    """A real change.

    Attributes:
        added: New lines, in their order.
        removed: Lines that are gone.
        diff: Both with what stands around them; lines begin with ``+``, ``-``, ``@`` or a space.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    diff: str

    @property
    def text(self) -> str:
        """All that changed."""
        return "\n".join((*self.added, *self.removed))

    @property
    def files(self) -> list[str]:
        """Paths of the files that new lines link to."""
        return list(dict.fromkeys(re.findall(r"\[(/[^\]]+)\]", "\n".join(self.added))))[:50]

    @property
    def fingerprint(self) -> str:
        """What two tellings of the same change have in common."""
        sides = (sorted(map(noise.key, side)) for side in (self.added, self.removed))
        return hashlib.sha256("\n\0".join("\n".join(side) for side in sides).encode()).hexdigest()


def compare(before: str, after: str, *, another_page: bool = False) -> Change | None:
    """Return what changed, or None if nothing did that says anything.

    Args:
        before: The text that we have.
        after: The text of now.
        another_page: It is the page of another year: what the old one says stays true.
    """
    old, new = noise.lines(before), noise.lines(after)
    old_keys, new_keys = [noise.key(line) for line in old], [noise.key(line) for line in new]
    if " ".join(old_keys) == " ".join(new_keys):
        return None
    known, present = set(old_keys), set(new_keys)
    added = tuple(line for line, name in zip(new, new_keys, strict=True) if name not in known)
    removed = tuple(line for line, name in zip(old, old_keys, strict=True) if name not in present)
    if another_page:
        removed = ()
    if not added and not removed:
        return None  # the same lines in another order
    if another_page:
        return Change(added, (), "\n".join(f"+{line}" for line in added)[:MAX_DIFF])
    return Change(added, removed, _diff(old, new, old_keys, new_keys))


def is_apology(text: str) -> bool:
    """Whether a page that came with 200 is no page: under maintenance, rejected, not found."""
    said = noise.lines(text)
    return not said or (len(said) <= _APOLOGY_LINES and bool(_APOLOGY.search("\n".join(said))))


def has_shrunk(before: str, after: str) -> bool:
    """Whether so much is gone that it has to be seen more than once to be believed."""
    old, new = (sum(map(len, noise.lines(text))) for text in (before, after))
    return old >= _SUBSTANTIAL and new < _SHRUNK * old


def digest(text: str) -> str:
    """Return what two texts have in common that say the same."""
    return hashlib.sha256("\n".join(map(noise.key, noise.lines(text))).encode()).hexdigest()


def _diff(old: list[str], new: list[str], old_keys: list[str], new_keys: list[str]) -> str:
    shown: list[str] = []
    matcher = SequenceMatcher(None, old_keys, new_keys, autojunk=False)
    for group in matcher.get_grouped_opcodes(_CONTEXT):
        shown.append(f"@ línea {group[0][3] + 1}")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                shown += [f" {line}" for line in new[j1:j2]]
                continue
            shown += [f"-{line}" for line in old[i1:i2]]
            shown += [f"+{line}" for line in new[j1:j2]]
    return "\n".join(shown)[:MAX_DIFF]
