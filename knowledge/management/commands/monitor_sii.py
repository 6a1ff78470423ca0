"""Look at the pages of the SII, once or again and again."""

import time
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.db import close_old_connections

from knowledge.models import SiiSource
from knowledge.monitoring import notifying, running
from knowledge.monitoring.checking import CheckResult


class Command(BaseCommand):
    help = "Revisa las páginas del SII y avisa de lo que cambió; para cron, o con --every."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every", type=float, metavar="SEGUNDOS", help="sigue, con esta pausa entre pasadas"
        )
        parser.add_argument(
            "--force",
            action="store_true",
            help="pide las páginas enteras, aunque el sitio diga que no cambiaron",
        )

    def handle(self, *args: object, every: int | None, force: bool, **options: object) -> None:
        if every is not None and every < 1:
            raise CommandError("--every: al menos 1 segundo.")
        if not self._once(force=force) and every is None:
            raise CommandError("Ya hay una revisión del SII en curso.")
        while every is not None:
            self._rest(every)
            self._once(force=force)

    def _once(self, *, force: bool) -> bool:
        close_old_connections()
        try:
            begun = running.acquire(force=force)
        except running.BusyError:
            self.stderr.write("Ya hay una revisión del SII en curso.")
            return False
        running.run(begun, tell=self._tell)
        begun.refresh_from_db()
        self.stdout.write(
            f"{begun.checks} páginas, {begun.errors} fallidas, {begun.notices} avisos"
        )
        return True

    def _tell(self, source: SiiSource, outcome: CheckResult) -> None:
        told = outcome.notice.summary if outcome.notice else outcome.detail
        self.stdout.write(f"  {source.slug}: {outcome.result} {told}".rstrip())

    def _rest(self, seconds: float) -> None:
        """Wait for the next run, and deliver meanwhile what becomes due."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            notifying.deliver_due()
            time.sleep(min(left, 30))
