"""Cutting a long conversation without losing the cache on every turn.

A sliding window drops the oldest turn each time, so that the prefix changes and nothing is ever read
from the cache again. Here the conversation grows until it passes a mark; then everything but its last
part goes at once, and it grows anew from there. Where the cuts fall depends on the turns alone, so each
call finds the same ones without storing anything.
"""

from collections.abc import Sequence
from typing import Final

from usage.llm.values import Turn

HIGH_BYTES: Final = 60_000  # some 20,000 tokens of Spanish
LOW_BYTES: Final = 20_000


def trim(
    turns: Sequence[Turn], *, high: int = HIGH_BYTES, low: int = LOW_BYTES
) -> tuple[Turn, ...]:
    """Return the part of a conversation to send.

    Args:
        turns: The whole conversation, the new turn last.
        high: Bytes at which the conversation is cut.
        low: Bytes that stay after a cut, the last turn always included.
    """
    sizes = [_size(turn) for turn in turns]
    start = size = 0
    for end, turn in enumerate(turns, start=1):
        size += sizes[end - 1]
        if turn.role == "user" and size > high:
            start, size = _cut(turns[:end], sizes, low)
    return tuple(turns[start:])


def _cut(turns: Sequence[Turn], sizes: Sequence[int], low: int) -> tuple[int, int]:
    """Return where to begin, at a turn of the user, and the bytes that are left."""
    start, size = len(turns) - 1, sizes[len(turns) - 1]
    kept = (start, size)
    while start > 0 and size + sizes[start - 1] <= low:
        start -= 1
        size += sizes[start]
        if turns[start].role == "user":
            kept = (start, size)
    return kept


def _size(turn: Turn) -> int:
    return len(turn.text.encode()) + sum(len(passage.encode()) for passage in turn.passages)
