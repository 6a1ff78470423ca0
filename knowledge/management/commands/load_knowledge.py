"""Load knowledge documents from Markdown files."""

import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from django.core.management.base import BaseCommand, CommandError

from knowledge.loading import embedding, expressions, folder, ingest
from knowledge.searching import indexing
from knowledge.searching.engine import engine

SHIPPED: Final = Path(__file__).resolve().parents[2] / "documents"
POLL_SECONDS: Final = 1.0


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
        parser.add_argument(
            "--no-embed",
            action="store_true",
            help="no calcula vectores: usa los que traiga la carpeta",
        )
        parser.add_argument(
            "--save-vectors",
            action="store_true",
            help=f"guarda los vectores en la carpeta ({embedding.SHIPPED}), para cargarlos con ella",
        )
        parser.add_argument(
            "--watch", action="store_true", help="sigue cargando lo que cambie, hasta Ctrl+C"
        )

    def handle(
        self,
        *args: object,
        path: list[Path],
        check: bool,
        prune: bool,
        no_embed: bool,
        save_vectors: bool,
        watch: bool,
        **options: object,
    ) -> None:
        paths: Sequence[Path] = path or [SHIPPED]
        if check:
            self._check(paths)
            return
        load = partial(self._load, paths, prune=prune, compute=not no_embed)
        load()
        if save_vectors:
            self._save_vectors(paths)
        if watch:
            self._watch(paths, load)

    def _check(self, paths: Sequence[Path]) -> None:
        documents, failures = folder.read_all(_find(paths))
        self._list(failures)
        self.stdout.write(f"valid: {len(documents)}, failed: {len(failures)}")
        if failures:
            sys.exit(1)

    def _load(self, paths: Sequence[Path], *, prune: bool, compute: bool) -> None:
        files = _find(paths)
        documents, failures = folder.read_all(
            self._counted(files, "reading") if self._interactive() else files
        )
        report = ingest.load(documents, failures, prune=prune)
        self._list(report.failures)
        self.stdout.write(str(report))
        self.stdout.flush()
        if not documents:
            raise CommandError("Ningún archivo se pudo cargar.")
        indexing.ensure_current()
        if SHIPPED in paths:
            expressions.load_shipped()
        self._embed(paths, compute=compute)

    def _embed(self, paths: Sequence[Path], *, compute: bool) -> None:
        """Take vectors along from the folder, then compute the rest; the text is live already."""
        if not engine.encoder.available():
            return
        taken = sum(
            embedding.import_file(path / embedding.SHIPPED)
            for path in paths
            if (path / embedding.SHIPPED).is_file()
        )
        computed = 0
        if compute:
            computed = embedding.embed_missing(partial(self._bar, "vectors"))
        if taken or computed:
            # Not on standard output, whose last line is the counts.
            self.stderr.write(f"vectors: {taken} taken, {computed} computed")

    def _save_vectors(self, paths: Sequence[Path]) -> None:
        if len(paths) != 1 or not paths[0].is_dir():
            raise CommandError("--save-vectors necesita una sola carpeta.")
        saved = embedding.export_file(paths[0] / embedding.SHIPPED)
        self.stderr.write(f"vectors: {saved} saved")

    def _watch(self, paths: Sequence[Path], load: Callable[[], None]) -> None:
        seen = _signature(paths)
        try:
            while True:
                time.sleep(POLL_SECONDS)
                now = _signature(paths)
                if now != seen:
                    seen = now
                    self._reload(load)
        except KeyboardInterrupt:
            return

    def _reload(self, load: Callable[[], None]) -> None:
        try:
            load()
        except CommandError as error:  # say it, and wait for the next change
            self.stderr.write(str(error))

    def _list(self, failures: Sequence[folder.Failure]) -> None:
        for failure in failures:
            self.stderr.write(str(failure))

    def _interactive(self) -> bool:
        return bool(getattr(self.stderr, "isatty", lambda: False)())

    def _bar(self, label: str, done: int, total: int) -> None:
        if self._interactive():
            end = "\n" if done == total else ""
            filled = "█" * (done * 30 // max(total, 1))
            self.stderr.write(f"\r{label} {filled:<30} {done}/{total}", ending=end)

    def _counted(self, files: list[folder.Found], label: str) -> Iterator[folder.Found]:
        for number, found in enumerate(files, 1):
            if number % 100 == 0 or number == len(files):
                self._bar(label, number, len(files))
            yield found


def _find(paths: Sequence[Path]) -> list[folder.Found]:
    try:
        files = folder.find(paths)
    except FileNotFoundError as error:
        raise CommandError(f"No existe: {error}") from None
    if not files:
        raise CommandError("No hay archivos Markdown que cargar.")
    return files


def _signature(paths: Sequence[Path]) -> set[tuple[str, int, int]]:
    """Return what changes when a file is written, added, moved or deleted."""
    signature = set()
    for found in folder.find(path for path in paths if path.exists()):
        try:
            status = found.path.lstat()
        except OSError:
            continue  # an editor is just replacing it
        signature.add((str(found.path), status.st_mtime_ns, status.st_size))
    return signature
