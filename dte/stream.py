"""A batch answered as it is judged: NDJSON, one line per document, a summary at the end."""

import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Final
from uuid import uuid4

from channels.db import database_sync_to_async
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from dte.history.known import KeyRecords, follow
from dte.history.record import KeyHistory, Origin, record
from dte.intake import DocumentTooLarge, Options, UnreadableDocument
from dte.judging.batch import Answer, Batch, open_batch
from dte.judging.examined import Examined
from dte.parsing.unreadable import Unreadable
from dte.review import OPERATION
from usage.accounting.ledger import record_offline
from usage.models import ApiKey

CONTENT_TYPE: Final = "application/x-ndjson"
# A hop judges this many documents or works this long, whichever comes first: the first results leave
# at once, and a client that goes away wastes no more than one hop.
CHUNK: Final = 50
MAX_AT_ONCE: Final = 500
TOO_MANY: Final = f"el ZIP trae más de {MAX_AT_ONCE} documentos y se responde de a uno: use /api/dte/validate/batch"
SECONDS: Final = 0.2

_FOLIO: Final = re.compile(rb"<(?:\w+:)?Folio>\s*(\d{1,10})\s*<")


class Stream:
    """One batch of one key, pulled in chunks."""

    def __init__(self, raw: bytes, options: Options, api_key: ApiKey) -> None:
        self._history = KeyHistory(api_key)
        self._raw = raw
        self._batch = Batch(options.context(self._history), options.case(KeyRecords(api_key)))
        self._origin = Origin(api_key, options.mode, batch=uuid4(), track_id=options.track_id)
        self._answers: Iterator[Answer] = self._batch.judge(open_batch(raw))

    async def lines(self) -> AsyncIterator[bytes]:
        """Return the lines of the answer; leaving early stops the work.

        Raises:
            UnreadableDocument: The batch cannot be opened; before the first line.
        """
        first = await database_sync_to_async(self._open)()
        return self._follow(first)

    async def whole(self) -> dict[str, object]:
        """Return the answer to a small ZIP at once.

        Raises:
            UnreadableDocument: It cannot be opened, or holds more than ``MAX_AT_ONCE``.
        """
        chunk = await database_sync_to_async(self._open)()
        documents: list[dict[str, object]] = []
        while chunk:
            documents += map(self._describe, chunk)
            if len(documents) > MAX_AT_ONCE:
                raise DocumentTooLarge(None, what=TOO_MANY)
            try:
                chunk = await database_sync_to_async(self._pull)()
            except Unreadable as exc:
                raise UnreadableDocument(exc, self._origin.mode) from exc
        summary = self._batch.summary()
        del summary["type"]
        return {
            "id": str(self._origin.batch),
            "kind": "ZIP",
            "title": "Archivo ZIP",
            **summary,
            "summary": {"documents": summary["documents"], "files": summary["files"]},
            "findings": [],
            "not_checked": [],
            "documents": documents,
        }

    async def _follow(self, chunk: list[Answer]) -> AsyncIterator[bytes]:
        yield _line({"type": "start", "id": str(self._origin.batch)})
        while chunk:
            yield b"".join(map(self._answer_line, chunk))
            try:
                chunk = await database_sync_to_async(self._pull)()
            except Unreadable as exc:  # a limit that only shows while unpacking
                yield _line({"type": "error", **UnreadableDocument(exc, self._origin.mode).body()})
                break
        yield _line(self._batch.summary())

    def _open(self) -> list[Answer]:
        """Read what is known of the folios, and judge the first documents."""
        self._history.preload({folio.decode() for folio in _FOLIO.findall(self._raw)})
        try:
            chunk = self._judge_some()
        except Unreadable as exc:
            raise UnreadableDocument(exc, self._origin.mode) from exc
        usage = record_offline(self._origin.api_key, OPERATION)  # one row for the whole batch
        self._origin = replace(self._origin, usage_id=usage.pk)
        self._store(chunk)
        return chunk

    def _pull(self) -> list[Answer]:
        chunk = self._judge_some()
        self._store(chunk)
        return chunk

    def _store(self, chunk: list[Answer]) -> None:
        with transaction.atomic():
            for answer in chunk:
                if isinstance(answer.judged, Examined):
                    said = answer.judged.examination.answered
                    answer.judged.links = follow(self._origin.api_key, said)
            record([answer.judged for answer in chunk], self._origin)

    def _judge_some(self) -> list[Answer]:
        started = time.monotonic()
        chunk: list[Answer] = []
        for answer in self._answers:
            chunk.append(answer)
            if len(chunk) >= CHUNK or time.monotonic() - started > SECONDS:
                break
        return chunk

    def _answer_line(self, answer: Answer) -> bytes:
        return _line(self._describe(answer))

    def _describe(self, answer: Answer) -> dict[str, object]:
        judged = answer.judged
        progress: dict[str, object] = {}
        if answer.type != "envelope":
            progress = {"done": answer.done, "total": self._batch.total}
            progress |= {"file_number": answer.position, "file_count": answer.files}
        return {
            "type": answer.type,
            **({"file": answer.file} if answer.file else {}),
            **progress,
            "number": judged.number,
            **judged.as_dict(),
        }


def _line(data: dict[str, object]) -> bytes:
    return json.dumps(data, ensure_ascii=False, cls=DjangoJSONEncoder).encode() + b"\n"
