"""Bringing documents into the knowledge base: new versions, passages and index, all or nothing."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from django.db import transaction
from django.utils import timezone

from knowledge.chunks import cut
from knowledge.frontmatter import ParsedDocument
from knowledge.loading.folder import Failure
from knowledge.models import Document, DocumentVersion, Passage
from knowledge.searching import indexing
from knowledge.searching.engine import engine

log = structlog.get_logger("knowledge.ingest")

_BATCH: Final = 500
_CONTENT: Final = (
    "title",
    "module",
    "source",
    "source_path",
    "valid_from",
    "valid_to",
    "checked_on",
    "body",
    "content_hash",
)
_WRITTEN: Final = (*_CONTENT, "tags", "file_hash", "version", "removed_at", "updated_at")


@dataclass
class LoadReport:
    """What a load did."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    removed: int = 0
    failures: list[Failure] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many files could not be loaded."""
        return len(self.failures)

    @property
    def changes(self) -> int:
        """How many documents are no longer what they were."""
        return self.created + self.updated + self.removed

    @property
    def summary(self) -> str:
        """The counts for people who read Spanish; ``str`` gives them to scripts."""
        return (
            f"Creados: {self.created}, actualizados: {self.updated}, "
            f"sin cambios: {self.unchanged}, retirados: {self.removed}, con error: {self.failed}"
        )

    def __str__(self) -> str:
        return (
            f"created: {self.created}, updated: {self.updated}, unchanged: {self.unchanged}, "
            f"removed: {self.removed}, failed: {self.failed}"
        )


def load(
    documents: Sequence[ParsedDocument],
    failures: Iterable[Failure] = (),
    *,
    prune: bool = False,
    author: str = "",
) -> LoadReport:
    """Make the knowledge base say what the files say, in one transaction.

    A file that has not changed since it was last loaded is left alone, also when its document was
    edited in the admin meanwhile.

    Args:
        documents: What was read.
        failures: What could not be read; documents of those files are never pruned.
        prune: Remove documents that came from a file and are not among ``documents``.
        author: Who loads, for the versions.
    """
    report = LoadReport(failures=list(failures))
    with transaction.atomic():
        indexing.lock()
        existing = {document.slug: document for document in Document.objects.defer("body")}
        changed: list[tuple[Document, ParsedDocument]] = []
        for parsed in documents:
            document = existing.get(parsed.slug)
            if document is None:
                changed.append((Document(slug=parsed.slug), parsed))
                report.created += 1
            elif document.file_hash != parsed.content_hash or document.removed_at:
                changed.append((document, parsed))
                report.updated += 1
            else:
                report.unchanged += 1
        _publish(changed, author=author, from_file=True)
        if prune:
            report.removed = _prune(documents, report.failures)
        if report.changes:
            indexing.refresh()
    if report.changes:
        engine.index.catch_up()
    log.info(
        "load",
        created=report.created,
        updated=report.updated,
        unchanged=report.unchanged,
        removed=report.removed,
        failed=report.failed,
    )
    return report


def save(document: Document, *, author: str = "") -> bool:
    """Save a document edited by a person; a change of content makes a version.

    Returns:
        Whether there was a change.
    """
    parsed = document.as_parsed(document.slug)
    with transaction.atomic():
        indexing.lock()
        if document.pk:
            # A load may have made versions since the form was opened: this one comes after them.
            document.refresh_from_db(fields=["version", "content_hash", "file_hash", "removed_at"])
        if document.content_hash == parsed.content_hash and not document.removed_at:
            return False
        _publish([(document, parsed)], author=author, from_file=False)
        indexing.refresh()
    transaction.on_commit(engine.index.catch_up)
    return True


def remove(documents: Iterable[Document]) -> int:
    """Take documents out of use; their versions stay for the answers that cite them."""
    with transaction.atomic():
        indexing.lock()
        count = (
            Document.objects.active()
            .filter(pk__in=[document.pk for document in documents])
            .update(removed_at=timezone.now())
        )
        indexing.refresh()
    transaction.on_commit(engine.index.catch_up)
    return count


def text_hash(*, title: str, section: str, content: str) -> str:
    """Return the hash of what the embedding model reads of a passage."""
    return hashlib.sha256(passage_text(title, section, content).encode()).hexdigest()


def passage_text(title: str, section: str, content: str) -> str:
    """Return a passage as the embedding model reads it: with the headings above it."""
    head = f"{title} – {section}" if section else title
    return f"{head}\n{content}"


def _publish(
    changed: Sequence[tuple[Document, ParsedDocument]], *, author: str, from_file: bool
) -> None:
    """Store new versions and their passages and make them the current ones."""
    for document, parsed in changed:
        _take_over(document, parsed, from_file=from_file)
    documents = [document for document, _ in changed]
    new = [document for document in documents if document.pk is None]
    old = [document for document in documents if document.pk is not None]
    Document.objects.bulk_create(new, batch_size=_BATCH)
    Document.objects.bulk_update(old, _WRITTEN, batch_size=_BATCH)
    for batch in _batches(old):
        versions = DocumentVersion.objects.filter(document__in=batch, is_current=True)
        versions.update(is_current=False)
    for batch in _batches(documents):
        _store_versions(batch, author=author)


def _take_over(document: Document, parsed: ParsedDocument, *, from_file: bool) -> None:
    """Make a document say what was read, as its next version."""
    for name in _CONTENT:
        setattr(document, name, getattr(parsed, name))
    document.tags = list(parsed.tags)
    document.version += 1
    document.removed_at = None
    document.updated_at = timezone.now()
    if from_file:
        document.file_hash = parsed.content_hash


def _store_versions(documents: Sequence[Document], *, author: str) -> None:
    versions = DocumentVersion.objects.bulk_create(
        [
            DocumentVersion(
                document=document,
                number=document.version,
                created_by=author,
                content_hash=document.content_hash,
                **document.fields(),
            )
            for document in documents
        ]
    )
    passages = [passage for version in versions for passage in _passages(version)]
    Passage.objects.bulk_create(passages, batch_size=_BATCH)


def _batches(items: Sequence[Document]) -> Iterator[Sequence[Document]]:
    for first in range(0, len(items), _BATCH):
        yield items[first : first + _BATCH]


def _passages(version: DocumentVersion) -> list[Passage]:
    return [
        Passage(
            version=version,
            position=position,
            anchor=chunk.anchor,
            section=chunk.section,
            content=chunk.content,
            text_hash=text_hash(title=version.title, section=chunk.section, content=chunk.content),
        )
        for position, chunk in enumerate(cut(version.body, title=version.title))
    ]


def _prune(documents: Sequence[ParsedDocument], failures: Sequence[Failure]) -> int:
    """Remove documents whose file is gone; one that is only unreadable now is kept."""
    kept = {document.slug for document in documents}
    unreadable = {failure.path for failure in failures}
    gone = [
        pk
        for pk, slug, path in Document.objects.active()
        .exclude(file_hash="")
        .values_list("pk", "slug", "source_path")
        if slug not in kept and path not in unreadable
    ]
    for first in range(0, len(gone), _BATCH):
        Document.objects.filter(pk__in=gone[first : first + _BATCH]).update(
            removed_at=timezone.now()
        )
    return len(gone)
