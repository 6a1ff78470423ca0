"""How a host learns that a process of another one is dead: it beats no more.

Every server process writes a beat to the database at each round of its upkeep. Nobody compares clocks: a
process is silent when its beat has not changed for `SILENT_SECONDS` of this process's own looking. While
this process does not look (it was stopped, or the database was away, for the others as well), no time
passes. Of this host's processes the kernel knows better (`process.py`).

A process that was only stopped for so long finds its rows settled when it goes on; they keep the numbers
that they were settled at.
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils import timezone

from usage.accounting import process
from usage.models import ServingProcess

SILENT_SECONDS: Final = 150.0  # five rounds of the upkeep
PAUSE_SECONDS: Final = (
    75.0  # between two looks; after a longer one nothing is known of the time between
)


def beat() -> None:
    """Say that this process lives."""
    ServingProcess.objects.update_or_create(
        pk=process.announce(), defaults={"beat_at": timezone.now()}
    )


class Watch:
    """What one process has seen of the others' beats.

    Args:
        clock: Seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._looked_at = clock()
        self._seen: dict[str, tuple[datetime, float]] = {}  # the beat, and when it was first seen

    def silent(self) -> list[str]:
        """Look, and return the processes of other hosts that are silent."""
        now = self._clock()
        if now - self._looked_at > PAUSE_SECONDS:
            self._seen.clear()
        self._looked_at = now
        beats = ServingProcess.objects.exclude(pk=process.PROCESS_ID).values_list("pk", "beat_at")
        seen = {}
        for process_id, beat_at in beats:
            known = self._seen.get(process_id)
            seen[process_id] = known if known and known[0] == beat_at else (beat_at, now)
        self._seen = seen
        return [
            process_id
            for process_id, (_, since) in seen.items()
            if now - since >= SILENT_SECONDS and not process.is_here(process_id)
        ]


def forget(process_id: str) -> None:
    """Remove what a process that is gone has left, once nothing of its is open.

    One that was stopped in the middle of its beat still holds its row: that is left for the next round.
    """
    gone = ServingProcess.objects.filter(pk=process_id).select_for_update(skip_locked=True)
    with transaction.atomic():
        ServingProcess.objects.filter(pk__in=gone.values("pk")).delete()


watch: Final = Watch()
