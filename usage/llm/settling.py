"""Settling from the event loop, whatever state the database is in."""

import structlog
from django.db import InterfaceError, OperationalError

from usage.accounting import ledger, spool
from usage.accounting.attachments import Attachment
from usage.accounting.ledger import OpenCall, Settlement
from usage.hops import hop

log = structlog.get_logger(__name__)


async def settle_or_spool(
    call: OpenCall, settlement: Settlement, attachment: Attachment | None = None
) -> object:
    """Settle a call; if the database is away, keep the settlement on disk until it is back.

    Returns:
        What storing the attachment returned; None if it waits on the disk.
    """
    try:
        return (await hop(ledger.settle, call, settlement, attachment)).stored
    except (OperationalError, InterfaceError) as exc:
        log.error("settlement_spooled", usage_id=str(call.id), error=type(exc).__name__)
        spool.keep(call.id, settlement, attachment)
        return None
