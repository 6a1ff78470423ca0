"""Cutting a Markdown body into the passages that are searched and quoted.

A passage is a section: measured on Spanish tax text, sections beat fixed windows of words at every
size, and a passage without its title loses half of its questions. Long sections are split between
blocks, because the embedding model reads some 300 words; a table or a code block is never cut.
"""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_WORDS: Final = 250
SEPARATOR: Final = " › "

_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-{2,})[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_SENTENCE_END = re.compile(r"(?<=[.!?;:])\s+")


@dataclass(frozen=True)
class Chunk:
    """One passage of a document: where it stands and what it says."""

    anchor: str
    section: str
    content: str


def cut(body: str, *, title: str) -> list[Chunk]:
    """Return the passages of a document in order.

    Args:
        body: Markdown.
        title: The document's title; a first heading that only repeats it is not a section.
    """
    chunks: list[Chunk] = []
    used: Counter[str] = Counter()
    for path, lines in _sections(body):
        path = path[1:] if path and _plain(path[0]) == _plain(title) else path
        section = SEPARATOR.join(path)
        for content in _split(lines):
            anchor = _anchor(section) or "inicio"
            used[anchor] += 1
            if used[anchor] > 1:
                anchor = f"{anchor}~{used[anchor]}"  # no heading yields a ~, so anchors stay unique
            chunks.append(Chunk(anchor=anchor, section=section, content=content))
    return chunks


def _sections(body: str) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield every section's heading path and its lines, headings inside code left alone."""
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    fence = ""
    for line in body.split("\n"):
        fence = _fence_after(line, fence)
        heading = None if fence else _heading(line, lines)
        if heading is None:
            lines.append(line)
            continue
        yield tuple(text for _, text in path), lines
        lines = []
        level, text = heading
        path = [(depth, name) for depth, name in path if depth < level] + [(level, text)]
    yield tuple(text for _, text in path), lines


def _heading(line: str, before: list[str]) -> tuple[int, str] | None:
    """Read a heading: ``# like this``, or a single line of text underlined with = or -."""
    if match := _HEADING.match(line):
        return (len(match[1]), match[2]) if match[2] else None
    match = _UNDERLINE.match(line)
    alone = before and before[-1].strip() and (len(before) == 1 or not before[-2].strip())
    if not match or not alone or re.match(r"[\s>|*+-]", before[-1]):
        return None
    return 1 if match[1][0] == "=" else 2, before.pop().strip()


def _fence_after(line: str, fence: str) -> str:
    """Return the fence that is open after this line, or nothing."""
    match = _FENCE.match(line)
    if not match:
        return fence
    if not fence:
        return match[1]
    closes = line.strip().startswith(fence) and not line.strip().strip(fence[0])
    return "" if closes else fence


def _split(lines: list[str]) -> Iterator[str]:
    """Join a section's blocks into passages of at most ``MAX_WORDS`` where blocks allow it."""
    current: list[str] = []
    words = 0
    for block in _blocks(lines):
        size = len(block.split())
        if current and words + size > MAX_WORDS:
            yield "\n\n".join(current)
            current, words = [], 0
        current.append(block)
        words += size
    if current:
        yield "\n\n".join(current)


def _blocks(lines: list[str]) -> Iterator[str]:
    """Yield paragraphs, tables and code blocks; a long paragraph comes out in sentences."""
    block: list[str] = []
    fence = ""
    for line in [*lines, ""]:
        inside = bool(fence)
        fence = _fence_after(line, fence)
        if line.strip() or inside or fence:
            block.append(line)
            continue
        if block:
            yield from _shorten("\n".join(block).strip("\n"))
        block = []
    if block:
        yield "\n".join(block).strip("\n")  # a fence that was never closed


def _shorten(block: str) -> Iterator[str]:
    whole = _FENCE.match(block) or block.lstrip().startswith("|") or len(block.split()) <= MAX_WORDS
    if whole:
        yield block
        return
    # Lists break between lines, prose between sentences; what has neither is cut by words.
    is_list = block.count("\n") > 2
    parts = block.split("\n") if is_list else _SENTENCE_END.split(block)
    joiner = "\n" if is_list else " "
    current: list[str] = []
    for part in itertools.chain.from_iterable(map(_by_words, parts)):
        if current and len(joiner.join([*current, part]).split()) > MAX_WORDS:
            yield joiner.join(current)
            current = []
        current.append(part)
    yield joiner.join(current)


def _by_words(text: str) -> Iterator[str]:
    words = text.split()
    if len(words) <= MAX_WORDS:
        yield text
        return
    for start in range(0, len(words), MAX_WORDS):
        yield " ".join(words[start : start + MAX_WORDS])


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in folded if c.isalnum())


def _anchor(section: str) -> str:
    folded = unicodedata.normalize("NFKD", section.lower())
    ascii_only = "".join(c for c in folded if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:120]
