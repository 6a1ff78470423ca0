"""What callers may know of their own usage: an estimate before a call, and the account after it."""

from datetime import datetime
from typing import Any, Final

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from usage.access.limits import Limited
from usage.accounting import budgets, reports
from usage.accounting.payer import payer_of
from usage.errors import ModelUnavailable
from usage.http.metered import MeteredAPIView
from usage.http.strict import StrictSerializer
from usage.llm import Appraisal, Prompt, Turn, appraise
from usage.models import ApiKey, Period
from usage.models.record import TOKEN_CLASSES
from usage.models.scope import Scope
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


class AppraisalSerializer(serializers.Serializer[Appraisal]):
    """Upper bounds of a call."""

    model = serializers.CharField()
    input_tokens = serializers.IntegerField(help_text="Cota superior, o conteo del proveedor.")
    counted = serializers.BooleanField()
    max_output_tokens = serializers.IntegerField()
    max_cost_usd = serializers.CharField(help_text="Lo más que puede costar, en dólares.")
    allowed = serializers.BooleanField(help_text="Si hoy se dejaría pasar.")
    reason = serializers.CharField(allow_blank=True)


class BudgetStandingSerializer(serializers.Serializer[None]):
    """One limit, and what is used and held of it."""

    scope = serializers.ChoiceField(choices=["key", "account", "end_user"])
    window = serializers.ChoiceField(choices=Period.choices)
    window_starts = serializers.DateField()
    window_ends = serializers.DateTimeField()
    limit_usd = serializers.CharField(allow_null=True)
    used_usd = serializers.CharField()
    held_usd = serializers.CharField()


class AccountSerializer(serializers.Serializer[None]):
    """What an account used in one window."""

    since = serializers.DateField()
    calls = serializers.IntegerField()
    cost_usd = serializers.CharField()
    input_tokens = serializers.IntegerField()
    cache_write_5m_tokens = serializers.IntegerField()
    cache_write_1h_tokens = serializers.IntegerField()
    cache_read_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cache_hit_rate = serializers.FloatField(allow_null=True)


class UsageSerializer(serializers.Serializer[None]):
    """What an account used today and this month, and every limit on the key."""

    day = AccountSerializer()
    month = AccountSerializer()
    budgets = BudgetStandingSerializer(many=True)


class EstimateView(MeteredAPIView):
    """What a call would cost at most, without making it."""

    scope = Scope.USAGE
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

    scope = Scope.USAGE

    @extend_schema(
        summary="Uso de la cuenta y presupuestos", tags=["Uso"], responses=UsageSerializer
    )
    def get(self, request: Request) -> Response:
        """Sum up today and this month, with every limit and what is left of it."""
        key, now = _key(request), timezone.now()
        return Response(
            {
                **accounts(key, now),
                "budgets": [
                    line
                    for line in budgets.standing(payer_of(key), now)
                    if line["scope"] != "global"
                ],
            }
        )


def accounts(key: ApiKey, now: datetime) -> dict[str, dict[str, object]]:
    """Return what a key's account used since the start of each window."""
    since = {period: period.start(now) for period in Period}
    days = reports.daily(min(since.values()), reports.today(now), key.account_id)
    return {
        period.value: _account(
            period, reports.together(sums for day, sums in days.items() if day >= start), now
        )
        for period, start in since.items()
    }


def _account(period: Period, sums: dict[str, Any], now: datetime) -> dict[str, Any]:
    rate = sums["cache_hit_rate"]
    return {
        "since": period.start(now).isoformat(),
        "calls": sums["calls"],
        **{name: sums[name] for name in TOKEN_CLASSES},
        "cost_usd": plain(sums["cost_usd"]),
        "cache_hit_rate": None if rate is None else round(rate, 4),
    }


def _key(request: Request) -> ApiKey:
    if not isinstance(request.auth, ApiKey):
        raise ModelUnavailable
    return request.auth
