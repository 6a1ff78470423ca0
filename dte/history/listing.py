"""The list of what an account has had validated: newest first, filtered, page by page."""

from datetime import date, datetime, time
from typing import Any, Final

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from dte.models import RaisedCode, Validation
from usage.http.pages import CursorPages
from usage.models import ApiKey

# What a filter of the API is called, and what it asks of the table.
_EQUAL: Final = {
    "kind": "kind",
    "track_id": "track_id",
    "recommendation": "recommendation",
    "tipo": "tipo",
    "folio": "folio",
    "emisor": "issuer",
    "receptor": "receiver",
    "outcome": "outcome",
    "batch": "batch",
    "end_user": "end_user",
}


class Pages(CursorPages):
    """Pages that stay put while new validations arrive."""

    ordering = ("-created_at", "-id")


def matching(api_key: ApiKey, asked: dict[str, Any]) -> QuerySet[Validation]:
    """Return the validations of a key's account that the filters leave, without what a row does not show."""
    wanted: dict[str, Any] = {
        column: asked[name] for name, column in _EQUAL.items() if name in asked
    }
    if "desde" in asked:
        wanted["created_at__gte"] = _moment(asked["desde"], time.min)
    if "hasta" in asked:
        wanted["created_at__lte"] = _moment(asked["hasta"], time.max)
    codes = Prefetch("codes", RaisedCode.objects.order_by("pk"))  # the worst was stored first
    rows = Validation.objects.filter(
        api_key__account=api_key.account_id, **wanted
    ).prefetch_related(codes)
    return rows.defer("findings", "review", "document", "outcome_codes", "outcome_detail")


def _moment(day: date, hour: time) -> datetime:
    return timezone.make_aware(datetime.combine(day, hour))
