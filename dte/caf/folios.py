"""Which folios of a range were used, which are left, and where there are gaps."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Range = tuple[int, int]
_TOKEN = re.compile(r"(\d{1,10})(?:\s*[-–a]\s*(\d{1,10}))?")
_MOST_TOKENS = 5_000


@dataclass(frozen=True, slots=True)
class Folios:
    """A range of folios and the used part of it, as ranges in order."""

    first: int
    last: int
    used: Sequence[Range] = ()

    @property
    def total(self) -> int:
        """Return how many folios the range has."""
        return self.last - self.first + 1

    @property
    def used_count(self) -> int:
        """Return how many were used."""
        return sum(end - start + 1 for start, end in self.used)

    @property
    def left(self) -> int:
        """Return how many were not."""
        return self.total - self.used_count

    @property
    def highest(self) -> int | None:
        """Return the highest that was used."""
        return self.used[-1][1] if self.used else None

    @property
    def next(self) -> int | None:
        """Return the one to use next: after the highest used, else the first gap."""
        following = self.first if self.highest is None else self.highest + 1
        if following <= self.last:
            return following
        return self.gaps[0][0] if self.gaps else None

    @property
    def gaps(self) -> list[Range]:
        """Return the unused folios below the highest used."""
        found, start = [], self.first
        for begin, end in self.used:
            if begin > start:
                found.append((start, begin - 1))
            start = end + 1
        return found


def count_folios(first: int, last: int, used: Iterable[Range]) -> Folios:
    """Return the folios of a range; what was used outside it does not count."""
    merged: list[Range] = []
    for begin, end in sorted((max(begin, first), min(end, last)) for begin, end in used):
        if begin > end:
            continue
        if merged and begin <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return Folios(first, last, merged)


def read_ranges(text: str) -> tuple[list[Range], str]:
    """Read ``1-40, 45`` and return the ranges, and the first part that is none."""
    ranges: list[Range] = []
    for token in re.split(r"[,;\n]+", text)[:_MOST_TOKENS]:
        for part in [token] if _TOKEN.fullmatch(token.strip()) else token.split():
            found = _TOKEN.fullmatch(part.strip())
            if found is None:
                return ranges, part.strip()[:40]
            begin = int(found[1])
            ranges.append((begin, int(found[2] or begin)))
    return ranges, ""


def spell_ranges(ranges: Sequence[Range], limit: int = 10) -> str:
    """Write ranges as people do: 1-40, 45."""
    shown = [str(begin) if begin == end else f"{begin}-{end}" for begin, end in ranges[:limit]]
    return ", ".join(shown) + (f" y {len(ranges) - limit} más" if len(ranges) > limit else "")
