"""``manage.py report_usage``: what was spent in a period, as a table or as CSV."""

import csv
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from usage.accounting import reports
from usage.models import ApiKey
from usage.money import plain

_BY: Final = {"day": "día", "operation": "operación", "model": "modelo", "api_key": "clave"}


def day(text: str) -> date:
    """Read a day as 2026-11-30."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("Debe ser una fecha como 2026-11-30.") from None


class Command(BaseCommand):
    help = "Muestra lo gastado en un período, exacto, en dólares."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--from", dest="first", type=day, help="Primer día; sin él, el mes.")
        parser.add_argument("--to", dest="last", type=day, help="Último día; sin él, hoy.")
        parser.add_argument("--by", choices=_BY, default="day", help="Cómo se agrupa.")
        parser.add_argument("--csv", action="store_true", help="En CSV.")

    def handle(
        self, *args: object, first: date | None, last: date | None, by: str, **options: object
    ) -> None:
        last = last or reports.today()
        first = first or last.replace(day=1)
        if first > last:
            raise CommandError("El primer día es posterior al último.")
        rows = reports.rows(first, last)
        names = dict(ApiKey.objects.values_list("pk", "prefix")) if by == "api_key" else {}
        groups = reports.by(rows, by)
        if by == "day":
            groups.sort(key=lambda group: group["day"])
        lines = [_line(str(names.get(group[by], group[by])), group) for group in groups]
        lines.append(_line("total", reports.total(rows)))
        header = [_BY[by], "llamadas", "entrada", "caché", "salida", "costo USD", "ahorro USD"]
        if options["csv"]:
            csv.writer(self.stdout, lineterminator="\n").writerows([header, *lines])
            return
        widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
        for line in [header, *lines]:
            first_cell, *others = (
                text.ljust(width) if n == 0 else text.rjust(width)
                for n, (text, width) in enumerate(zip(line, widths, strict=True))
            )
            self.stdout.write("  ".join([first_cell, *others]).rstrip())


def _line(name: str, sums: dict[str, Any]) -> list[str]:
    written = sums["cache_write_5m_tokens"] + sums["cache_write_1h_tokens"]
    return [
        name,
        str(sums["calls"]),
        str(sums["input_tokens"] + written),
        str(sums["cache_read_tokens"]),
        str(sums["output_tokens"]),
        plain(sums["cost_usd"]),
        plain(sums["saved_usd"]),
    ]
