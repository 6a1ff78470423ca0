"""Measure search with the evaluation questions."""

from argparse import ArgumentParser, ArgumentTypeError
from collections import defaultdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from knowledge import scoring
from knowledge.searching.engine import engine

WORST_SHOWN = 10


def floor(text: str) -> tuple[str, float]:
    """Read ``hit@5=0.95``."""
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise ArgumentTypeError("debe ser cifra=mínimo, por ejemplo hit@5=0.95") from None


class Command(BaseCommand):
    help = "Mide la búsqueda con las preguntas de evaluación; con --min falla bajo un mínimo."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("paths", nargs="*", type=Path, help="archivos o carpetas YAML")
        parser.add_argument(
            "--min", action="append", default=[], type=floor, metavar="CIFRA=MÍNIMO"
        )
        parser.add_argument("--worst", type=int, default=WORST_SHOWN, help="cuántas peores listar")
        parser.add_argument("--no-save", action="store_true", help="no guarda el resultado")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            cases = scoring.read(options["paths"] or [scoring.SHIPPED])
        except (scoring.InvalidQuestionsError, OSError) as error:
            raise CommandError(str(error)) from None
        if not cases:
            raise CommandError("No hay preguntas de evaluación.")
        if unknown := scoring.unknown(cases):
            raise CommandError(f"Se esperan y no existen: {', '.join(sorted(unknown))}")
        outcomes = scoring.run(cases)
        self._report(outcomes, options["worst"])
        if not options["no_save"]:
            scoring.save(outcomes)
        self._hold(scoring.summarise(outcomes).figures(), options["min"])

    def _report(self, outcomes: list[scoring.Scored], shown: int) -> None:
        how = "BM25 + vectors" if engine.encoder.available() else "BM25"
        self.stdout.write(f"questions: {len(outcomes)}, engine: {how}")
        for name, value in scoring.summarise(outcomes).figures().items():
            self.stdout.write(f"{name:>9}  {value:.3f}")
        by_kind: dict[str, list[scoring.Scored]] = defaultdict(list)
        for outcome in outcomes:
            by_kind[outcome.case.kind or "-"].append(outcome)
        for kind, some in sorted(by_kind.items()):
            summary = scoring.summarise(some)
            text = (
                f"refused {summary.refused:.2f}"
                if summary.refused is not None and all(o.case.off_topic for o in some)
                else f"hit@1 {summary.hit_1:.2f}  hit@5 {summary.hit_5:.2f}"
            )
            self.stdout.write(f"  {kind:<14} {len(some):>3}  {text}")
        for outcome in scoring.worst(outcomes)[:shown]:
            wanted = ", ".join(outcome.case.expected) or "nada"
            found = ", ".join(outcome.found[:3]) or "nada"
            self.stdout.write(
                f"  {outcome.rank or '-':>3}  {outcome.case.question}\n"
                f"         esperado: {wanted}; encontrado: {found}"
            )

    def _hold(self, figures: dict[str, float], floors: list[tuple[str, float]]) -> None:
        below = []
        for name, least in floors:
            if name not in figures:
                raise CommandError(f"No se mide '{name}': {', '.join(figures)}")
            if figures[name] < least:
                below.append(f"{name} {figures[name]:.3f} < {least}")
        if below:
            raise CommandError("Bajo el mínimo: " + "; ".join(below))
