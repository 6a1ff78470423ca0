"""Judging a corpus of documents whose codes and verdicts are known.

A corpus is a folder with a ``manifest.json`` (``entries``, each with ``file``, ``format``, ``as_of``,
``expected_codes``, ``expected_any_of``, ``allowed_codes``, ``verdict_allowed``). It is not part of the
project: ``DTE_CORPUS=/path pytest tests/integration/dte/test_corpus.py``, or
``python -m tests.corpus /path`` for the figures.
"""

import json
import os
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class JudgedEntry:
    """What was said of one entry, against what should have been."""

    entry: dict[str, Any]
    codes: frozenset[str]
    recommendation: str
    globally_allowed: frozenset[str]

    @property
    def missing(self) -> frozenset[str]:
        """Codes that had to be raised and were not."""
        missing = frozenset(self.entry["expected_codes"]) - self.codes
        any_of = self.entry.get("expected_any_of") or []
        if any_of and not self.codes & set(any_of):
            missing |= {"|".join(any_of)}
        return missing

    @property
    def surplus(self) -> frozenset[str]:
        """Codes raised that nothing explains; on a valid document each is a false positive."""
        entry = self.entry
        allowed = {*entry["expected_codes"], *entry["allowed_codes"], *self.globally_allowed}
        allowed |= set(entry.get("expected_any_of") or [])
        return frozenset() if "*" in allowed else self.codes - allowed

    @property
    def wrong_verdict(self) -> bool:
        """Whether the verdict is outside those allowed."""
        return self.recommendation not in self.entry["verdict_allowed"]

    @property
    def failure(self) -> str:
        """What is wrong, in one line; empty when nothing is."""
        parts = []
        if self.missing:
            parts.append(f"missing {sorted(self.missing)}")
        if self.surplus and self.entry["valid"]:
            parts.append(f"false positives {sorted(self.surplus)}")
        if self.wrong_verdict:
            parts.append(f"{self.recommendation}, not {self.entry['verdict_allowed']}")
        return "; ".join(parts)


def judge_corpus(folder: Path) -> list[JudgedEntry]:
    """Judge every entry of a corpus."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    allowed = frozenset(manifest.get("global_allowed_codes", ()))
    return [
        JudgedEntry(entry, *judge_file(folder, entry), allowed)
        for entry in manifest["entries"]
        if "expected_codes" in entry
    ]


def judge_file(folder: Path, entry: dict[str, Any]) -> tuple[frozenset[str], str]:
    """Return the codes and the recommendation for one entry."""
    from dte.judging.report import judge_json, judge_xml
    from dte.parsing.json import is_odd, parse_json
    from dte.parsing.unreadable import Unreadable
    from dte.parsing.xml import read_xml
    from dte.rules.registry import Context

    raw = (folder / entry["file"]).read_bytes()
    context = Context(as_of=datetime.fromisoformat(entry["as_of"]))
    try:
        if entry["format"].startswith("xml"):
            report = judge_xml(read_xml(raw), context)
        else:
            report = judge_json(parse_json(raw), context, content=raw, odd_text=is_odd(raw))
    except Unreadable as exc:
        return frozenset({exc.code}), "reject"
    codes = (found.code for judged in report.everything for found in judged.findings)
    return frozenset(codes), report.recommendation


def configure(folder: Path) -> None:
    """Set Django up for a script, trusting the corpus's own folio authority if it brings one."""
    import django

    keys = sorted((folder / "keys").glob("caf_authority_[0-9]*.pub.pem"))
    numbers = {path: path.name.split("_")[2].split(".")[0] for path in keys}
    os.environ.setdefault("ENVIRONMENT", "development")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aiservice.settings")
    os.environ.setdefault(
        "DTE_CAF_AUTHORITY_KEYS", ",".join(f"{number}:{path}" for path, number in numbers.items())
    )
    django.setup()


def main(folder: Path) -> int:
    """Print the figures of a corpus; return how many entries failed."""
    configure(folder)
    outcomes = judge_corpus(folder)
    failures = [outcome for outcome in outcomes if outcome.failure]
    for outcome in failures:
        print(f"{outcome.entry['file']}: {outcome.failure}")
    noise = Counter(code for outcome in outcomes for code in outcome.surplus)
    kinds = Counter(outcome.entry["kind"] for outcome in outcomes)
    print(f"{len(outcomes)} documents ({', '.join(f'{n} {kind}' for kind, n in kinds.items())})")
    print(f"{sum(bool(o.missing) for o in outcomes)} with a code missing")
    print(f"{sum(o.wrong_verdict for o in outcomes)} with a verdict outside those allowed")
    print(
        f"{sum(bool(o.surplus) and o.entry['valid'] for o in outcomes)} valid with a false positive"
    )
    print(f"{sum(noise.values())} unexplained codes on others: {dict(noise.most_common(10))}")
    return len(failures)


if __name__ == "__main__":
    sys.exit(min(main(Path(sys.argv[1])), 1))
