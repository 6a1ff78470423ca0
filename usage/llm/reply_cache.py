"""Answers to identical requests, given again for a while at no cost.

The key is the whole request: document, knowledge and instructions in it, model and schema. A key of the
API never sees what another one asked. The cache is a convenience: if it cannot be reached, the model is
asked.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import structlog
from asgiref.sync import sync_to_async
from django.core.cache import cache
from redis.exceptions import RedisError

from usage.accounting import ledger
from usage.hops import hop
from usage.llm.plan import Plan
from usage.llm.values import Reply
from usage.models import ApiKey, Operation, Outcome
from usage.tokens import TokenUsage

log = structlog.get_logger(__name__)

_PREFIX: Final = "reply:"
# How long one process keeps others from asking the same: as long as they wait for it.
_CLAIM_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.2
_AWAY: Final = (RedisError, OSError)

_NOBODY: Final = UUID(int=0)  # until it is booked for somebody
_STORED: Final = ("text", "data", "stop_reason", "model", "provider_request_id")


def key_of(plan: Plan) -> str:
    """Return the cache key of a request."""
    request = json.dumps([plan.api_key_id, plan.arguments], sort_keys=True, ensure_ascii=False)
    return _PREFIX + hashlib.sha256(request.encode()).hexdigest()


@asynccontextmanager
async def alone(key: str) -> AsyncIterator[Reply | None]:
    """Yield an earlier answer; without one, see to it that no other process asks the same meanwhile."""
    claim = f"{key}:claim"
    loop = asyncio.get_running_loop()
    end = loop.time() + _CLAIM_SECONDS
    mine = False
    try:
        while (found := await _find(key)) is None:
            mine = bool(await _cached(cache.add, claim, 1, _CLAIM_SECONDS))
            if mine or loop.time() >= end:
                # Whoever had it may have answered in between.
                found = await _find(key)
                break
            await asyncio.sleep(_POLL_SECONDS)
    except _AWAY as exc:
        log.warning("reply_cache", error=type(exc).__name__)
        found = None
    try:
        yield found
    finally:
        if mine:
            await _quietly(cache.delete, claim)


async def again(reply: Reply, api_key: ApiKey, operation: Operation) -> Reply:
    """Return an answer that was paid already, on a ledger row of its own at no cost."""
    record = await hop(
        ledger.record_offline, api_key, operation, outcome=Outcome.CACHED, model=reply.model
    )
    return replace(reply, usage_id=record.id, usage=TokenUsage(), cost_usd=Decimal(0), cached=True)


async def keep(key: str, reply: Reply, seconds: int) -> None:
    """Remember an answer that is complete."""
    if reply.complete:
        await _quietly(cache.set, key, {name: getattr(reply, name) for name in _STORED}, seconds)


async def _find(key: str) -> Reply | None:
    stored: dict[str, Any] | None = await _cached(cache.get, key)
    if stored is None:
        return None
    return Reply(**stored, usage_id=_NOBODY, usage=TokenUsage(), cost_usd=Decimal(0), cached=True)


async def _cached(function: Callable[..., Any], *args: object) -> Any:
    return await sync_to_async(function, thread_sensitive=False)(*args)


async def _quietly(function: Callable[..., object], *args: object) -> None:
    try:
        await _cached(function, *args)
    except _AWAY as exc:
        log.warning("reply_cache", error=type(exc).__name__)
