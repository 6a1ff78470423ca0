"""The ledger's rows over REST: the caller's own, or everybody's, page by page."""

from datetime import date, datetime, time

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from usage.access.limits import Limited
from usage.http.metered import MeteredAPIView
from usage.http.pages import CursorPages
from usage.models import Operation, Outcome, State, UsageRecord
from usage.models.record import TOKEN_CLASSES
from usage.models.scope import Scope
from usage.money import plain
from usage.summary import PeriodField, PeriodSerializer, seen_by


class RecordSerializer(serializers.ModelSerializer[UsageRecord]):
    """One call of the model, or an answer given without it."""

    key = serializers.CharField(source="api_key.prefix", help_text="Prefijo de la clave que llamó.")
    cost_usd = serializers.SerializerMethodField(help_text="Dólares, exacto.")

    class Meta:
        model = UsageRecord
        fields = (
            "id", "call_id", "attempt", "request_id", "key", "end_user", "started_at", "settled_at", "operation",
            "model", "state", "outcome", "error_type", "stop_reason", *TOKEN_CLASSES, "total_tokens",
            "usage_complete", "cost_usd", "latency_ms", "first_token_ms",
        )  # fmt: skip
        read_only_fields = fields

    def get_cost_usd(self, record: UsageRecord) -> str:
        """Write the amount to the last digit."""
        return plain(record.cost_usd)


class RecordPageSerializer(serializers.Serializer[None]):
    """A page, and where the next one begins."""

    next = serializers.CharField(allow_null=True, help_text="Dirección de la página siguiente.")
    previous = serializers.CharField(allow_null=True)
    results = RecordSerializer(many=True)


class RecordFilterSerializer(PeriodSerializer):
    """Which rows are meant; without a period, all."""

    period = PeriodField(default="all_time")
    operation = serializers.ChoiceField(Operation.choices, required=False)
    model = serializers.CharField(required=False)
    outcome = serializers.ChoiceField(Outcome.choices, required=False)
    state = serializers.ChoiceField(State.choices, required=False)
    request_id = serializers.CharField(required=False)
    end_user = serializers.CharField(required=False)


class RecordPages(CursorPages):
    """The newest call first."""

    ordering = ("-started_at", "-id")


class RecordsView(MeteredAPIView):
    """Every call that the caller may see."""

    scope = Scope.USAGE
    limited_as = Limited.READS

    @extend_schema(
        summary="Registros de uso, del más nuevo al más antiguo",
        description="Cada llamada al modelo y cada respuesta dada sin él. Se avanza con la dirección de "
        "`next`; la milésima página cuesta lo mismo que la primera, y ninguna se corre cuando llegan "
        "registros nuevos.",
        tags=["Uso"],
        parameters=[
            RecordFilterSerializer,
            OpenApiParameter("cursor", str, description="El de `next`; no se construye a mano."),
            OpenApiParameter("page_size", int, description="Entre 1 y 200; 50 si se omite."),
        ],
        responses=RecordPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Return one page."""
        form = RecordFilterSerializer(data=request.query_params)
        form.is_valid(raise_exception=True)
        pages = RecordPages()
        page = pages.paginate_queryset(_matching(request, **form.validated_data), request)
        return Response(
            {
                "next": pages.get_next_link(),
                "previous": pages.get_previous_link(),
                "results": RecordSerializer(page, many=True).data,
            }
        )


def _matching(
    request: Request, *, period: tuple[str, date | None, date], **columns: str
) -> QuerySet[UsageRecord]:
    _, first, last = period
    rows = UsageRecord.objects.filter(seen_by(request), **columns)
    rows = rows.filter(started_at__lte=_moment(last, time.max))
    if first is not None:
        rows = rows.filter(started_at__gte=_moment(first, time.min))
    return rows.select_related("api_key")


def _moment(day: date, hour: time) -> datetime:
    return timezone.make_aware(datetime.combine(day, hour))
