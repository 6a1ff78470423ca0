"""Settling from the event loop, whatever state the database is in."""

import structlog
from django.db import InterfaceError, OperationalError

from usage.accounting import ledger, spool
from usage.accounting.ledger import OpenCall, Settlement
from usage.hops import hop

log = structlog.get_logger(__name__)


async def settle_or_spool(call: OpenCall, settlement: Settlement) -> None:
    """Settle a call; if the database is away, keep the settlement on disk until it is back."""
    try:
        await hop(ledger.settle, call, settlement)
    except (OperationalError, InterfaceError) as exc:
        log.error("settlement_spooled", usage_id=str(call.id), error=type(exc).__name__)
        spool.keep(call.id, settlement)
