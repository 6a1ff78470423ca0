"""What an account spent in a period, over REST: read from the sums by day."""

from datetime import date, timedelta
from typing import Any, Final

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from usage.access.limits import Limited
from usage.accounting import reports
from usage.errors import ModelUnavailable
from usage.http.metered import MeteredAPIView
from usage.models import ApiKey
from usage.models.scope import Scope
from usage.money import plain

PERIODS: Final = ("today", "yesterday", "this_month", "last_30_days", "all_time")
_DAY: Final = r"\d{4}-\d{2}-\d{2}"
PERIOD: Final = {"type": "string", "pattern": f"^({'|'.join(PERIODS)}|{_DAY},{_DAY})$"}


class UsageSumsSerializer(serializers.Serializer[None]):
    """Calls, tokens by class and money."""

    calls = serializers.IntegerField()
    incomplete = serializers.IntegerField(help_text="Llamadas cuyo uso es una estimación.")
    input_tokens = serializers.IntegerField(help_text="De entrada, sin caché.")
    cache_write_5m_tokens = serializers.IntegerField()
    cache_write_1h_tokens = serializers.IntegerField()
    cache_read_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost_usd = serializers.CharField(help_text="Dólares, exacto.")
    saved_usd = serializers.CharField(
        help_text="Lo que la caché ahorró: los mismos tokens a precio de entrada, menos su costo."
    )
    cache_hit_rate = serializers.FloatField(allow_null=True)


class UsageGroupSerializer(UsageSumsSerializer):
    """The same, of one value."""

    value = serializers.CharField(help_text="Operación, modelo, día o prefijo de la clave.")


class UsageKeySerializer(UsageGroupSerializer):
    """The same, of one key."""

    name = serializers.CharField(help_text="Nombre de la clave.")


class UsageSummarySerializer(serializers.Serializer[None]):
    """A period's account."""

    period = serializers.CharField()
    since = serializers.DateField(allow_null=True)
    until = serializers.DateField()
    totals = UsageSumsSerializer()
    by_operation = UsageGroupSerializer(many=True)
    by_model = UsageGroupSerializer(many=True)
    by_key = UsageKeySerializer(many=True)
    by_day = UsageGroupSerializer(many=True)


@extend_schema_field(PERIOD)
class PeriodField(serializers.CharField):
    """A period by its name, or by its first and last day."""


class PeriodSerializer(serializers.Serializer[None]):
    """Which days are meant."""

    period = PeriodField(default="this_month")

    def validate_period(self, period: str) -> tuple[str, date | None, date]:
        """Return the period with its first day, if it has one, and its last."""
        today = reports.today()
        yesterday = today - timedelta(days=1)
        known: dict[str, tuple[date | None, date]] = {
            "today": (today, today),
            "yesterday": (yesterday, yesterday),
            "this_month": (today.replace(day=1), today),
            "last_30_days": (today - timedelta(days=29), today),
            "all_time": (None, today),
        }
        if period in known:
            return period, *known[period]
        first, _, last = period.partition(",")
        try:
            days = date.fromisoformat(first), date.fromisoformat(last)
        except ValueError:
            raise serializers.ValidationError(
                f"Debe ser {', '.join(PERIODS)}, o dos fechas: 2026-11-01,2026-11-30."
            ) from None
        if days[0] > days[1]:
            raise serializers.ValidationError("La primera fecha es posterior a la segunda.")
        return period, *days


def seen_by(request: Request) -> Q:
    """Return which rows a caller may see: those of its account's keys, or all."""
    if not isinstance(request.auth, ApiKey):
        raise ModelUnavailable
    if request.auth.may(Scope.USAGE_ALL):
        return Q()
    return Q(api_key__account=request.auth.account_id)


class SummaryView(MeteredAPIView):
    """What the caller's account spent in a period; at the address of before as well."""

    scope = Scope.USAGE
    limited_as = Limited.READS

    @extend_schema(
        summary="Resumen del uso de la cuenta en un período",
        description="Días de America/Santiago. Los montos son exactos, en dólares; los grupos van "
        "del más caro al más barato, y los días en orden.",
        tags=["Uso"],
        parameters=[
            OpenApiParameter(
                "period",
                PERIOD,
                description=f"{', '.join(PERIODS)}, o dos fechas separadas por una coma.",
                default="this_month",
            )
        ],
        responses=UsageSummarySerializer,
    )
    def get(self, request: Request) -> Response:
        """Add up the period."""
        seen = seen_by(request)
        form = PeriodSerializer(data=request.query_params)
        form.is_valid(raise_exception=True)
        period, first, last = form.validated_data["period"]
        rows = reports.rows(first, last).filter(seen)
        by_day = sorted(reports.by(rows, "day"), key=lambda group: group["day"])
        return Response(
            {
                "period": period,
                "since": first,
                "until": last,
                "totals": _sums(reports.total(rows)),
                "by_operation": [_sums(g, "operation") for g in reports.by(rows, "operation")],
                "by_model": [_sums(g, "model") for g in reports.by(rows, "model")],
                "by_key": [
                    {"name": group["api_key__name"], **_sums(group, "api_key__prefix")}
                    for group in reports.by(rows, "api_key__prefix", "api_key__name")
                ],
                "by_day": [_sums(group, "day") for group in by_day],
            }
        )


def _sums(group: dict[str, Any], name: str = "") -> dict[str, Any]:
    rate = group["cache_hit_rate"]
    return {
        **({"value": str(group[name])} if name else {}),
        **{key: group[key] for key in reports.SUMS if not key.endswith("_usd")},
        "cost_usd": plain(group["cost_usd"]),
        "saved_usd": plain(group["saved_usd"]),
        "cache_hit_rate": None if rate is None else round(rate, 4),
    }
