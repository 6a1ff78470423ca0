"""Measuring search with questions whose answers are known.

The files are YAML lists; ``knowledge/evaluation/README.md`` describes them. A question expects
documents, or sections as ``document#anchor``, any of which answers; one that expects nothing has
nothing to do with our subject, and nothing must be found.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from knowledge.models import Evaluation, Passage
from knowledge.searching import search
from knowledge.searching.engine import engine

SHIPPED: Final = Path(__file__).parent / "evaluation"
DEPTH: Final = 10  # documents looked at for MRR and nDCG
WORST: Final = 20


class InvalidQuestionsError(ValueError):
    """An evaluation file that cannot be used."""


@dataclass(frozen=True)
class Case:
    """A question and what answers it."""

    question: str
    kind: str
    expected: tuple[str, ...]

    @property
    def off_topic(self) -> bool:
        """Whether nothing must be found."""
        return not self.expected


@dataclass(frozen=True)
class Scored:
    """What search made of a case."""

    case: Case
    found: tuple[str, ...]  # documents in order of their best passage
    rank: int | None  # of the first that answers, from 1
    gain: float  # nDCG
    refused: bool


@dataclass(frozen=True)
class Summary:
    """Figures over many outcomes; shares are 0 to 1."""

    questions: int
    hit_1: float
    hit_3: float
    hit_5: float
    mrr: float
    ndcg: float
    refused: float | None  # of the off-topic questions; None without any
    falsely_refused: float

    def figures(self) -> dict[str, float]:
        """Return the figures under the names that floors use."""
        figures = {
            "hit@1": self.hit_1,
            "hit@3": self.hit_3,
            "hit@5": self.hit_5,
            "mrr": self.mrr,
            "ndcg": self.ndcg,
            "answered": 1 - self.falsely_refused,
        }
        return figures if self.refused is None else figures | {"refused": self.refused}


def read(paths: Iterable[Path]) -> list[Case]:
    """Read evaluation files, or all of a folder.

    Raises:
        InvalidQuestionsError: With file and entry.
    """
    cases: list[Case] = []
    for path in paths:
        for file in sorted(path.glob("*.yaml")) if path.is_dir() else [path]:
            entries = yaml.safe_load(file.read_text(encoding="utf-8"))
            if not isinstance(entries, list):
                raise InvalidQuestionsError(f"{file.name}: debe ser una lista de preguntas")
            cases += [_case(entry, f"{file.name}[{at}]") for at, entry in enumerate(entries, 1)]
    return cases


def unknown(cases: Iterable[Case]) -> set[str]:
    """Return the documents and sections that cases expect and the knowledge base does not have."""
    sections = {
        f"{slug}#{anchor}"
        for slug, anchor in Passage.objects.current().values_list(
            "version__document__slug", "anchor"
        )
    }
    documents = {name.partition("#")[0] for name in sections}
    return {name for case in cases for name in case.expected} - sections - documents


def run(cases: Iterable[Case]) -> list[Scored]:
    """Ask every question."""
    return [_ask(case) for case in cases]


def summarise(outcomes: Sequence[Scored]) -> Summary:
    """Compute the figures."""
    ours = [outcome for outcome in outcomes if not outcome.case.off_topic]
    others = [outcome for outcome in outcomes if outcome.case.off_topic]
    return Summary(
        questions=len(outcomes),
        hit_1=_share(ours, lambda o: o.rank == 1),
        hit_3=_share(ours, lambda o: o.rank is not None and o.rank <= 3),
        hit_5=_share(ours, lambda o: o.rank is not None and o.rank <= 5),
        mrr=_mean([1 / o.rank if o.rank else 0.0 for o in ours]),
        ndcg=_mean([o.gain for o in ours]),
        refused=_share(others, lambda o: o.refused) if others else None,
        falsely_refused=_share(ours, lambda o: o.refused),
    )


def worst(outcomes: Sequence[Scored]) -> list[Scored]:
    """Return what went wrong, the worst first: answers missed, then off-topic answered, then low."""
    wrong = [o for o in outcomes if (not o.refused if o.case.off_topic else o.rank != 1)]
    return sorted(wrong, key=lambda o: -(o.rank or (50 if o.case.off_topic else 100)))


def save(outcomes: Sequence[Scored]) -> Evaluation:
    """Keep a result for the admin."""
    summary = summarise(outcomes)
    return Evaluation.objects.create(
        stamp=engine.index.current().stamp,
        semantic=engine.encoder.available(),
        worst=[
            {
                "question": o.case.question,
                "kind": o.case.kind,
                "expected": list(o.case.expected),
                "found": list(o.found[:3]),
                "rank": o.rank,
            }
            for o in worst(outcomes)[:WORST]
        ],
        **vars(summary),
    )


def _ask(case: Case) -> Scored:
    hits = search.search(case.question, top_k=search.MAX_RESULTS)
    documents = tuple(dict.fromkeys(hit.document_id for hit in hits))[:DEPTH]
    sections = tuple(dict.fromkeys(f"{hit.document_id}#{_heading(hit.anchor)}" for hit in hits))
    ranks = sorted(
        ranked.index(name) + 1
        for name in case.expected
        for ranked in [sections[:DEPTH] if "#" in name else documents]
        if name in ranked
    )
    ideal = sum(1 / math.log2(at + 1) for at in range(1, len(case.expected) + 1))
    return Scored(
        case=case,
        found=documents,
        rank=ranks[0] if ranks else None,
        gain=min(1.0, sum(1 / math.log2(rank + 1) for rank in ranks) / ideal) if ideal else 0.0,
        refused=not hits,
    )


def _heading(anchor: str) -> str:
    """Return the anchor of the section that a passage is a part of."""
    return anchor.partition("~")[0]


def _case(entry: object, where: str) -> Case:
    if not isinstance(entry, dict) or not isinstance(entry.get("question"), str):
        raise InvalidQuestionsError(f"{where}: falta 'question'")
    expected = entry.get("expect")
    if not isinstance(expected, list) or not all(isinstance(name, str) for name in expected):
        raise InvalidQuestionsError(f"{where}: 'expect' debe ser una lista de documentos")
    return Case(entry["question"], str(entry.get("kind", "")), tuple(expected))


def _share(outcomes: Sequence[Scored], holds: Callable[[Scored], bool]) -> float:
    return _mean([1.0 if holds(outcome) else 0.0 for outcome in outcomes])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
