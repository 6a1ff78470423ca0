"""Validate files from the command line, for people and for CI."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dte.documents.document import to_moment
from dte.examining.refused import Refused
from dte.judging.batch import Answer, Batch, BatchFile, open_batch
from dte.judging.examined import Examined
from dte.judging.report import Judged
from dte.parsing.unreadable import Unreadable
from dte.rules.engine import finding_of
from dte.rules.registry import Context

_MARKS = {"send": "✔ enviar", "review": "? revisar", "reject": "✘ no enviar"}


class Command(BaseCommand):
    help = (
        "Validate DTE files (XML, JSON or ZIP; - reads standard input) with the rules alone, and "
        "every other kind of file that the service knows: CAF, answers of the SII, certificates, …. "
        "Exit code 1 if any must not be sent, with --strict also if any must be reviewed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE")
        parser.add_argument("--format", choices=["table", "json"], default="table")
        parser.add_argument("--mode", choices=["emission", "reception"], default="emission")
        parser.add_argument("--as-of", help="judge as of this ISO time (default: now)")
        parser.add_argument(
            "--used", default="", metavar="FOLIOS", help="used folios of a CAF, as 1-40,45"
        )
        parser.add_argument(
            "--password-file", metavar="FILE", help="file with the password of a certificate"
        )
        parser.add_argument("--strict", action="store_true", help="fail on review too")

    def handle(self, *args: Any, **options: Any) -> None:
        as_of = to_moment(options["as_of"]) if options["as_of"] else timezone.now()
        if as_of is None:
            raise CommandError("--as-of is not an ISO time")
        fields = {"usados": options["used"], "password": _password(options["password_file"])}
        show = self._as_json if options["format"] == "json" else self._as_table
        worst: set[str] = set()
        for name in options["files"]:
            batch = Batch(Context(as_of=as_of, mode=options["mode"]), fields=fields)
            entries = (
                BatchFile(entry.name or name, entry.raw) for entry in open_batch(_read(name))
            )
            try:
                for answer in batch.judge(entries):
                    worst.add(answer.judged.verdict.recommendation)
                    show(answer)
            except Unreadable as exc:
                found = exc.finding if isinstance(exc, Refused) else finding_of(exc)
                raise CommandError(f"{name}: {found.message}") from exc
        if "reject" in worst or (options["strict"] and "review" in worst):
            sys.exit(1)

    def _as_json(self, answer: Answer) -> None:
        data = {"file": answer.file, "type": answer.type, **answer.judged.as_dict()}
        self.stdout.write(json.dumps(data, ensure_ascii=False))

    def _as_table(self, answer: Answer) -> None:
        judged = answer.judged
        verdict = judged.verdict.recommendation
        style = {"send": self.style.SUCCESS, "review": self.style.WARNING}.get(
            verdict, self.style.ERROR
        )
        self.stdout.write(f"{style(_MARKS[verdict]):14} {answer.file}  {_name(judged)}")
        for found in judged.findings:
            where = f"línea {found.line}: " if found.line else ""
            self.stdout.write(f"    {found.code:7} {found.severity:7} {where}{found.message}")
            self.stdout.write(f"            → {found.fix}")


def _name(judged: Judged | Examined) -> str:
    if isinstance(judged, Examined):
        return f"{judged.kind.title}: {judged.examination.headline}"
    parts = (judged.summary.get("type_name"), judged.summary.get("folio"))
    return " ".join(str(part) for part in parts if part)


def _password(name: str | None) -> str:
    return _read(name).decode(errors="replace").rstrip("\r\n") if name else ""


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as exc:
        raise CommandError(f"{name}: {exc.strerror}") from exc
