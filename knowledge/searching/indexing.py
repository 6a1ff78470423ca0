"""Keeping the stored index equal to the stored passages."""

import uuid
from collections.abc import Iterator
from typing import Final

import structlog
from django.db import transaction
from django.utils import timezone

from knowledge.chunks import SEPARATOR
from knowledge.models import Passage, SearchIndex
from knowledge.searching import analysis
from knowledge.searching.postings import Entry, Postings

log = structlog.get_logger("knowledge.indexing")

_FETCH: Final = 2_000


def lock() -> SearchIndex:
    """Take the index row for the rest of the transaction: changes of content come one by one."""
    SearchIndex.objects.get_or_create(
        id=SearchIndex.SINGLETON,
        defaults={"stamp": uuid.uuid4(), "analysis": "", "data": b""},
    )
    return SearchIndex.objects.select_for_update().defer("data").get()


def refresh() -> int:
    """Bring the index up to date with the current passages, inside the caller's transaction.

    Only passages that the index lacks are analysed; an index of another analyser counts as empty.

    Returns:
        The number of passages indexed.
    """
    lock()
    stored = SearchIndex.objects.get()
    postings = postings_of(stored) or Postings.empty()
    current = set(Passage.objects.current().values_list("id", flat=True))
    known = set(postings.ids.tolist())
    changed = postings.changed(keep=current & known, add=_entries(current - known))
    SearchIndex.objects.update(
        stamp=uuid.uuid4(),
        analysis=analysis.VERSION,
        passages=len(changed),
        built_at=timezone.now(),
        data=changed.to_bytes(),
    )
    log.info("index_built", passages=len(changed), analysed=len(current - known))
    return len(changed)


def announce() -> None:
    """Make every process read the index anew, because what it searches with has changed."""
    SearchIndex.objects.update(stamp=uuid.uuid4())


def ensure_current() -> bool:
    """Rebuild the index if another version of the analyser made it.

    A deploy with a new analyser changes no document, and yet no passage would be found by it.

    Returns:
        Whether it was rebuilt.
    """
    with transaction.atomic():
        stale = lock().analysis != analysis.VERSION
        if stale:
            refresh()
    return stale


def postings_of(stored: SearchIndex) -> Postings | None:
    """Return the stored postings, or None when this code's analyser did not make them."""
    if stored.analysis != analysis.VERSION or not stored.data:
        return None
    return Postings.from_bytes(bytes(stored.data))


def current_postings() -> Postings:
    """Analyse every current passage without storing anything."""
    current = set(Passage.objects.current().values_list("id", flat=True))
    return Postings.empty().changed(keep=(), add=_entries(current))


def _entries(ids: set[int]) -> Iterator[Entry]:
    wanted = sorted(ids)
    for first in range(0, len(wanted), _FETCH):
        batch = Passage.objects.filter(id__in=wanted[first : first + _FETCH])
        for passage in batch.select_related("version").order_by("id"):
            version = passage.version
            yield Entry(
                id=passage.id,
                title=version.title,
                section=passage.section.replace(SEPARATOR, " "),
                content=passage.content,
                module=version.module,
                tags=version.tags,
                valid_from=version.valid_from,
                valid_to=version.valid_to,
            )
