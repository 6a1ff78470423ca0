"""``manage.py run_schedule``: run what is due, until the process is ended."""

import signal
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import NoReturn

from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError
from prometheus_client import CollectorRegistry, start_http_server

from aiservice.schedule import SHIPPED, BackupCollector, Runner, read


class Command(BaseCommand):
    help = "Run the commands of the schedule when they are due, and tell Prometheus how they went."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--file", type=Path, default=SHIPPED, help="the schedule")
        parser.add_argument("--backups", type=Path, help="directory whose newest files are told of")
        parser.add_argument("--address", default="127.0.0.1", help="where to serve /metrics")
        parser.add_argument("--port", type=int, default=9300)
        parser.add_argument("--now", metavar="COMMAND", help="run one job of it now, and end")

    def handle(
        self,
        *args: object,
        file: Path,
        backups: Path | None,
        address: str,
        port: int,
        now: str | None,
        **options: object,
    ) -> None:
        try:
            jobs = read(file)
        except (OSError, ValueError) as exc:
            raise CommandError(str(exc)) from None
        if unknown := {job.name for job in jobs} - set(get_commands()):
            raise CommandError(f"{file}: no such command: {', '.join(sorted(unknown))}")
        registry = CollectorRegistry()
        runner = Runner(jobs, registry)
        if now:
            chosen = [job for job in jobs if job.name == now]
            if not chosen or not runner.run(chosen[0]):
                raise CommandError(f"{now} is not in the schedule, or failed")
            return
        if backups:
            registry.register(BackupCollector(backups))
        start_http_server(port, address, registry)

        def end(signum: int, frame: FrameType | None) -> NoReturn:
            runner.stop()
            raise SystemExit(0)

        signal.signal(signal.SIGTERM, end)
        for job in jobs:
            self.stdout.write(f"{job.when:<22} {' '.join(job.command)}")
        self.stdout.flush()
        runner.scheduler().start()
