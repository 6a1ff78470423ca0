"""One look at one page: fetch, extract, compare, and store what came of it in one transaction."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urljoin

import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from knowledge.models import SiiNotice, SiiRun, SiiSnapshot, SiiSource
from knowledge.monitoring import asking, citing, comparing, notifying
from knowledge.monitoring.classifying import Classification, by_rules
from knowledge.monitoring.comparing import Change
from knowledge.monitoring.extracting import UnreadableError, extract
from knowledge.monitoring.fetching import Fetched, Fetcher, FetchError

log = structlog.get_logger(__name__)

# How often in a row a page that lost most of its text must be seen before that is believed.
BELIEVED_AFTER: Final = 3
# A change told within so many days is not told again when the page goes back and forth.
RETOLD_DAYS: Final = 7

GOOD: Final = frozenset({"baseline", "unchanged", "not_modified", "changed", "held"})


class LostLockError(Exception):
    """The run took so long that another one may have begun; nothing was written."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What became of one look; `result` is one of a closed set of words."""

    result: str
    detail: str = ""
    notice: SiiNotice | None = None

    @property
    def failed(self) -> bool:
        """Whether nothing was learnt of the page."""
        return self.result not in GOOD


def check(source: SiiSource, run: SiiRun, fetcher: Fetcher, *, force: bool = False) -> CheckResult:
    """Look at a page, store what changed, and say what became of it.

    Args:
        source: The page.
        run: The run that holds the lock.
        fetcher: What fetches.
        force: Ask for the whole page, not only whether it changed.

    Raises:
        LostLockError: The run is not the one that may write any more.
    """
    try:
        outcome = _look(source, run, fetcher, force=force)
    except (FetchError, UnreadableError) as exc:
        result = exc.result if isinstance(exc, FetchError) else "unreadable"
        outcome = CheckResult(result, str(exc))
    _note(source, run, outcome)
    log.info("sii.checked", source=source.slug, result=outcome.result)
    return outcome


def _look(source: SiiSource, run: SiiRun, fetcher: Fetcher, *, force: bool) -> CheckResult:
    known = source.snapshots.first()
    if known is not None and known.template != source.url:
        known = None  # somebody changed the address: another page, a new beginning
    fetched = _fetch(source, fetcher, conditional=known is not None and not force)
    if fetched.status == 304:
        return CheckResult("not_modified")
    text = extract(fetched.body, fetched.content_type, fetched.url)
    if comparing.is_apology(text):
        raise FetchError("apology", "El sitio respondió con un aviso en lugar de la página.")
    source.fetched_url, source.etag = fetched.url, fetched.etag
    source.last_modified = fetched.last_modified
    moved = "" if _is_own(source, fetched.url) else f"La página está ahora en {fetched.url}"
    if known is None:
        _store(source, run, _snapshot(source, fetched, text))
        return CheckResult("baseline", moved[:300])
    another_page = known.url != fetched.url and "{year}" in source.url
    change = comparing.compare(known.text, text, another_page=another_page)
    if change is None:
        source.held_hash, source.held_count = "", 0
        if another_page:
            _store(source, run, _snapshot(source, fetched, text))
        return CheckResult("unchanged", moved[:300])
    if _is_doubtful(source, fetcher, known, text):
        source.etag = source.last_modified = ""
        return CheckResult("held", "El cambio se confirma en la próxima revisión.")
    return _report(source, run, known, _snapshot(source, fetched, text), change)


def _fetch(source: SiiSource, fetcher: Fetcher, *, conditional: bool) -> Fetched:
    """Fetch the page; of this year if there is one already."""
    *earlier, last = _addresses(source)
    for url in earlier:
        try:
            return _fetch_one(source, fetcher, url, conditional=conditional)
        except FetchError as exc:
            if exc.result != "not_found":
                raise
    return _fetch_one(source, fetcher, last, conditional=conditional)


def _fetch_one(source: SiiSource, fetcher: Fetcher, url: str, *, conditional: bool) -> Fetched:
    if not (conditional and source.fetched_url == url):
        return fetcher.fetch(url)
    return fetcher.fetch(url, etag=source.etag, last_modified=source.last_modified)


