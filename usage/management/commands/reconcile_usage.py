"""``manage.py reconcile_usage FILE``: every difference between the ledger and the provider's export."""

import csv
import sys
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from usage.accounting import reconciliation
from usage.accounting.reconciliation import UnreadableExport
from usage.money import plain

_HEADER = [
    "dia_utc",
    "modelo",
    "tokens",
    "registrados",
    "proveedor",
    "diferencia",
    "usd",
    "estimadas",
]


class Command(BaseCommand):
    help = (
        "Compara los registros con la exportación de uso del proveedor (CSV de la consola o JSON del informe "
        "de uso) y lista cada diferencia en CSV. Termina con código 1 si hay alguna."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="El archivo exportado.")
        parser.add_argument(
            "--api-key",
            default="",
            help="Solo lo de esta clave del proveedor, como la nombra el archivo.",
        )

    def handle(self, *args: object, file: Path, api_key: str, **options: object) -> None:
        try:
            theirs = reconciliation.read(file, api_key)
        except (OSError, UnicodeDecodeError, UnreadableExport) as exc:
            raise CommandError(str(exc)) from exc
        if not theirs:
            raise CommandError("El archivo no trae uso" + (f" de {api_key}." if api_key else "."))
        found = reconciliation.compare(theirs)
        days = [day for day, _ in theirs]
        self.stderr.write(
            f"Del {min(days)} al {max(days)} (UTC): "
            + (f"{len(found)} diferencias." if found else "sin diferencias.")
        )
        if found:
            writer = csv.writer(self.stdout, lineterminator="\n")
            writer.writerow(_HEADER)
            writer.writerows(
                [
                    one.day, one.model, one.tokens, one.ours, one.theirs, one.theirs - one.ours,
                    "" if one.usd is None else plain(one.usd), one.estimates,
                ]
                for one in found
            )  # fmt: skip
            sys.exit(1)
