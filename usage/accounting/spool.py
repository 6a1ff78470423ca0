"""Settlements that could not be written to the database, kept on disk until they can.

One file a settlement in ``STATE_DIR/spool``, named after its row, complete or absent: it is written
aside, flushed to the disk and then renamed. What is stored together with it (an answer) is in the same
file. Replaying twice does no harm, for a row is settled once. A file that cannot be read or stored, and
never will be, is set aside under ``.damaged`` for somebody to look at.
"""

import json
import os
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError

from usage.accounting import ledger
from usage.accounting.attachments import Attachment
from usage.accounting.ledger import Settlement
from usage.models import Outcome
from usage.tokens import TokenUsage

log = structlog.get_logger(__name__)

_DAMAGED = ".damaged"


def directory() -> Path:
    """Return where the files are."""
    return Path(settings.STATE_DIR) / "spool"


def keep(record_id: UUID, settlement: Settlement, attachment: Attachment | None = None) -> None:
    """Write a settlement and what goes with it to the disk, to be replayed."""
    directory().mkdir(parents=True, exist_ok=True)
    path = directory() / f"{record_id}.json"
    aside = path.with_suffix(".tmp")
    values = {
        "settlement": asdict(settlement),
        "attachment": None if attachment is None else asdict(attachment),
    }
    with aside.open("w") as file:
        json.dump(values, file, default=str)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    _sync_directory()


def _sync_directory() -> None:
    """Flush the names too: a file whose name is lost with the power is lost as well."""
    descriptor = os.open(directory(), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def waiting() -> list[Path]:
    """Return the files that wait."""
    return sorted(directory().glob("*.json"))


def damaged() -> list[Path]:
    """Return the files that were set aside."""
    return sorted(directory().glob(f"*{_DAMAGED}"))


def replay() -> int:
    """Settle what waits on the disk.

    Returns:
        How many rows were settled.

    Raises:
        django.db.DatabaseError: The database is still away; the files stay.
    """
    settled = 0
    for path in waiting():
        try:
            settled += _replay(path)
        except FileNotFoundError:
            continue  # another process was faster
        except (OperationalError, InterfaceError):
            raise
        except Exception as exc:  # noqa: BLE001  # whatever it is, the files behind it must not wait for it
            log.error("spool_damaged", file=path.name, error=type(exc).__name__)
            path.replace(path.with_name(path.name + _DAMAGED))
    if settled:
        log.info("spool_replayed", settled=settled)
    return settled


def _replay(path: Path) -> bool:
    record_id = UUID(path.stem)
    settlement, attachment = _read(path)
    call = ledger.find_call(record_id)
    first = call is not None and ledger.settle(call, settlement, attachment).first
    path.unlink(missing_ok=True)
    return first


def _read(path: Path) -> tuple[Settlement, Attachment | None]:
    values: dict[str, Any] = json.loads(path.read_bytes())
    settlement, attachment = values["settlement"], values["attachment"]
    return (
        Settlement(
            **settlement
            | {
                "outcome": Outcome(settlement["outcome"]),
                "usage": TokenUsage(**settlement["usage"]),
                "cost_usd": Decimal(settlement["cost_usd"]),
                "settled_at": datetime.fromisoformat(settlement["settled_at"]),
            }
        ),
        None if attachment is None else Attachment(**attachment),
    )
