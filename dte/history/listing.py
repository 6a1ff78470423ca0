"""The list of what a key has had validated: newest first, filtered, page by page."""

from datetime import date, datetime, time
from typing import Any, Final

from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from dte.models import RaisedCode, Validation
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
}


class Pages(CursorPagination):
    """Pages that stay put while new validations arrive."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    ordering = ("-created_at", "-id")

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Read the cursor; one that somebody made up is no page, rather than an error of ours."""
        cursor: Cursor | None = super().decode_cursor(request)
        if (
            cursor is not None
            and cursor.position is not None
            and not _is_moment(str(cursor.position))
        ):
            raise NotFound(self.invalid_cursor_message)
        return cursor


def _is_moment(text: str) -> bool:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return False
    return moment is not None and timezone.is_aware(moment) and 1990 < moment.year < 2200


def matching(api_key: ApiKey, asked: dict[str, Any]) -> QuerySet[Validation]:
    """Return the validations of a key that the filters leave, without what a row does not show."""
    wanted: dict[str, Any] = {
        column: asked[name] for name, column in _EQUAL.items() if name in asked
    }
    if "desde" in asked:
        wanted["created_at__gte"] = _moment(asked["desde"], time.min)
    if "hasta" in asked:
        wanted["created_at__lte"] = _moment(asked["hasta"], time.max)
    codes = Prefetch("codes", RaisedCode.objects.order_by("pk"))  # the worst was stored first
    rows = Validation.objects.filter(api_key=api_key, **wanted).prefetch_related(codes)
    return rows.defer("findings", "review", "document", "outcome_codes", "outcome_detail")


def _moment(day: date, hour: time) -> datetime:
    return timezone.make_aware(datetime.combine(day, hour))
