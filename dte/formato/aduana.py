"""The customs tables that exports use: which codes exist (``aduana.txt`` says where they come from)."""

from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_suffix(".txt")


@cache
def _tables() -> dict[str, frozenset[int]]:
    tables = {}
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, *ranges = line.split()
            tables[name] = frozenset(code for written in ranges for code in _codes(written))
    return tables


def _codes(written: str) -> range:
    first, _, last = written.partition("-")
    return range(int(first), int(last or first) + 1)


def is_known(table: str, code: str) -> bool:
    """Tell whether a code stands in a table; what is no number is the format's matter."""
    return not code.isascii() or not code.isdigit() or int(code) in _tables()[table]
