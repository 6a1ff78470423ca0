"""Lists of tables with millions of rows: pages by position instead of number, and nothing is counted."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, time
from typing import Any, ClassVar, Final

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.validators import EMPTY_VALUES
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import get_format
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter
from unfold.views import ChangeList

from usage.http.pages import CursorPages

CURSOR: Final = "cursor"


class Positions(CursorPages):
    """Where a page of a list begins and ends; shown below the list."""

    cursor_query_param = CURSOR
    template_name = "admin/large/pages.html"


class LargeChangeList(ChangeList):
    """A list that reads no more rows than it shows."""

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: list[str | None] | None = None
    ) -> QuerySet:
        """Filter and search; the position is no filter, and another filter begins at the first page."""
        for params in (self.params, self.filter_params):
            params.pop(CURSOR, None)
        return super().get_queryset(request, exclude_parameters)

    def get_results(self, request: HttpRequest) -> None:
        """Read one page from its position on."""
        pages = Positions()
        pages.page_size, pages.ordering = self.list_per_page, self.model_admin.position
        try:
            rows: list[Model] = pages.paginate_queryset(self.queryset, Request(request)) or []
        except NotFound as exc:
            raise IncorrectLookupParameters from exc
        self.paginator = pages
        self.result_list = rows
        self.result_count = self.full_result_count = len(rows)
        self.show_full_result_count = self.multi_page = self.can_show_all = False
        self.show_admin_actions = bool(rows)
        self.newer, self.older = pages.get_previous_link(), pages.get_next_link()

    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list[str]:
        """Return the order of the positions: any other would sort the whole table."""
        return list(self.model_admin.position)


class LargeAdmin(ModelAdmin):
    """A list of this kind, with its export."""

    position: ClassVar[tuple[str, ...]] = ("-created_at", "-pk")
    sortable_by: ClassVar = ()
    show_full_result_count = False
    show_facets = False
    list_filter_submit = True
    list_per_page = 50
    change_list_template = "admin/large/change_list.html"

    def get_changelist(self, request: HttpRequest, **kwargs: object) -> type[ChangeList]:
        return LargeChangeList


class DaysFilter(RangeDateFilter):
    """From one day of Santiago to another, both included."""

    label = "fecha"

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.title = self.label

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        name = self.parameter_name
        first, last = self.days()
        if first:
            queryset = queryset.filter(**{f"{name}__gte": first})
        if last:
            end = datetime.combine(last, time.max, last.tzinfo)
            queryset = queryset.filter(**{f"{name}__lte": end})
        return queryset

    def days(self) -> tuple[datetime | None, datetime | None]:
        """Return the midnights at which the first and the last day begin; what is no date is none."""
        found = []
        for end in ("from", "to"):
            text = self.used_parameters.get(f"{self.parameter_name}_{end}")
            found.append(None if text in EMPTY_VALUES else _midnight(text))
        return found[0], found[1]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Give both fields a name for who does not see them."""
        for choice in super().choices(changelist):
            for end, label in (("from", "Desde el día"), ("to", "Hasta el día")):
                field = choice["form"].fields[f"{self.parameter_name}_{end}"]
                field.widget.attrs["aria-label"] = label
            yield choice


def _midnight(text: str) -> datetime | None:
    """Read a day as the calendar beside the field writes it, or as ISO 8601."""
    for shape in (*get_format("DATE_INPUT_FORMATS"), "%Y-%m-%d"):
        try:
            return timezone.make_aware(datetime.strptime(text, shape))  # noqa: DTZ007  # made so here
        except (ValueError, OverflowError):
            continue
    return None


class KnownFilter(DropdownFilter):
    """By a column whose values are known, and need not be looked for in a large table."""

    column: ClassVar[str]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value in EMPTY_VALUES:
            return queryset
        try:
            return queryset.filter(**{self.column: value})
        except ValueError:  # words where the column has numbers
            return queryset


def known(
    column: str, title: str, values: Callable[[], Iterable[tuple[str, str]]]
) -> type[KnownFilter]:
    """Return a filter by a column.

    Args:
        column: Its name, also that of the parameter in the address.
        title: What people call it.
        values: Returns the pairs of value and label when a page is asked for.
    """

    def lookups(
        self: KnownFilter, request: HttpRequest, model_admin: ModelAdmin
    ) -> list[tuple[str, str]]:
        return list(values())

    body = {
        "column": column,
        "parameter_name": column,
        "title": title,
        "lookups": lookups,
        "__doc__": f"By {column}.",
    }
    return type("KnownFilter", (KnownFilter,), body)
