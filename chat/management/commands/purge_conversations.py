"""Erase conversations that are past their retention."""

from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand

from chat.conversations import purge


class Command(BaseCommand):
    help = "Erase conversations in which nothing was said for CHAT_RETENTION_DAYS (run it daily)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, help="another number of days, for this run")

    def handle(self, *args: object, days: int | None, **options: object) -> None:
        days = settings.CHAT_RETENTION_DAYS if days is None else days
        self.stdout.write(f"{purge(max(0, days))} conversations erased")
