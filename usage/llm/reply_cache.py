"""Answers to identical requests, given again for a while at no cost.

The key is the whole request: document, knowledge and instructions in it, model and schema. A key of the
API never sees what another one asked. The cache is a convenience: if it cannot be reached, the model is
asked.
"""

import hashlib
import json
from dataclasses import asdict
from typing import Any, Final

import structlog
from asgiref.sync import sync_to_async
from django.core.cache import cache
from redis.exceptions import RedisError

from usage.accounting import ledger
from usage.hops import hop
from usage.llm.plan import Plan
from usage.llm.values import Reply
from usage.models import ApiKey, Outcome
from usage.tokens import TokenUsage

log = structlog.get_logger(__name__)

_PREFIX: Final = "reply:"


def key_of(plan: Plan) -> str:
    """Return the cache key of a request."""
    request = json.dumps([plan.api_key_id, plan.arguments], sort_keys=True, ensure_ascii=False)
    return _PREFIX + hashlib.sha256(request.encode()).hexdigest()


async def find(plan: Plan, api_key: ApiKey) -> Reply | None:
    """Return an earlier answer to the same request, on a ledger row of its own at no cost."""
    stored = await _get(key_of(plan))
    if stored is None:
        return None
    record = await hop(
        ledger.record_offline,
        api_key,
        plan.operation,
        outcome=Outcome.CACHED,
        model=plan.model,
    )
    return Reply(
        **stored, usage=TokenUsage(), cost_usd=record.cost_usd, usage_id=record.id, cached=True
    )


async def keep(plan: Plan, reply: Reply, seconds: int) -> None:
    """Remember an answer that came to its proper end."""
    if reply.stop_reason != "end_turn":
        return
    stored = {
        name: value
        for name, value in asdict(reply).items()
        if name in {"text", "data", "stop_reason", "model", "provider_request_id"}
    }
    try:
        await sync_to_async(cache.set, thread_sensitive=False)(key_of(plan), stored, seconds)
    except (RedisError, OSError) as exc:
        log.warning("reply_cache", error=type(exc).__name__)


async def _get(key: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] | None = await sync_to_async(cache.get, thread_sensitive=False)(key)
    except (RedisError, OSError) as exc:
        log.warning("reply_cache", error=type(exc).__name__)
        return None
    return found
