"""Pages by position: the thousandth costs what the first does, and none moves when rows arrive."""

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request


class CursorPages(CursorPagination):
    """Pages of rows by the moment they are from, the newest first."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Read the cursor; one that somebody made up is no page, rather than an error of ours."""
        cursor: Cursor | None = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None and not _is_moment(cursor.position):
            raise NotFound(self.invalid_cursor_message)
        return cursor


def _is_moment(text: object) -> bool:
    try:
        moment = parse_datetime(str(text))
    except ValueError:
        return False
    return moment is not None and timezone.is_aware(moment) and 1990 < moment.year < 2200
