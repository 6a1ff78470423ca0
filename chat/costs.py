"""What an answer cost, under the same names in its last event and in the history."""

from typing import Any, TypedDict

from rest_framework import serializers

from chat.events import tokens_used
from chat.models import Message
from usage.money import plain
from usage.tokens import TokenUsage


class Cost(TypedDict):
    """What an answer cost, as clients read it."""

    model: str
    tokens_used: dict[str, int]
    cost_usd: str
    cache_read_share: float


def cost_of(answer: Message) -> Cost:
    """Return what a stored answer cost; all zero where no model was asked."""
    usage = answer.usage
    if usage is None:
        return {
            "model": "",
            "tokens_used": tokens_used(None),
            "cost_usd": "0",
            "cache_read_share": 0.0,
        }
    tokens = TokenUsage(
        input_tokens=usage.input_tokens,
        cache_write_5m_tokens=usage.cache_write_5m_tokens,
        cache_write_1h_tokens=usage.cache_write_1h_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        output_tokens=usage.output_tokens,
    )
    share = tokens.cache_read_tokens / tokens.prompt if tokens.prompt else 0.0
    return {
        "model": usage.model,
        "tokens_used": tokens_used(tokens),
        "cost_usd": plain(usage.cost_usd),
        "cache_read_share": round(share, 3),
    }


class TokensSerializer(serializers.Serializer[None]):
    """Tokens of an answer, by kind; all zero without the model."""

    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    total_tokens = serializers.IntegerField()
    cache_read_tokens = serializers.IntegerField()
    cache_creation_tokens = serializers.IntegerField()


class CostSerializer(serializers.Serializer[Message]):
    """What an answer cost; all zero without the model."""

    model = serializers.CharField()
    tokens_used = TokensSerializer()
    cost_usd = serializers.CharField(help_text="Lo que costó esta respuesta, en dólares.")
    cache_read_share = serializers.FloatField(
        min_value=0, max_value=1, help_text="Parte de la entrada leída de la caché de prompts."
    )

    def to_representation(self, answer: Message) -> dict[str, Any]:
        """Return it as the last event of the answer had it."""
        return {**cost_of(answer)}
