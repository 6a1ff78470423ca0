"""What is known of the calls under way, on this host's disk, for whoever settles them after a crash.

One file a process in ``STATE_DIR/journal``, one line a note, the last of a call being the one that
counts. A note is a single append without fsync: what the kernel has taken survives the death of the
process, ``kill -9`` included. A host that loses its power loses the latest notes, and its rows are
settled as those of which nothing is known.
"""

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings

from usage.accounting import process
from usage.models.record import TOKEN_CLASSES
from usage.tokens import TokenUsage

log = structlog.get_logger(__name__)

# Rewritten with the notes of living calls alone once it has grown to this.
_LONGEST: Final = 1_000_000  # bytes


@dataclass(frozen=True, slots=True)
class Note:
    """What was known of a call at one moment."""

    usage: TokenUsage
    received_bytes: int
    message_id: str
    request_id: str


class Journal:
    """The notes of one process, as it writes them."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        self._living: dict[UUID, bytes] = {}
        self._file = self._open(path)
        self._length = 0

    def note(self, call_id: UUID, note: Note) -> None:
        """Append a note."""
        line = _line(call_id, note)
        with self._lock:
            self._living[call_id] = line
            self._length += os.write(self._file, line)
            if self._length > _LONGEST:
                self._shorten()

    def forget(self, call_id: UUID) -> None:
        """Drop a call from what the next rewriting keeps."""
        with self._lock:
            self._living.pop(call_id, None)

    def is_under_way(self, call_id: UUID) -> bool:
        """Tell whether a call was noted and not forgotten."""
        with self._lock:
            return call_id in self._living

    def close(self) -> None:
        """Let go of the file; notes fail from now on."""
        os.close(self._file)

    def _shorten(self) -> None:
        aside = self._path.with_suffix(".tmp")
        replacement = self._open(aside)
        self._length = os.write(replacement, b"".join(self._living.values()))
        aside.rename(self._path)
        os.close(self._file)
        self._file = replacement

    @staticmethod
    def _open(path: Path) -> int:
        flags = os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC
        return os.open(path, flags, 0o600)


def _line(call_id: UUID, note: Note) -> bytes:
    # Not by `asdict`, which copies deeply: a note is written for every hundred bytes of an answer.
    usage = {name: getattr(note.usage, name) for name in TOKEN_CLASSES}
    values = {name: getattr(note, name) for name in ("received_bytes", "message_id", "request_id")}
    return json.dumps({"call": str(call_id), "usage": usage, **values}).encode() + b"\n"


_own: Journal | None = None
_state: object = None  # the directory that it is in
_lock = threading.Lock()


def _journal() -> Journal:
    global _own, _state
    with _lock:
        if _own is None or _state != settings.STATE_DIR:
            _own, _state = Journal(directory() / process.announce()), settings.STATE_DIR
    return _own


def directory() -> Path:
    """Return where the files are."""
    return Path(settings.STATE_DIR) / "journal"


def note(
    call_id: UUID, usage: TokenUsage, *, received_bytes: int, message_id: str, request_id: str
) -> None:
    """Write down how far a call has come; a few microseconds, no database.

    Args:
        call_id: The row, `OpenCall.id`.
        usage: What the call would be settled at if it ended now: the provider's report with the
            output estimated from what has arrived.
        received_bytes: Of any content, text or thinking.
        message_id: The provider's name of the answer.
        request_id: The provider's name of the request.
    """
    try:
        _journal().note(call_id, Note(usage, received_bytes, message_id, request_id))
    except OSError as exc:  # a full disk must not end a call that is being paid for
        log.error("journal_failed", error=type(exc).__name__)


def forget(call_id: UUID) -> None:
    """Say that a call is settled and its notes are of no use any more."""
    if _own is not None:
        _own.forget(call_id)


def is_under_way(call_id: UUID) -> bool:
    """Tell whether this process has noted something of a call that is not settled yet."""
    return _own is not None and _own.is_under_way(call_id)


def last_notes(process_id: str) -> dict[UUID, Note]:
    """Return the last note of each call of a process that is gone; what is damaged is left out."""
    try:
        lines = (directory() / process_id).read_bytes().splitlines() if process_id else []
    except OSError:
        return {}
    return {call_id: found for call_id, found in map(_read, lines) if found is not None}


def _read(line: bytes) -> tuple[UUID, Note | None]:
    try:
        values: dict[str, Any] = json.loads(line)
        call_id = UUID(values.pop("call"))
        return call_id, Note(**values | {"usage": TokenUsage(**values["usage"])})
    except (ValueError, KeyError, TypeError, AttributeError):
        return UUID(int=0), None


def remove(process_id: str) -> None:
    """Remove the file of a process of which nothing is open any more."""
    (directory() / process_id).unlink(missing_ok=True)
