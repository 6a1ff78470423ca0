"""The part of a passage that answers a question, first the sentence that does.

Markdown stays well-formed: a row of a table comes with the table's head, a block of code whole.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from knowledge.searching import analysis

WORDS: Final = (
    95  # about as many as are shown; whole sentences and blocks, so a little more or less
)
STEPS: Final = 40  # words of the steps before the one that answers, which are then shown too
ROWS: Final = 4  # of a table too long to show whole
ELLIPSIS: Final = "…"

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)\s*#*$")
_BLOCK_END = re.compile(r"(?<=\n\n)")
_STEP = re.compile(r"^\s*\d+[.)]\s+")
_ITEM = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
_SENTENCE_END = re.compile(r"(?<=[.!?])(?:\*\*)?\s+(?=[\"«¿¡(*`A-ZÁÉÍÓÚÑ0-9])")


@dataclass(frozen=True)
class Unit:
    """What can be said by itself: a sentence, an item of a list, a row of a table, a block of code."""

    block: int
    text: str
    head: str = ""  # of the table that a row is from


def answering(content: str, question: str) -> str:
    """Return the excerpt as a quotation.

    Args:
        content: The passage, Markdown.
        question: What was asked; without it the excerpt is the beginning.
    """
    units = [unit for n, block in enumerate(_blocks(content)) for unit in _units(n, block)]
    if not units:
        return ""
    best = _best(units, question)
    steps = _steps_before(units, best)
    shown = {best, *steps}
    left = WORDS - sum(_size(units[at]) for at in shown)
    # Rows of one table are alike: besides the one that answers, a few of the nearest are enough.
    rows = {units[best].block: 1}
    for at in sorted(range(len(units)), key=lambda at: (at < best, abs(at - best))):
        unit = units[at]
        full = unit.head and rows.get(unit.block, 0) >= ROWS and _table_is_long(units, unit.block)
        if at in shown or full or _size(unit) > left:
            continue
        shown.add(at)
        left -= _size(unit)
        rows[unit.block] = rows.get(unit.block, 0) + 1
    order = sorted(shown) if steps else [best, *sorted(shown - {best})]
    alone = not steps and best != min(shown) and not units[best].head
    text = _joined([units[at] for at in order], alone=alone)
    if len(shown) < len(units):
        text += f"\n\n{ELLIPSIS}"
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def split_blocks(answer: str) -> list[str]:
    """Cut a text after its blocks."""
    return _BLOCK_END.split(answer)


def _best(units: Sequence[Unit], question: str) -> int:
    """Return the unit with most of what is asked; rare words of the passage weigh more.

    Passages begin with what answers them, so another unit must match clearly better.
    """
    asked = _stems(question)
    stems = [_stems(unit.text) for unit in units]
    spread = Counter(stem for some in stems for stem in some)
    scores = [sum(1 / spread[stem] for stem in asked & some) for some in stems]
    best = max(range(len(units)), key=lambda at: (scores[at], -at))
    return best if scores[best] > 2.5 * scores[0] + 0.7 else 0


def _steps_before(units: Sequence[Unit], best: int) -> list[int]:
    """Return the steps of a procedure that come before one of them, if they are short."""
    if not _STEP.match(units[best].text):
        return []
    before = [at for at in range(best) if units[at].block == units[best].block]
    return before if sum(_size(units[at]) for at in before) <= STEPS else []


def _stems(text: str) -> set[str]:
    return {analysis.stem(word) for word in analysis.words(text) if analysis.is_content(word)}


def _units(number: int, block: str) -> Iterator[Unit]:
    lines = block.split("\n")
    if _FENCE.match(block):
        yield Unit(number, block)
    elif block.lstrip().startswith("|"):
        head = "\n".join(lines[:2])
        yield from (Unit(number, line, head) for line in lines[2:])
    elif _ITEM.match(lines[0]):
        items: list[str] = []
        for line in lines:
            if _ITEM.match(line) or not items:
                items.append(line)
            else:
                items[-1] += f"\n{line}"
        yield from (Unit(number, item) for item in items)
    else:
        text = " ".join(line.strip() for line in lines)
        yield from (Unit(number, sentence) for sentence in _SENTENCE_END.split(text) if sentence)


def _joined(units: Sequence[Unit], *, alone: bool) -> str:
    """Put units together again as they stood; the first one by itself where it was moved up."""
    parts: list[str] = []
    before: Unit | None = None
    for at, unit in enumerate(units):
        together = before is not None and unit.block == before.block and not (alone and at == 1)
        if not together:
            parts.append(f"{unit.head}\n{unit.text}" if unit.head else unit.text)
        elif unit.head or _ITEM.match(unit.text):
            parts[-1] += f"\n{unit.text}"
        else:
            parts[-1] += f" {unit.text}"
        before = unit
    return "\n\n".join(parts)


def _table_is_long(units: Sequence[Unit], block: int) -> bool:
    return sum(_size(unit) for unit in units if unit.block == block) > WORDS // 2


def _size(unit: Unit) -> int:
    return len(unit.text.replace("|", " ").split())


def _blocks(content: str) -> Iterator[str]:
    """Yield paragraphs, lists, tables and whole code blocks; headings become bold text."""
    lines: list[str] = []
    fence = ""
    for line in content.splitlines():
        mark = _FENCE.match(line)
        if mark and not fence:
            if lines:
                yield "\n".join(lines)
                lines = []
            fence = mark.group(1)
        elif mark and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            yield "\n".join([*lines, line])
            lines, fence = [], ""
            continue
        if line.strip() or fence:
            lines.append(line if fence else _without_heading(line))
        elif lines:
            yield "\n".join(lines)
            lines = []
    if fence:
        lines.append(fence)
    if lines:
        yield "\n".join(lines)


def _without_heading(line: str) -> str:
    heading = _HEADING.match(line)
    return f"**{' '.join(heading.group(1).replace('*', '').split())}**" if heading else line
