"""What callers may know of their own usage: an estimate before a call, and the account after it."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db.models import Aggregate, Count, Q, Sum
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from usage.access.limits import Limited
from usage.accounting import budgets
from usage.errors import ModelUnavailable
from usage.http.metered import MeteredAPIView
from usage.http.strict import StrictSerializer
from usage.llm import Prompt, Turn, appraise
from usage.models import ApiKey, Period, UsageRecord
from usage.models.record import TOKEN_CLASSES
from usage.money import plain

_LONGEST: Final = 2_000_000  # characters; more than the largest context holds


class MessageSerializer(StrictSerializer):
    role = serializers.ChoiceField(choices=["user", "assistant"])
    content = serializers.CharField(max_length=_LONGEST)


class EstimateSerializer(StrictSerializer):
    """A call as it would be made."""

    system = serializers.CharField(
        max_length=_LONGEST, required=False, default="", allow_blank=True, trim_whitespace=False
    )
    messages = serializers.ListField(child=MessageSerializer(), allow_empty=False, min_length=1)
    max_tokens = serializers.IntegerField(min_value=1, max_value=1_000_000, default=1024)
    count = serializers.BooleanField(
        default=False, help_text="Pedir al proveedor su conteo, gratuito, en vez de la cota local."
    )

    def validate_messages(self, messages: list[dict[str, str]]) -> list[dict[str, str]]:
        """The provider answers a user, so the last word must be the user's."""
        if messages[-1]["role"] != "user":
            raise serializers.ValidationError("El último mensaje debe ser del usuario.")
        return messages


class AppraisalSerializer(serializers.Serializer[Any]):
    """Upper bounds of a call."""

    model = serializers.CharField()
    input_tokens = serializers.IntegerField(help_text="Cota superior, o conteo del proveedor.")
    counted = serializers.BooleanField()
    max_output_tokens = serializers.IntegerField()
    max_cost_usd = serializers.CharField(help_text="Lo más que puede costar, en dólares.")
    allowed = serializers.BooleanField(help_text="Si hoy se dejaría pasar.")
    reason = serializers.CharField(allow_blank=True)


class BudgetStandingSerializer(serializers.Serializer[Any]):
    """One limit, and what is used and held of it."""

    scope = serializers.ChoiceField(choices=["key", "global"])
    window = serializers.ChoiceField(choices=Period.choices)
    window_starts = serializers.DateField()
    window_ends = serializers.DateTimeField()
    limit_usd = serializers.CharField(allow_null=True)
    used_usd = serializers.CharField()
    held_usd = serializers.CharField()


class AccountSerializer(serializers.Serializer[Any]):
    """What a key used in one window."""

    since = serializers.DateField()
    calls = serializers.IntegerField()
    cost_usd = serializers.CharField()
    input_tokens = serializers.IntegerField()
    cache_write_5m_tokens = serializers.IntegerField()
    cache_write_1h_tokens = serializers.IntegerField()
    cache_read_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cache_hit_rate = serializers.FloatField(allow_null=True)


class UsageSerializer(serializers.Serializer[Any]):
    """A key's account of today and of this month."""

    day = AccountSerializer()
    month = AccountSerializer()
    budgets = BudgetStandingSerializer(many=True)


class EstimateView(MeteredAPIView):
    """What a call would cost at most, without making it."""

    limited_as = Limited.CHAT

    @extend_schema(
        summary="Estimar el costo de una llamada, sin hacerla",
        tags=["Uso"],
        request=EstimateSerializer,
        responses=AppraisalSerializer,
    )
    async def post(self, request: Request) -> Response:
        """Appraise the call."""
        form = EstimateSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        data = form.validated_data
        prompt = Prompt(
            system=(data["system"],) if data["system"].strip() else (),
            turns=tuple(Turn(turn["role"], turn["content"]) for turn in data["messages"]),
            max_tokens=data["max_tokens"],
        )
        appraisal = await appraise(prompt, api_key=_key(request), count=data["count"])
        return Response(AppraisalSerializer(appraisal).data)


class UsageView(MeteredAPIView):
    """The caller's own account."""

    @extend_schema(summary="Uso y presupuesto de la clave", tags=["Uso"], responses=UsageSerializer)
    def get(self, request: Request) -> Response:
        """Sum up today and this month, with every limit and what is left of it."""
        key, now = _key(request), timezone.now()
        return Response(
            {
                **accounts(key, now),
                "budgets": [
                    line for line in budgets.standing(key.pk, now) if line["scope"] == "key"
                ],
            }
        )


def accounts(key: ApiKey, now: datetime) -> dict[str, dict[str, Any]]:
    """Return what a key used since the start of each window, from one reading of its rows."""
    since = {
        period: timezone.make_aware(datetime.combine(period.start(now), datetime.min.time()))
        for period in Period
    }
    sums: dict[str, Any] = UsageRecord.objects.filter(
        api_key=key, started_at__gte=min(since.values())
    ).aggregate(
        **{
            f"{period.value}_{name}": aggregate
            for period, start in since.items()
            for name, aggregate in _sums(Q(started_at__gte=start)).items()
        }
    )
    return {period.value: _account(period, sums, now) for period in Period}


def _sums(rows: Q) -> dict[str, Aggregate]:
    return {
        "calls": Count("pk", filter=rows),
        **{name: Sum(name, filter=rows) for name in ("cost_usd", *TOKEN_CLASSES)},
    }


def _account(period: Period, sums: dict[str, Any], now: datetime) -> dict[str, Any]:
    tokens = {name: sums[f"{period.value}_{name}"] or 0 for name in TOKEN_CLASSES}
    prompt = sum(tokens.values()) - tokens["output_tokens"]
    return {
        "since": period.start(now).isoformat(),
        "calls": sums[f"{period.value}_calls"],
        **tokens,
        "cost_usd": plain(sums[f"{period.value}_cost_usd"] or Decimal(0)),
        "cache_hit_rate": round(tokens["cache_read_tokens"] / prompt, 4) if prompt else None,
    }


def _key(request: Request) -> ApiKey:
    if not isinstance(request.auth, ApiKey):
        raise ModelUnavailable
    return request.auth
