"""Settlements that could not be written to the database, kept on disk until they can.

One file a settlement in ``STATE_DIR/spool``, named after its row, complete or absent: it is written
aside, flushed to the disk and then renamed. Replaying twice does no harm, for a row is settled once.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings

from usage.accounting import ledger
from usage.accounting.ledger import Settlement
from usage.models import Outcome
from usage.tokens import TokenUsage

log = structlog.get_logger(__name__)


def directory() -> Path:
    """Return where the files are."""
    return Path(settings.STATE_DIR) / "spool"


def keep(record_id: UUID, settlement: Settlement) -> None:
    """Write a settlement to the disk, to be replayed."""
    directory().mkdir(parents=True, exist_ok=True)
    path = directory() / f"{record_id}.json"
    aside = path.with_suffix(".tmp")
    values = asdict(settlement) | {
        "cost_usd": str(settlement.cost_usd),
        "settled_at": settlement.settled_at.isoformat(),
    }
    with aside.open("w") as file:
        json.dump(values, file)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)


def waiting() -> list[Path]:
    """Return the files that wait, oldest first."""
    return sorted(directory().glob("*.json"), key=lambda path: path.stat().st_mtime)


def replay() -> int:
    """Settle what waits on the disk.

    Returns:
        How many rows were settled.

    Raises:
        django.db.DatabaseError: The database is still away; the files stay.
    """
    settled = 0
    for path, settlement in _read():
        call = ledger.open_call(UUID(path.stem))
        if call is not None and ledger.settle(call, settlement):
            settled += 1
        path.unlink(missing_ok=True)
    if settled:
        log.info("spool_replayed", settled=settled)
    return settled


def _read() -> Iterator[tuple[Path, Settlement]]:
    for path in waiting():
        values = json.loads(path.read_text())
        yield (
            path,
            Settlement(
                **values
                | {
                    "outcome": Outcome(values["outcome"]),
                    "usage": TokenUsage(**values["usage"]),
                    "cost_usd": Decimal(values["cost_usd"]),
                    "settled_at": datetime.fromisoformat(values["settled_at"]),
                }
            ),
        )
