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

from knowledge.models import SearchIndex
from knowledge.searching import analysis, indexing
from knowledge.searching.postings import Postings
from knowledge.searching.ranking import Ranker
from knowledge.searching.spelling import Speller

log = structlog.get_logger("knowledge.live")

REFRESH_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Snapshot:
    """One whole index: everything a search needs besides the passages' text."""

    stamp: UUID | None
    ranker: Ranker
    speller: Speller


class _Holder:
    """Where the current snapshot is; one per process."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None
        self.checked = 0.0
        self.lock = threading.Lock()  # held by whoever reads an index from the database
        self.loader: threading.Thread | None = None


_holder = _Holder()


def current() -> Snapshot:
    """Return the index to search now; only the very first call in a process waits for it."""
    snapshot = _holder.snapshot
    if snapshot is None:
        return reload()
    if time.monotonic() - _holder.checked >= REFRESH_SECONDS:
        _holder.checked = time.monotonic()
        _check(snapshot)
    return snapshot


def reload() -> Snapshot:
    """Read the stored index now, unless this process already has it, and return it."""
    with _holder.lock:
        snapshot = _holder.snapshot
        stamp = stored_stamp()
        if snapshot is None or snapshot.stamp != stamp:
            snapshot = _read()
            _holder.snapshot = snapshot
        _holder.checked = time.monotonic()
        return snapshot


def catch_up() -> None:
    """Read the stored index now if this process searches at all; a loading command does not."""
    if _holder.snapshot is not None:
        reload()


def settle() -> None:
    """Wait for a reload that is going on in the background."""
    if _holder.loader:
        _holder.loader.join()


def forget() -> None:
    """Drop the index held; the next search reads it again. For tests, whose data vanish."""
    settle()
    with _holder.lock:
        _holder.snapshot = None


def stored_stamp() -> UUID | None:
    """Return the stamp of the stored index; None before the first load."""
    return SearchIndex.objects.values_list("stamp", flat=True).first()


def _check(snapshot: Snapshot) -> None:
    try:
        changed = stored_stamp() != snapshot.stamp
    except DatabaseError as error:
        # Searching with the index in memory is better than failing because of one more query.
        log.warning("index_check_failed", error=type(error).__name__)
        return
    if changed and not _holder.lock.locked():
        _holder.loader = threading.Thread(target=_reload_in_thread, name="knowledge-index")
        _holder.loader.start()


def _reload_in_thread() -> None:
    try:
        snapshot = reload()
        log.info("index_swapped", passages=len(snapshot.ranker))
    except Exception:
        log.exception("index_reload_failed")  # the old index stays; the next check tries again
    finally:
        connection.close()


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
    return Snapshot(stamp=stamp, ranker=ranker, speller=Speller(ranker))
