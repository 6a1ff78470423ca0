"""The index that this process searches, swapped whole when the stored one changes.

Every few seconds one search reads one small row; when its stamp is another, a thread reads the new
index while searches go on with the old one. Several workers and hosts need nothing else.
"""

import threading
import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog
from django.db import DatabaseError, connection

from knowledge.models import Expression, SearchIndex
from knowledge.searching import analysis, indexing
from knowledge.searching.jargon import Jargon
from knowledge.searching.postings import Array, Postings
from knowledge.searching.ranking import Ranker
from knowledge.searching.relevance import OUTSIDE
from knowledge.searching.spelling import Speller

log = structlog.get_logger("knowledge.live")

REFRESH_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Snapshot:
    """One whole index: everything a search needs besides the passages' text."""

    stamp: UUID | None
    ranker: Ranker
    speller: Speller
    jargon: Jargon
    outside: Array  # which passages are on what is not ours


class LiveIndex:
    """Where the snapshot to search with is, and how it is kept up to date."""

    def __init__(self) -> None:
        self._snapshot: Snapshot | None = None
        self._checked = 0.0
        self._lock = threading.Lock()  # held by whoever reads an index from the database
        self._loader: threading.Thread | None = None

    def current(self) -> Snapshot:
        """Return the index to search now; only the very first call in a process waits for it."""
        snapshot = self._snapshot
        if snapshot is None:
            return self.reload()
        if time.monotonic() - self._checked >= REFRESH_SECONDS:
            self._checked = time.monotonic()
            self._check(snapshot)
        return snapshot

    def reload(self) -> Snapshot:
        """Read the stored index now, unless this process already has it, and return it."""
        with self._lock:
            snapshot = self._snapshot
            stamp = stored_stamp()
            if snapshot is None or snapshot.stamp != stamp:
                snapshot = _read()
                self._snapshot = snapshot
            self._checked = time.monotonic()
            return snapshot

    def catch_up(self) -> None:
        """Read the stored index now if this process searches at all; a loading command does not."""
        if self._snapshot is not None:
            self.reload()

    def modules(self) -> frozenset[str] | None:
        """Return the modules of the index held, asking no database; None before the first search."""
        snapshot = self._snapshot
        return None if snapshot is None or not len(snapshot.ranker) else snapshot.ranker.modules()

    def settle(self) -> None:
        """Wait for a reload that is going on in the background."""
        if self._loader:
            self._loader.join()

    def forget(self) -> None:
        """Drop the index held; the next search reads it again."""
        self.settle()
        with self._lock:
            self._snapshot = None

    def _check(self, snapshot: Snapshot) -> None:
        try:
            changed = stored_stamp() != snapshot.stamp
        except DatabaseError as error:
            # Searching with the index in memory is better than failing because of one more query.
            log.warning("index_check_failed", error=type(error).__name__)
            return
        if changed and not self._lock.locked():
            self._loader = threading.Thread(target=self._reload_in_thread, name="knowledge-index")
            self._loader.start()

    def _reload_in_thread(self) -> None:
        try:
            snapshot = self.reload()
            log.info("index_swapped", passages=len(snapshot.ranker))
        except Exception:
            log.exception("index_reload_failed")  # the old index stays; the next check tries again
        finally:
            connection.close()


def stored_stamp() -> UUID | None:
    """Return the stamp of the stored index; None before the first load."""
    return SearchIndex.objects.values_list("stamp", flat=True).first()


def _read() -> Snapshot:
    stored = SearchIndex.objects.first()
    if stored is None:
        return _snapshot(None, Postings.empty())
    postings = indexing.postings_of(stored)
    stored.data = b""  # as large as the index itself, and no longer needed
    if postings is None:
        # Another version of the code wrote it. This process searches with its own analyser and
        # leaves the row alone: during a deploy both versions run. load_knowledge settles it.
        log.warning("index_of_other_analyser", stored=stored.analysis, ours=analysis.VERSION)
        postings = indexing.current_postings()
    return _snapshot(stored.stamp, postings)


def _snapshot(stamp: UUID | None, postings: Postings) -> Snapshot:
    ranker = Ranker(postings)
    return Snapshot(
        stamp=stamp,
        ranker=ranker,
        speller=Speller(ranker),
        jargon=Jargon(Expression.objects.active().values_list("text", "meaning")),
        outside=ranker.of_module(OUTSIDE),
    )
