"""What a list has filtered, as a file: CSV of any size, in pieces, or a small workbook.

A row is written once and none is forgotten: rows are read by position, piece by piece, so no
transaction stays open for as long as somebody's line is slow. Text that a spreadsheet would take for a
formula (OWASP, CSV Injection) is led by an apostrophe in a CSV and is text by its type in a workbook.
"""

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

import structlog
import xlsxwriter
from channels.db import database_sync_to_async
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import BigIntegerField, CharField, Q, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from usage.admin.large import LargeAdmin
from usage.money import PLACES

log = structlog.get_logger(__name__)

MOST_IN_WORKBOOK: Final = 10_000
_PIECE: Final = 5_000
_FORMULA: Final = frozenset("=+-@\t\r\n＝＋－＠")
_PICOS: Final = 10**PLACES
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file.

    Args:
        title: Its header, for programs: without spaces, and the same for ever.
        source: A column of the table, one of a related table, or an expression.
        kind: ``text``, which people wrote; ``word``, of a closed set; ``id``, ``number``, ``flag``,
            ``moment`` or ``usd`` (pico-dollars).
    """

    title: str
    source: str | Combinable
    kind: str = "text"

    @property
    def read_as(self) -> str | Combinable:
        """The expression to read: a moment as the database writes it, in UTC, which takes a tenth of the time."""
        return Cast(self.source, CharField()) if self.kind == "moment" else self.source


def identifier(title: str, source: str) -> Column:
    """Return a column of UUIDs."""
    return Column(title, Cast(source, CharField()), "id")


def usd(title: str, source: str) -> Column:
    """Return a column of exact dollars."""
    return Column(title, Cast(source, BigIntegerField()), "usd")


def pieces(
    rows: QuerySet[Any], position: tuple[str, ...], sources: list[Any], most: int | None = None
) -> Iterator[list[tuple[Any, ...]]]:
    """Read rows by position, newest first, some thousands at a time."""
    names = [name.lstrip("-") for name in position]
    rows = rows.order_by(*position).prefetch_related(None)
    size = min(_PIECE, most or _PIECE)
    read = 0
    following = rows
    while True:
        found = list(following.values_list(*names, *sources)[:size])
        read += len(found)
        if found:
            yield [row[len(names) :] for row in found]
        if len(found) < size or (most is not None and read >= most):
            return
        following = _after(rows, names, found[-1][: len(names)])


def _after(rows: QuerySet[Any], names: list[str], last: tuple[Any, ...]) -> QuerySet[Any]:
    if len(names) == 1:
        return rows.filter(**{f"{names[0]}__lt": last[0]})
    # The first condition is for the index, which does not see through the second.
    return rows.filter(**{f"{names[0]}__lte": last[0]}).filter(
        Q(**{f"{names[0]}__lt": last[0]}) | Q(**{names[0]: last[0], f"{names[1]}__lt": last[1]})
    )


def as_csv(rows: QuerySet[Any], position: tuple[str, ...], columns: list[Column]) -> Iterator[str]:
    """Yield the file piece by piece, its header first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(column.title for column in columns)
    writers = [_CSV.get(column.kind) for column in columns]
    for found in pieces(rows, position, [column.read_as for column in columns]):
        cells = (
            values if write is None else map(write, values)
            for write, values in zip(writers, zip(*found, strict=True), strict=True)
        )
        writer.writerows(zip(*cells, strict=True))
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    if out.tell():
        yield out.getvalue()


def as_workbook(
    rows: QuerySet[Any], position: tuple[str, ...], columns: list[Column]
) -> bytes | None:
    """Return the workbook, or None where the rows are too many for one."""
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
    sources = [column.read_as for column in columns]
    for found in pieces(rows, position, sources, MOST_IN_WORKBOOK + 1):
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
        local = datetime.fromisoformat(_moment(value)).replace(tzinfo=None)
        sheet.write_datetime(line, at, local, formats[kind])
    elif kind == "usd":
        sheet.write_number(line, at, value / _PICOS, formats[kind])
    elif kind == "number":
        sheet.write_number(line, at, value, formats[kind])
    elif kind == "flag":
        sheet.write_string(line, at, _flag(value))
    else:
        sheet.write_string(line, at, str(value))  # never as a formula or a link


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text and text[0] in _FORMULA else text


def _id(text: str | None) -> str:
    """Write a UUID with its dashes, which SQLite keeps it without."""
    return str(UUID(text)) if text and len(text) == 32 else text or ""


def _usd(picos: int | None) -> str:
    if picos is None:
        return ""
    whole, part = divmod(abs(picos), _PICOS)
    sign = "-" if picos < 0 else ""
    return f"{sign}{whole}.{part:0{PLACES}d}".rstrip("0").rstrip(".") if part else f"{sign}{whole}"


def _flag(value: bool | None) -> str:
    return "" if value is None else "sí" if value else "no"


def _moment(text: str | None) -> str:
    """Write 2026-11-27 20:43:46.5+00 as it is in Santiago, with its offset."""
    if text is None:
        return ""
    hour, offset = _local_hour(text[:13])
    return f"{hour}{text[13:].removesuffix('+00')}{offset}"


@lru_cache(maxsize=4096)
def _local_hour(text: str) -> tuple[str, str]:
    local = timezone.localtime(datetime.strptime(text, "%Y-%m-%d %H").replace(tzinfo=UTC))
    return local.strftime("%Y-%m-%dT%H"), local.isoformat()[19:]


_CSV: Final[dict[str, Callable[[Any], str]]] = {
    "text": _text,
    "usd": _usd,
    "flag": _flag,
    "id": _id,
    "moment": _moment,
}


class ExportAdmin(LargeAdmin):
    """A large list that can be taken along, as it is filtered."""

    export_columns: list[Column] = []
    export_most = MOST_IN_WORKBOOK

    @property
    def export_position(self) -> tuple[str, ...]:
        """Name what never changes of a row and says where it stands."""
        return self.position

    def export_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
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


async def _in_steps(parts: Iterator[str]) -> AsyncIterator[bytes]:
    """Make each piece in the request's thread, and give the connection back after it."""
    yield "\ufeff".encode()  # or Excel takes the accents for another alphabet's
    while (part := await database_sync_to_async(next)(parts, None)) is not None:
        yield part.encode()
