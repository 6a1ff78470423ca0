"""Probes: is the process alive, can it serve, and how is each thing it depends on.

No probe calls the model: a health check that costs money is a bill nobody ordered. What is known of
Claude is what real traffic has shown.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from prometheus_client import CONTENT_TYPE_LATEST
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from aiservice.database.absence import DATABASE
from aiservice.dependency import Dependency
from aiservice.metrics import exposition
from aiservice.redis import REDIS, sentinels_view
from chat import plugins
from knowledge.searching import search
from usage import llm
from usage.accounting import upkeep
from usage.http.answering import AsyncAPIView

STARTED_AT: Final = timezone.now()
# Set once this process is told to end (serve.py): it serves what comes, and asks to be sent nothing more.
stopping: Final = threading.Event()
# For each check; they run side by side, so that the whole answer comes within a second.
CHECK_SECONDS: Final = 0.8


def check_database() -> dict[str, object]:
    """Ask the database for one row, over a connection of the probes' own."""
    return heard_of(DATABASE) | {"engine": connection.vendor}


def check_redis() -> dict[str, object]:
    """Write one short-lived key on the primary, and tell what the sentinels see."""
    if not REDIS.configured:
        return {"status": "not_configured", "fallback": "memory"}
    REDIS.ask()
    topology = sentinels_view() if settings.REDIS_SENTINEL_HOSTS else None
    found = heard_of(REDIS)
    if found["status"] == "down":
        found["fallback"] = "memory"
    found["mode"] = "single" if topology is None else "sentinel"
    if topology is not None:
        found["topology"] = topology
    return found


def heard_of(dependency: Dependency) -> dict[str, object]:
    """Ask a dependency, and say what is known of it within the time of one check."""
    state = dependency.check(CHECK_SECONDS - 0.1)
    if state.up:
        return {"status": "ok", "since": state.since, "latency_ms": state.latency_ms}
    return {"status": "down", "since": state.since, "error": state.error}


def check_knowledge() -> dict[str, object]:
    """Report the search index, which may have to be read from a database that is away."""
    try:
        return dict(search.status())
    except (DatabaseError, InterfaceError) as exc:
        return {"status": "down", "error": type(exc).__name__}


# A dependency that is down leaves the service serving, unless it is the database: keys, budgets and
# the ledger live there, and money fails closed.
REQUIRED = "database"
CHECKS: dict[str, Callable[[], Mapping[str, object]]] = {
    REQUIRED: check_database,
    "redis": check_redis,
    "anthropic": llm.status,
    "plugin_registry": plugins.status,
    "knowledge_base": check_knowledge,
    "upkeep": upkeep.status,
}
_FINE = {"ok", "not_configured", "not_started"}


async def report() -> dict[str, object]:
    """Run every check and sum up: ``ok``, ``degraded`` (it serves, with less) or ``down``."""
    results = await asyncio.gather(*(_bounded(check) for check in CHECKS.values()))
    dependencies = dict(zip(CHECKS, results, strict=True))
    if dependencies[REQUIRED]["status"] == "down":
        status = "down"
    elif all(result["status"] in _FINE for result in dependencies.values()):
        status = "ok"
    else:
        status = "degraded"
    return {
        "status": status,
        "version": settings.VERSION,
        "uptime_seconds": round((timezone.now() - STARTED_AT).total_seconds()),
        "dependencies": dependencies,
    }


async def _bounded(check: Callable[[], Mapping[str, object]]) -> dict[str, object]:
    """Run a check in a thread of its own, which is left behind if it takes too long."""
    started = time.perf_counter()
    running = database_sync_to_async(check, thread_sensitive=False)()
    try:
        result = await asyncio.wait_for(
            asyncio.shield(asyncio.ensure_future(running)), CHECK_SECONDS
        )
    except TimeoutError:
        result = {"status": "down", "error": "Timeout"}
    return {**result, "ms": round((time.perf_counter() - started) * 1000, 1)}


class Migrations:
    """Whether the database has the tables that this version reads; once it has, they stay."""

    def __init__(self) -> None:
        self.complete = False

    def check(self) -> bool:
        """Look for migrations that have not run.

        Raises:
            django.db.DatabaseError: The database is away.
        """
        if not self.complete:
            executor = MigrationExecutor(connection)
            self.complete = not executor.migration_plan(executor.loader.graph.leaf_nodes())
        return self.complete


migrations: Final = Migrations()


def readiness() -> str:
    """Return ``ready``, or why calls should not be sent here."""
    if stopping.is_set():
        return "stopping"
    if not DATABASE.check(CHECK_SECONDS - 0.1).up:
        return "database_unavailable"
    try:
        return "ready" if migrations.check() else "migrations_missing"
    except (DatabaseError, InterfaceError):
        return "database_unavailable"


class ProbeView(AsyncAPIView):
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
                "uptime_seconds": serializers.IntegerField(),
                "dependencies": serializers.DictField(child=serializers.DictField()),
            },
        ),
        examples=[
            OpenApiExample(
                "Sin clave de Claude",
                {
                    "status": "ok",
                    "version": "0.1.0",
                    "uptime_seconds": 86400,
                    "dependencies": {"anthropic": {"status": "not_configured", "ms": 0.0}},
                },
            )
        ],
    )
    async def get(self, request: Request) -> Response:
        """Run the checks side by side."""
        body = await report()
        return Response(body, status=503 if body["status"] == "down" else 200)


class ReadyView(ProbeView):
    """Whether to send traffic here: the database decides, whether it is migrated, and a stop under way."""

    @extend_schema(
        summary="Listo para recibir tráfico",
        tags=["Operación"],
        responses=inline_serializer(
            "Readiness",
            {
                "status": serializers.ChoiceField(["ready", "not_ready"]),
                "reason": serializers.CharField(required=False),
            },
        ),
    )
    async def get(self, request: Request) -> Response:
        """Answer 503 while calls could not be served, and say why."""
        found = await database_sync_to_async(readiness)()
        if found == "ready":
            return Response({"status": "ready"})
        return Response({"status": "not_ready", "reason": found}, status=503)


class LiveView(ProbeView):
    """Whether the process runs at all: touches nothing."""

    @extend_schema(summary="Proceso vivo", tags=["Operación"], responses=_STATUS)
    async def get(self, request: Request) -> Response:
        """Answer at once."""
        return Response({"status": "alive"})


@csrf_exempt  # nothing is changed here, and a page about CSRF would be the wrong refusal
@require_safe
async def metrics(request: HttpRequest) -> HttpResponse:
    """Serve the Prometheus exposition."""
    body = await sync_to_async(exposition, thread_sensitive=False)()
    return HttpResponse(body, content_type=CONTENT_TYPE_LATEST)
