"""Probes: is the process alive, can it serve, and how is each thing it depends on.

No probe calls the model: a health check that costs money is a bill nobody ordered. What is known of
Claude is what real traffic has shown.
"""

import time
from collections.abc import Callable
from typing import Any

from adrf.views import APIView
from channels.db import database_sync_to_async
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from redis.exceptions import RedisError
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chat import plugins
from knowledge.searching import search
from usage import llm

# A dependency that is down leaves the service serving, unless it is the database: keys, budgets and
# the ledger live there, and money fails closed.
REQUIRED = "database"


def check_database() -> dict[str, Any]:
    """Ask the database for one row."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except (DatabaseError, InterfaceError) as exc:
        return {"status": "down", "error": type(exc).__name__}
    return {"status": "ok", "engine": connection.vendor}


def check_redis() -> dict[str, Any]:
    """Write and read one short-lived key on the primary."""
    if not (settings.REDIS_URL or settings.REDIS_SENTINEL_HOSTS):
        return {"status": "not_configured", "fallback": "memory"}
    try:
        cache.set("health", "ok", timeout=5)
    except (RedisError, OSError) as exc:
        return {"status": "down", "error": type(exc).__name__, "fallback": "memory"}
    return {"status": "ok", "mode": "sentinel" if settings.REDIS_SENTINEL_HOSTS else "single"}


def check_knowledge() -> dict[str, Any]:
    """Report the search index, which may have to be read from a database that is away."""
    try:
        return dict(search.status())
    except (DatabaseError, InterfaceError) as exc:
        return {"status": "down", "error": type(exc).__name__}


CHECKS: dict[str, Callable[[], dict[str, Any]]] = {
    REQUIRED: check_database,
    "redis": check_redis,
    "anthropic": llm.status,
    "plugin_registry": plugins.status,
    "knowledge_base": check_knowledge,
}
_FINE = {"ok", "not_configured"}


def report() -> dict[str, Any]:
    """Run every check and sum up: ``ok``, ``degraded`` (it serves, with less) or ``down``."""
    dependencies = {name: _timed(check) for name, check in CHECKS.items()}
    if dependencies[REQUIRED]["status"] == "down":
        status = "down"
    elif all(result["status"] in _FINE for result in dependencies.values()):
        status = "ok"
    else:
        status = "degraded"
    return {"status": status, "version": settings.VERSION, "dependencies": dependencies}


def _timed(check: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    started = time.perf_counter()
    result = check()
    return {**result, "ms": round((time.perf_counter() - started) * 1000, 1)}


class ProbeView(APIView):  # type: ignore[misc]
    """A view that anybody may call."""

    authentication_classes = ()
    permission_classes = ()


_STATUS = inline_serializer("Status", {"status": serializers.CharField()})


class HealthView(ProbeView):
    """State of the service and of each dependency; 200 whenever it can serve."""

    @extend_schema(
        summary="Estado del servicio y de sus dependencias",
        tags=["Operación"],
        responses=inline_serializer(
            "Health",
            {
                "status": serializers.ChoiceField(["ok", "degraded", "down"]),
                "version": serializers.CharField(),
                "dependencies": serializers.DictField(child=serializers.DictField()),
            },
        ),
        examples=[
            OpenApiExample(
                "Sin clave de Claude",
                {
                    "status": "ok",
                    "version": "0.1.0",
                    "dependencies": {"anthropic": {"status": "not_configured", "ms": 0.0}},
                },
            )
        ],
    )
    async def get(self, request: Request) -> Response:
        """Run the checks in one thread hop."""
        body = await database_sync_to_async(report)()
        return Response(body, status=503 if body["status"] == "down" else 200)


class ReadyView(ProbeView):
    """Whether to send traffic here: only the database decides."""

    @extend_schema(summary="Listo para recibir tráfico", tags=["Operación"], responses=_STATUS)
    async def get(self, request: Request) -> Response:
        """Answer 503 while the database is away."""
        result = await database_sync_to_async(check_database)()
        ready = result["status"] == "ok"
        return Response({"status": "ready" if ready else "not_ready"}, status=200 if ready else 503)


class LiveView(ProbeView):
    """Whether the process runs at all: touches nothing."""

    @extend_schema(summary="Proceso vivo", tags=["Operación"], responses=_STATUS)
    async def get(self, request: Request) -> Response:
        """Answer at once."""
        return Response({"status": "alive"})


@csrf_exempt  # nothing is changed here, and a page about CSRF would be the wrong refusal
@require_safe
async def metrics(request: HttpRequest) -> HttpResponse:
    """Serve the Prometheus exposition; some gauges are measured now (aiservice/metrics.py)."""
    response: HttpResponse = await database_sync_to_async(ExportToDjangoView)(request)
    return response
