"""What a list has filtered, as a file: CSV of any size, in pieces, or a small workbook."""

import codecs
import csv
import io
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any, Final

import structlog
from channels.db import database_sync_to_async
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from usage.admin.columns import Column, flag, moment
from usage.admin.large import LargeAdmin
from usage.admin.pieces import copied, pieces
from usage.money import PLACES

log = structlog.get_logger(__name__)

MOST_IN_WORKBOOK: Final = 10_000
_PICOS: Final = 10**PLACES
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def as_csv(
    rows: QuerySet[Model], position: tuple[str, ...], columns: list[Column]
) -> Iterator[bytes]:
    """Yield the file piece by piece, its header first."""
    # Excel takes the accents for another alphabet's where the mark is missing.
    yield codecs.BOM_UTF8 + ",".join(column.title for column in columns).encode() + b"\r\n"
    lines = copied if connection.vendor == "postgresql" else by_row
    yield from lines(rows, position, columns)


def by_row(
    rows: QuerySet[Model], position: tuple[str, ...], columns: list[Column]
) -> Iterator[bytes]:
    """Yield lines of CSV for a database that writes none itself."""
    for found in pieces(rows, position, columns):
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\r\n")
        for row in found:
            writer.writerow(column.write(value) for column, value in zip(columns, row, strict=True))
        yield out.getvalue().encode()


def as_workbook(
    rows: QuerySet[Model], position: tuple[str, ...], columns: list[Column]
) -> bytes | None:
    """Return the workbook, or None where the rows are too many for one."""
    import xlsxwriter  # two megabytes that most processes never need

    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"constant_memory": True, "in_memory": True})
    sheet = book.add_worksheet()
    bold = book.add_format({"bold": True})
    formats = {
        "moment": book.add_format({"num_format": "dd-mm-yyyy hh:mm:ss"}),
        "usd": book.add_format({"num_format": "#,##0.00##########"}),
        "number": book.add_format({"num_format": "#,##0.####"}),
    }
    sheet.freeze_panes(1, 0)
    for at, column in enumerate(columns):
        sheet.set_column(at, at, 20 if column.kind in ("text", "moment") else 14)
        sheet.write_string(0, at, column.title, bold)
    line = 0
    for found in pieces(rows, position, columns, MOST_IN_WORKBOOK + 1):
        for row in found:
            line += 1
            if line > MOST_IN_WORKBOOK:
                return None
            for at, (column, value) in enumerate(zip(columns, row, strict=True)):
                _write_cell(sheet, line, at, column.kind, value, formats)
    book.close()
    return out.getvalue()


def _write_cell(
    sheet: Any, line: int, at: int, kind: str, value: Any, formats: dict[str, Any]
) -> None:
    if value is None or value == "":
        return
    if kind == "moment":
        local = datetime.fromisoformat(moment(value)).replace(tzinfo=None)
        sheet.write_datetime(line, at, local, formats[kind])
    elif kind == "usd":
        sheet.write_number(line, at, value / _PICOS, formats[kind])
    elif kind == "number":
        sheet.write_number(line, at, value, formats[kind])
    elif kind == "flag":
        sheet.write_string(line, at, flag(value))
    else:
        sheet.write_string(line, at, str(value))  # never as a formula or a link


class ExportAdmin(LargeAdmin):
    """A large list that can be taken along, as it is filtered."""

    export_columns: list[Column] = []
    export_most = MOST_IN_WORKBOOK

    @property
    def export_position(self) -> tuple[str, ...]:
        """Name what never changes of a row and says where it stands."""
        return self.position

    def export_rows(self, rows: QuerySet[Model]) -> QuerySet[Model]:
        """Add what the columns need."""
        return rows

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        view = self.admin_site.admin_view(self.export)
        return [path("export/<slug:kind>/", view, name=name), *super().get_urls()]

    def export(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """Answer with the file of what the list's own address would show, on all of its pages."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        changelist = self.get_changelist_instance(request)
        rows = self.export_rows(changelist.queryset)
        name = f"{self.opts.model_name}-{timezone.localtime():%Y%m%d-%H%M}"
        log.info("export", model=self.opts.label, kind=kind, user=request.user.pk)
        arguments = (rows, self.export_position, self.export_columns)
        if kind == "csv":
            response: HttpResponseBase = StreamingHttpResponse(
                _in_steps(as_csv(*arguments)), content_type="text/csv; charset=utf-8"
            )
        elif (book := as_workbook(*arguments)) is not None:
            response = HttpResponse(book, content_type=_XLSX)
        else:
            self.message_user(
                request,
                f"Son más de {MOST_IN_WORKBOOK:,} filas: descárguelas como CSV, o acote los filtros.".replace(
                    ",", "."
                ),
                messages.WARNING,
            )
            list_url = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
            return HttpResponseRedirect(f"{list_url}?{request.GET.urlencode()}")
        response.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
        return response


async def _in_steps(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Make each piece in the request's thread, and give the connection back after it."""
    while (part := await database_sync_to_async(next)(parts, None)) is not None:
        yield part