def _addresses(source: SiiSource) -> Iterator[str]:
    year = timezone.localdate().year
    yield source.url.replace("{year}", str(year))
    if "{year}" in source.url:
        yield source.url.replace("{year}", str(year - 1))


def _is_own(source: SiiSource, url: str) -> bool:
    return url in set(_addresses(source))


def _is_doubtful(source: SiiSource, fetcher: Fetcher, known: SiiSnapshot, text: str) -> bool:
    """Tell whether a change is not believed yet.

    A text that we had before may come from a cache of the site, so the page is asked for once more; a
    page that lost most of its text must be seen so several times.
    """
    digest = comparing.digest(text)
    if source.snapshots.filter(digest=digest).exists():
        again = fetcher.fetch(source.fetched_url, fresh=True)
        if comparing.digest(extract(again.body, again.content_type, again.url)) != digest:
            return True
    if not comparing.has_shrunk(known.text, text):
        return False
    source.held_count = source.held_count + 1 if source.held_hash == digest else 1
    source.held_hash = digest
    return source.held_count < BELIEVED_AFTER


def _report(
    source: SiiSource, run: SiiRun, known: SiiSnapshot, snapshot: SiiSnapshot, change: Change
) -> CheckResult:
    since = timezone.now() - timedelta(days=RETOLD_DAYS)
    told = source.notices.filter(fingerprint=change.fingerprint, created_at__gte=since)
    source.held_hash, source.held_count = "", 0
    if told.exists():
        _store(source, run, snapshot)
        return CheckResult("unchanged", "El mismo cambio ya fue avisado.")
    ground = by_rules(change, source.kind, source.name)
    # Asked before the transaction: a run that dies here finds the same change again next time.
    classified = asking.improve(change, source, ground)
    notice = _notice(source, known, snapshot, change, classified)
    _store(source, run, snapshot, notice)
    return CheckResult("changed", notice=notice)


def _notice(
    source: SiiSource,
    known: SiiSnapshot,
    snapshot: SiiSnapshot,
    change: Change,
    classified: Classification,
) -> SiiNotice:
    return SiiNotice(
        source=source,
        before=known,
        after=snapshot,
        url=snapshot.url,
        diff=change.diff,
        links=[urljoin(snapshot.url, path) for path in change.files],
        fingerprint=change.fingerprint,
        rules=citing.rules(change.text, source.kind),
        documents=citing.documents(change.text, source.kind),
        **{name: getattr(classified, name) for name in Classification.__slots__},
    )


def _snapshot(source: SiiSource, fetched: Fetched, text: str) -> SiiSnapshot:
    return SiiSnapshot(
        source=source,
        template=source.url,
        url=fetched.url,
        text=text,
        digest=comparing.digest(text),
    )


def _store(
    source: SiiSource, run: SiiRun, snapshot: SiiSnapshot, notice: SiiNotice | None = None
) -> None:
    """Write the new text and what is told of it, all or nothing, and only while the lock is ours."""
    with transaction.atomic():
        if not run.beat():
            raise LostLockError
        snapshot.save()
        if notice is not None:
            notice.after = snapshot
            notice.save()
            notifying.enqueue(notice)
            source.last_changed_at = timezone.now()


def _note(source: SiiSource, run: SiiRun, outcome: CheckResult) -> None:
    now = timezone.now()
    written: dict[str, object] = {
        "last_checked_at": now,
        "last_result": outcome.result,
        "last_detail": outcome.detail[:300],
        "checks": F("checks") + 1,
        "errors": F("errors") + int(outcome.failed),
    }
    if not outcome.failed:
        written |= {
            name: getattr(source, name)
            for name in (
                "fetched_url",
                "etag",
                "last_modified",
                "held_hash",
                "held_count",
                "last_changed_at",
            )
        }
        written["last_ok_at"] = now
    # An update: what an operator changes in the admin meanwhile stays.
    SiiSource.objects.filter(pk=source.pk).update(**written)
    run.count(failed=outcome.failed, noticed=outcome.notice is not None)
