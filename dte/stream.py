"""A batch answered as it is judged: NDJSON, one line per document, a summary at the end."""

import json
import re
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

from channels.db import database_sync_to_async
from django.core.serializers.json import DjangoJSONEncoder

from dte.history.record import KeyHistory, Origin, record
from dte.intake import Options, UnreadableDocument
from dte.judging.batch import Answer, Batch, open_batch
from dte.parsing.unreadable import Unreadable
from dte.review import OPERATION
from usage.accounting.ledger import record_offline
from usage.models import ApiKey

CONTENT_TYPE: Final = "application/x-ndjson"
# A hop judges this many documents or works this long, whichever comes first: the first results leave
# at once, and a client that goes away wastes no more than one hop.
CHUNK: Final = 50
SECONDS: Final = 0.2

_FOLIO: Final = re.compile(rb"<(?:\w+:)?Folio>\s*(\d{1,10})\s*<")


class Stream:
    """One batch of one key, pulled in chunks."""

    def __init__(self, raw: bytes, options: Options, api_key: ApiKey) -> None:
        self._history = KeyHistory(api_key)
        self._raw = raw
        self._batch = Batch(options.context(self._history))
        self._origin = Origin(api_key, options.mode, batch=uuid4())
        self._answers: Iterator[Answer] = self._batch.judge(open_batch(raw))

    async def lines(self) -> AsyncIterator[bytes]:
        """Return the lines of the answer; leaving early stops the work.

        Raises:
            UnreadableDocument: The batch cannot be opened; before the first line.
        """
        first = await database_sync_to_async(self._open)()
        return self._follow(first)

    async def _follow(self, chunk: list[Answer]) -> AsyncIterator[bytes]:
        yield _line({"type": "start", "id": str(self._origin.batch)})
        while chunk:
            yield b"".join(map(self._answer_line, chunk))
            try:
                chunk = await database_sync_to_async(self._pull)()
            except Unreadable as exc:  # a limit that only shows while unpacking
                yield _line({"type": "error", **UnreadableDocument(exc).body()})
                break
        yield _line(self._batch.summary())

    def _open(self) -> list[Answer]:
        """Read what is known of the folios, and judge the first documents."""
        self._history.preload({folio.decode() for folio in _FOLIO.findall(self._raw)})
        try:
            chunk = self._judge_some()
        except Unreadable as exc:
            raise UnreadableDocument(exc) from exc
        usage = record_offline(self._origin.api_key, OPERATION)  # one row for the whole batch
        self._origin = replace(self._origin, usage_id=usage.pk)
        record([answer.judged for answer in chunk], self._origin)
        return chunk

    def _pull(self) -> list[Answer]:
        chunk = self._judge_some()
        record([answer.judged for answer in chunk], self._origin)
        return chunk

    def _judge_some(self) -> list[Answer]:
        started = time.monotonic()
        chunk: list[Answer] = []
        for answer in self._answers:
            chunk.append(answer)
            if len(chunk) >= CHUNK or time.monotonic() - started > SECONDS:
                break
        return chunk

    def _answer_line(self, answer: Answer) -> bytes:
        judged = answer.judged
        progress = {"done": judged.number, "total": self._batch.total} if judged.number else {}
        return _line(
            {
                "type": answer.kind,
                **({"file": answer.file} if answer.file else {}),
                **progress,
                "number": judged.number,
                **judged.as_dict(),
            }
        )


def _line(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False, cls=DjangoJSONEncoder).encode() + b"\n"
