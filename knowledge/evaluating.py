"""An evaluation in the background: begun by a button, followed by whoever looks, of whatever process.

How far it is stands in the cache, so it is one for all processes where they share Redis. A process that
dies with it leaves the cache to forget.
"""

import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import structlog
from django.core.cache import cache
from django.db import connections

from knowledge import scoring

log = structlog.get_logger(__name__)

_KEY: Final = "knowledge.evaluation"
_FORGOTTEN_AFTER: Final = 60  # seconds without a further question
_NOTED_EVERY: Final = 10  # questions


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of how many questions were asked."""

    asked: int
    of: int


def progress() -> Progress | None:
    """Return how far the evaluation is that runs now, if one does."""
    found = cache.get(_KEY)
    return None if found is None else Progress(**found)


def begin(cases: Sequence[scoring.Case]) -> bool:
    """Start an evaluation; False if one runs already."""
    if not cache.add(_KEY, asdict(Progress(0, len(cases))), _FORGOTTEN_AFTER):
        return False
    threading.Thread(target=_run, args=(cases,), name="evaluation", daemon=True).start()
    return True


def _run(cases: Sequence[scoring.Case]) -> None:
    try:
        outcomes: list[scoring.Scored] = []
        for number, case in enumerate(cases, 1):
            outcomes += scoring.run([case])
            if number % _NOTED_EVERY == 0:
                cache.set(_KEY, asdict(Progress(number, len(cases))), _FORGOTTEN_AFTER)
        scoring.save(outcomes)
    except Exception:  # the page shows that no result came; why is in the log
        log.exception("evaluation_failed")
    finally:
        cache.delete(_KEY)
        connections.close_all()
