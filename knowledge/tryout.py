"""What a question finds and why, for an editor to look at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.utils.module_loading import import_string

from knowledge.searching import search
from knowledge.searching.query import Query
from knowledge.searching.search import Candidate, Hit

SHOWN = 10


@dataclass(frozen=True)
class PromptPreview:
    """What would be sent to the model for a question."""

    text: str
    model: str
    tokens: int
    counted: bool  # by the provider; otherwise a number that it cannot exceed
    cost_usd: Decimal | None  # at most, with the longest answer; None without a price


PromptBuilder = Callable[[str, Sequence[Hit]], PromptPreview]


@dataclass(frozen=True)
class Trial:
    """A question tried out."""

    query: Query
    refused: bool
    relevance: float  # 0 to 1
    rows: tuple[tuple[Candidate, Hit], ...]
    prompt: PromptPreview | None


def run(question: str) -> Trial:
    """Search as an answer would, and keep everything that explains the result."""
    found = search.explore(question)
    shown = found.candidates[:SHOWN]
    hits = search.hits(shown)
    return Trial(
        query=found.query,
        refused=found.refused,
        relevance=found.relevance,
        rows=tuple((candidate, hit) for candidate in shown for hit in search.hits([candidate])),
        prompt=_prompt(question, [] if found.refused else hits[: search.DEFAULT_RESULTS]),
    )


def _prompt(question: str, hits: Sequence[Hit]) -> PromptPreview | None:
    """Build the prompt with the function that settings name: who asks the model lies above us."""
    if not settings.KNOWLEDGE_PROMPT_PREVIEW:
        return None
    build: PromptBuilder = import_string(settings.KNOWLEDGE_PROMPT_PREVIEW)
    return build(question, hits)
