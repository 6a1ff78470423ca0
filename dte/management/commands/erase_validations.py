"""Erase validations that are past their retention, or all of one taxpayer."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand

from dte.history.retention import erase_expired, erase_taxpayer


class Command(BaseCommand):
    help = "Erase validations past their retention (run it daily), or every one that names a RUT."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--rut", help="erase what names this taxpayer, whatever its age")

    def handle(self, *args: object, rut: str | None, **options: object) -> None:
        erased = erase_taxpayer(rut) if rut else erase_expired()
        self.stdout.write(f"{erased} validations erased")
