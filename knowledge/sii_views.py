"""The SII monitor over HTTP: what it found, and a run on demand."""

from typing import ClassVar

from channels.db import database_sync_to_async
from drf_spectacular.utils import OpenApiExample, extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge.models import SiiRun
from knowledge.monitoring import running
from knowledge.monitoring import status as monitor_status
from usage.access.limits import Limited
from usage.errors import Refusal
from usage.http.metered import MeteredAPIView
from usage.http.strict import StrictSerializer
from usage.models import ApiKey
from usage.models.scope import Scope

TAGS = ["Monitor del SII"]


class MonitorRunning(Refusal):
    """A run is active, here or on another host."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "Ya hay una revisión del SII en curso."
    default_code = "monitor_running"


class RunSerializer(serializers.Serializer[None]):
    """A look at all sources."""

    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    forced = serializers.BooleanField()
    checks = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]  # Serializer.errors is another
    notices = serializers.IntegerField()


class WatchedSerializer(serializers.Serializer[None]):
    """A page, and what became of looking at it."""

    source = serializers.CharField()  # type: ignore[assignment]  # DRF's Field.source is another
    name = serializers.CharField()
    url = serializers.CharField()
    last_check = serializers.DateTimeField(allow_null=True)
    last_success = serializers.DateTimeField(allow_null=True)
    last_change = serializers.DateTimeField(allow_null=True)
    result = serializers.CharField(help_text="Palabra fija: unchanged, changed, timeout, …")
    detail = serializers.CharField()
    checks = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]  # Serializer.errors is another


class StatusView(MeteredAPIView):
    """The monitor's figures."""

    scope = Scope.KNOWLEDGE

    @extend_schema(
        summary="Estado del monitor del SII",
        tags=TAGS,
        responses=inline_serializer(
            "SiiStatus",
            {
                "running": serializers.BooleanField(),
                "last_run": RunSerializer(allow_null=True),
                "last_check": serializers.DateTimeField(allow_null=True),
                "total_checks": serializers.IntegerField(),
                "errors": serializers.IntegerField(),
                "error_rate": serializers.FloatField(help_text="De 0 a 1."),
                "notices_24h": serializers.IntegerField(),
                "notices_24h_by_impact": serializers.DictField(child=serializers.IntegerField()),
                "notices_unreviewed": serializers.IntegerField(),
                "sources": WatchedSerializer(many=True),
            },
        ),
    )
    async def get(self, request: Request) -> Response:
        """Return the figures, from the cache or counted anew."""
        return Response(await database_sync_to_async(monitor_status.figures)())


class MonitorForm(StrictSerializer):
    """How to run."""

    force = serializers.BooleanField(
        default=False, help_text="Pedir cada página entera, aunque el sitio diga que no cambió."
    )


class MonitorView(MeteredAPIView):
    """A run on demand, behind the request."""

    scope = Scope.KNOWLEDGE
    limited_as: ClassVar[Limited] = Limited.BATCH

    @extend_schema(
        summary="Revisar ahora las páginas del SII",
        tags=TAGS,
        request=MonitorForm,
        responses={
            202: inline_serializer(
                "SiiMonitorStarted",
                {"started": serializers.BooleanField(), "started_at": serializers.DateTimeField()},
            )
        },
        examples=[OpenApiExample("Revisar", {"force": False}, request_only=True)],
    )
    async def post(self, request: Request) -> Response:
        """Begin a run and answer at once."""
        form = MonitorForm(data=request.data)
        form.is_valid(raise_exception=True)
        if not (isinstance(request.auth, ApiKey) and request.auth.may_monitor):
            raise PermissionDenied("Esta clave no puede ejecutar el monitor del SII.")
        begun = await database_sync_to_async(self._begin)(force=form.validated_data["force"])
        return Response(
            {"started": True, "started_at": begun.started_at.isoformat()},
            status=status.HTTP_202_ACCEPTED,
        )

    @staticmethod
    def _begin(*, force: bool) -> SiiRun:
        try:
            begun = running.acquire(force=force)
        except running.BusyError as busy:
            facts = {"started_at": busy.run.started_at.isoformat()} if busy.run else {}
            raise MonitorRunning(**facts) from None
        running.in_background(begun)
        return begun
