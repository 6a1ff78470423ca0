"""``manage.py erase_usage --older-than DAYS``: erase old rows of the ledger; their sums by day stay."""

from argparse import ArgumentParser
from datetime import datetime, time, timedelta
from typing import Final

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from usage.accounting import reports, rollup

# Of the running month and the one before, every row is still compared and corrected.
_LEAST: Final = 62


class Command(BaseCommand):
    help = "Borra los registros de uso antiguos, por lotes. Lo que suman por día se conserva."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--older-than", type=int, required=True, metavar="DÍAS", help=f"Al menos {_LEAST}."
        )

    def handle(self, *args: object, older_than: int, **options: object) -> None:
        if older_than < _LEAST:
            raise CommandError(f"Se conservan al menos {_LEAST} días.")
        first_kept = reports.today() - timedelta(days=older_than)
        before = timezone.make_aware(datetime.combine(first_kept, time.min))
        erased = sum(rollup.erase(before))
        rollup.fold()
        self.stdout.write(f"Registros borrados: {erased}, anteriores al {first_kept:%d-%m-%Y}.")
