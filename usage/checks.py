"""A system check: the configured models exist, are priced, have not retired and take what is asked."""

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils import timezone

from usage.accounting import prices
from usage.llm import capabilities
from usage.models import ModelPrice

_SOON: Final = timedelta(days=30)


def check_models(**kwargs: object) -> list[CheckMessage]:
    """Check ``ANTHROPIC_MODEL`` and ``ANTHROPIC_FALLBACK_MODELS``."""
    names = [settings.ANTHROPIC_MODEL, *settings.ANTHROPIC_FALLBACK_MODELS]
    # What an unusable model takes is of no interest.
    return [message for name in names for message in _judge(name) or _judge_capabilities(name)]


def _judge_capabilities(model: str) -> list[CheckMessage]:
    accepted = capabilities.of(model)
    found: list[CheckMessage] = []
    if not accepted.known:
        found.append(
            Warning(
                f"What the model '{model}' takes is not known, so it is asked for no effort.",
                hint="Add it to usage/llm/capabilities.py.",
                id="usage.W002",
            )
        )
    if settings.ANTHROPIC_INFERENCE_GEO and not accepted.inference_geo:
        found.append(
            Error(
                f"The model '{model}' takes no ANTHROPIC_INFERENCE_GEO.",
                hint="Set ANTHROPIC_MODEL and ANTHROPIC_FALLBACK_MODELS to models from 4.6 on.",
                id="usage.E003",
            )
        )
    return found


def require_usable_models() -> None:
    """Refuse to start with a model that cannot be called.

    Raises:
        ImproperlyConfigured: With the reason and what to do.
    """
    for message in check_models():
        if message.is_serious():
            raise ImproperlyConfigured(f"{message.msg} {message.hint}")


def _judge(model: str) -> list[CheckMessage]:
    today = timezone.localdate()
    known = _priced(model)
    if not any(row["valid_from"] <= today for row in known):
        return [
            Error(
                f"The model '{model}' has no price, so no call to it could be paid for.",
                hint="Correct ANTHROPIC_MODEL, or add its price in the admin, «Precios de modelos».",
                id="usage.E001",
            )
        ]
    retires_on = max((row["retires_on"] for row in known if row.get("retires_on")), default=None)
    if retires_on is None:
        return []
    if retires_on <= today:
        return [
            Error(
                f"The model '{model}' was retired on {retires_on}.",
                hint="Set ANTHROPIC_MODEL to a current model, such as claude-sonnet-5-5.",
                id="usage.E002",
            )
        ]
    if retires_on - today <= _SOON:
        return [
            Warning(
                f"The model '{model}' retires on {retires_on}.",
                hint="Plan the move to a current model, such as claude-sonnet-5-5.",
                id="usage.W001",
            )
        ]
    return []


def _priced(model: str) -> list[dict[str, Any]]:
    """Return a model's prices from where the calls take them: the table.

    The reviewed file only seeds it, so it speaks where there is no table yet, or nobody to ask.
    """
    try:
        if ModelPrice.objects.exists():
            rows = ModelPrice.objects.filter(model=model)
            return [{"valid_from": row.valid_from, "retires_on": row.retires_on} for row in rows]
    except DatabaseError:
        pass
    return [row for row in prices.reviewed() if row["model"] == model]
