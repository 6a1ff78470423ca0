"""The identity of this process, and how another one finds out that it died.

The ledger writes the identity on every row it opens, and a claim on an Idempotency-Key carries it. Beside it the process holds a lock on a file in
``STATE_DIR/processes`` that the kernel releases however the process ends, ``kill -9`` included: whoever
can take the lock knows that the rows are orphans. A process of another host has no file here; `beats`
judges it.
"""

import fcntl
import os
import threading
import uuid
from pathlib import Path
from typing import Final

from django.conf import settings

PROCESS_ID: Final = uuid.uuid4().hex

_lease: int | None = None
_lock = threading.Lock()


def directory() -> Path:
    """Return where the lock files are."""
    return Path(settings.STATE_DIR) / "processes"


def announce() -> str:
    """Hold this process's lock from now on, and return the identity to write on rows."""
    global _lease
    with _lock:
        if _lease is None:
            directory().mkdir(parents=True, exist_ok=True)
            # Locked before it has its name: a sweep that found it unlocked would take it for dead.
            aside = directory() / f"{PROCESS_ID}.new"
            descriptor = os.open(aside, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            aside.rename(directory() / PROCESS_ID)
            _lease = descriptor  # never closed: it lives as long as the process
    return PROCESS_ID


def has_died(process_id: str) -> bool:
    """Tell whether a process of this host is known to be gone; False when nothing is known."""
    path = directory() / process_id
    if not process_id.isalnum() or not path.is_file():
        return False
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def is_here(process_id: str) -> bool:
    """Tell whether a process of this host is known to live."""
    if not process_id.isalnum() or not (directory() / process_id).is_file():
        return False
    return not has_died(process_id)


def dead() -> list[str]:
    """Return the processes of this host that are known to be gone."""
    return [path.name for path in directory().glob("*") if has_died(path.name)]


def forget(process_id: str) -> None:
    """Remove the lock file of a process that is gone; run once nothing of its is open."""
    (directory() / process_id).unlink(missing_ok=True)
