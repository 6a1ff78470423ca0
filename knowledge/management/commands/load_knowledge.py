"""Load knowledge documents from Markdown files."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge import folder, ingest

SHIPPED = Path(__file__).resolve().parents[2] / "documents"


class Command(BaseCommand):
    help = "Carga los documentos de conocimiento (Markdown con encabezado YAML)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--path",
            action="append",
            type=Path,
            help="carpeta o archivo; se puede repetir (por omisión, los documentos incluidos)",
        )
        parser.add_argument(
            "--prune", action="store_true", help="retira los documentos cuyo archivo ya no está"
        )
        parser.add_argument(
            "--check", action="store_true", help="solo valida; termina con error si algo falla"
        )

    def handle(self, **options: Any) -> None:
        try:
            files = folder.find(options["path"] or [SHIPPED])
        except FileNotFoundError as error:
            raise CommandError(f"No existe: {error}") from None
        documents, failures = folder.read_all(files)
        if not documents and not failures:
            raise CommandError("No hay archivos Markdown que cargar.")
        if options["check"]:
            self._list(failures)
            self.stdout.write(f"valid: {len(documents)}, failed: {len(failures)}")
            if failures:
                sys.exit(1)
            return
        report = ingest.load(documents, failures, prune=options["prune"])
        self._list(report.failures)
        self.stdout.write(str(report))
        if not documents:
            raise CommandError("Ningún archivo se pudo cargar.")

    def _list(self, failures: list[folder.Failure]) -> None:
        for failure in failures:
            self.stderr.write(str(failure))
