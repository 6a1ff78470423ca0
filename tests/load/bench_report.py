"""The table of a bench run, and docs/performance.md around it."""

import os
import platform
from datetime import date
from pathlib import Path
from typing import Final

TARGET: Final = Path("docs/performance.md")

# Name, what it is, unit, what it is to be.
ROWS: Final = [
    ("statements", "statements per chat message", "", "≤ 10"),
    ("commits", "commits per chat message", "", "≤ 2"),
    ("plain_cpu", "CPU per plain message", "ms", "≤ 8"),
    ("stream_cpu", "CPU per stream of 50 pieces", "ms", "≤ 11"),
    ("first_text", "added to the first text, idle", "ms", "≤ 8"),
    ("crowd_p50", "500 slow streams at once, one process: first text p50", "s", "≤ 2.5"),
    ("crowd_p99", "the same, p99", "s", "≤ 4.5"),
    ("crowd_last", "the same, last stream ended (5.05 s at best)", "s", "≤ 6"),
    ("crowd_p50_two", "two processes: first text p50", "s", ""),
    ("crowd_p99_two", "the same, p99", "s", ""),
    ("crowd_last_two", "the same, last stream ended", "s", ""),
    ("capacity_one", "messages a second for one process with a core of its own", "", ""),
    ("capacity_two", "the same, two processes with a core each", "", ""),
    ("capacity_gain", "the second over the first", "×", "≥ 1.8"),
    ("lock_wait", "200 messages at once, two processes: wait for locked rows, mean", "ms", ""),
    ("meaning_cpu", "CPU that meaning adds to a search, evaluation set", "ms", "≤ 8"),
    ("usage_cpu", "CPU of `GET /api/usage`", "ms", "≤ 3"),
    ("json_p50", "validation, JSON: p50", "ms", "≤ 3.5"),
    ("json_cpu", "the same, CPU", "ms", "≤ 3"),
    ("xml_p50", "validation, XML with signatures: p50", "ms", "≤ 5"),
    ("xml_cpu", "the same, CPU", "ms", "≤ 4"),
    ("memory_postgres", "memory, idle, no key, PostgreSQL", "MB", "≤ 120"),
    ("memory_sqlite", "memory, idle, no key, SQLite", "MB", "≤ 120"),
    ("memory_key_postgres", "memory, idle, with a key, PostgreSQL", "MB", "≤ 140"),
    ("memory_key_sqlite", "memory, idle, with a key, SQLite", "MB", "≤ 140"),
]
INTRODUCTION: Final = """# Performance

Written by `make bench` on {day}, {machine}. The server under measure has one core for itself; PostgreSQL,
Redis, the provider's stand-in (`tests/load/upstream.py`) and the load have the others. Messages, streams, reads
and validations are medians of three rounds; crowds and memory were measured once. Answers have 50 pieces;
search is by words unless the row says otherwise.
{load}{peer}
"""
BUSY: Final = """
**The machine was busy with other work** (load {before:.1f} over {cores} cores): times and processor time are
higher than on a quiet one. Run `make bench` again there before relying on them.
"""
PEER: Final = """
LiteLLM's proxy ran before the same stand-in in the same run, one worker, without database, key store or
budgets; the service searched its knowledge, kept the conversation and wrote its ledger meanwhile.
"""


class Table:
    """Figures by row and by whose they are."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], float] = {}

    def put(self, name: str, whose: str, value: float) -> None:
        """Keep a figure."""
        self._values[name, whose] = value

    def as_markdown(self) -> str:
        """Return the table; a column for LiteLLM only if it was measured."""
        owners = ["service", *({"litellm"} & {whose for _, whose in self._values})]
        titles = {"service": "service", "litellm": "LiteLLM"}
        lines = [
            f"| what | {' | '.join(titles[o] for o in owners)} | wanted |",
            f"|---|{'---|' * len(owners)}---|",
        ]
        for name, title, unit, wanted in ROWS:
            cells = [self._cell(name, owner, unit) for owner in owners]
            lines.append(f"| {title} | {' | '.join(cells)} | {wanted} |")
        if ("first_text", "upstream") in self._values:
            lines.append("")
            lines.append("Added: over the bare stand-in, asked in turns in the same run.")
            lines.append(
                "Messages a second: by processor time. One process and two were measured on the same core, "
                "for on another the load and the database would be in their way."
            )
        return "\n".join(lines)

    def _cell(self, name: str, owner: str, unit: str) -> str:
        value = self._values.get((name, owner))
        return "–" if value is None else f"{value:.{0 if unit == 'MB' else 1}f} {unit}".strip()


def evaluation_questions() -> list[str]:
    """Return the questions of the shipped evaluation set."""
    from knowledge import scoring

    return [case.question for case in scoring.read([scoring.SHIPPED])]


def write(table: Table, beside_litellm: bool) -> None:
    """Write docs/performance.md."""
    load, cores = os.getloadavg()[2], os.cpu_count() or 1
    text = INTRODUCTION.format(
        day=date.today().isoformat(),  # noqa: DTZ011  # of the machine
        machine=f"{cores} cores, {platform.machine()}, Python {platform.python_version()}",
        load=BUSY.format(before=load, cores=cores) if load > cores else "",
        peer=PEER if beside_litellm else "",
    )
    TARGET.write_text(f"{text.strip()}\n\n{table.as_markdown()}\n")
