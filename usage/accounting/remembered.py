"""Prices and limits, read from memory that is two seconds old at most.

They are needed before every paid call and change a few times a year. A change made in this process holds
at once (signals, `usage.apps`), one made in another within `SECONDS`.
"""

from typing import Any, Final

from django.core.cache.backends.locmem import LocMemCache

SECONDS: Final = 2

memory: Final = LocMemCache(
    "usage.remembered", {"TIMEOUT": SECONDS, "OPTIONS": {"MAX_ENTRIES": 10_000}}
)


def forget(**kwargs: Any) -> None:
    """Read everything anew from now on; takes what a signal sends."""
    memory.clear()
