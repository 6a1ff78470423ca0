"""Write docs/dte-rules.md from the rules, or check that it is up to date."""

from argparse import ArgumentParser
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from dte.rules.catalogue import render


class Command(BaseCommand):
    help = "Write docs/dte-rules.md from the registered rules."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only fail if the page is stale")

    def handle(self, *args: object, **options: object) -> None:
        path = Path(settings.BASE_DIR) / "docs" / "dte-rules.md"
        page = render()
        if options["check"]:
            if not path.exists() or path.read_text(encoding="utf-8") != page:
                raise CommandError("docs/dte-rules.md is stale: run manage.py document_rules")
            return
        path.write_text(page, encoding="utf-8")
        self.stdout.write(f"{path}: {page.count('### ')} rules")
