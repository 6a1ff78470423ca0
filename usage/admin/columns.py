"""The columns of a file, and how each kind is written: by Python, or by PostgreSQL itself in a CSV.

Text that a spreadsheet would take for a formula (OWASP, CSV Injection) is led by an apostrophe in a CSV
and is text by its type in a workbook.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from django.db.models import BigIntegerField, CharField, Func
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast
from django.utils import timezone

from usage.money import PLACES

_FORMULA: Final = "=+-@\t\r\n＝＋－＠"
_PICOS: Final = 10**PLACES


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

    @property
    def written(self) -> Combinable:
        """The expression that PostgreSQL writes into a CSV, where the session has our time zone."""
        return Func(self.source, template=_SQL[self.kind], output_field=CharField())

    def write(self, value: object) -> str:
        """Return what a CSV says of a value that was read."""
        return "" if value is None else _PYTHON.get(self.kind, str)(value)


def identifier(title: str, source: str) -> Column:
    """Return a column of UUIDs."""
    return Column(title, Cast(source, CharField()), "id")


def usd(title: str, source: str) -> Column:
    """Return a column of exact dollars."""
    return Column(title, Cast(source, BigIntegerField()), "usd")


def flag(value: bool) -> str:
    return "sí" if value else "no"


def moment(text: str) -> str:
    """Write 2026-11-27 20:43:46.5+00 as it is in Santiago, with its offset."""
    hour, offset = _local_hour(text[:13])
    return f"{hour}{text[13:].removesuffix('+00')}{offset}"


@lru_cache(maxsize=4096)
def _local_hour(text: str) -> tuple[str, str]:
    local = timezone.localtime(datetime.strptime(text, "%Y-%m-%d %H").replace(tzinfo=UTC))
    return local.strftime("%Y-%m-%dT%H"), local.isoformat()[19:]


def _text(value: object) -> str:
    text = str(value)
    return f"'{text}" if text and text[0] in _FORMULA else text


def _id(text: str) -> str:
    """Write a UUID with its dashes, which SQLite keeps it without."""
    return str(UUID(text)) if len(text) == 32 else text


def _usd(picos: int) -> str:
    whole, part = divmod(abs(picos), _PICOS)
    sign = "-" if picos < 0 else ""
    return f"{sign}{whole}.{part:0{PLACES}d}".rstrip("0").rstrip(".") if part else f"{sign}{whole}"


_PYTHON: Final[dict[str, Callable[[Any], str]]] = {
    "text": _text,
    "usd": _usd,
    "flag": flag,
    "id": _id,
    "moment": moment,
}
# The same in SQL. An empty text is NULL, for which COPY writes nothing instead of two quotes.
_SQL: Final[dict[str, str]] = {
    "text": (
        "CASE WHEN %(expressions)s = '' THEN NULL"
        rf" WHEN strpos(E'{_FORMULA.encode('unicode_escape').decode()}', left(%(expressions)s, 1)) > 0"
        " THEN '''' || %(expressions)s ELSE %(expressions)s END"
    ),
    "word": "NULLIF(%(expressions)s, '')",
    "id": "%(expressions)s",
    "number": "%(expressions)s",
    "flag": "CASE WHEN %(expressions)s THEN 'sí' WHEN NOT %(expressions)s THEN 'no' END",
    "moment": """to_char(%(expressions)s, 'YYYY-MM-DD"T"HH24:MI:SS.USTZH:TZM')""",
    "usd": f"trim_scale(%(expressions)s * {1 / 10**PLACES:.{PLACES}f})",
}
