"""The shipped documents and the questions that measure the search over them."""

import re
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from dte.rules import REGISTRY
from knowledge.chunks import Chunk, cut
from knowledge.frontmatter import ParsedDocument
from knowledge.loading import expressions, folder
from knowledge.searching.jargon import Jargon
from knowledge.searching.relevance import OUTSIDE
from tests import yaml_files

pytestmark = pytest.mark.unit

KNOWLEDGE = Path(folder.__file__).parents[1]
DOCUMENTS = KNOWLEDGE / "documents"
EVALUATION = KNOWLEDGE / "evaluation"
NOT_OURS = {"sin_respuesta", "otro_pais", "tramite_ajeno", "tema_cercano"}
KINDS = {"natural", "coloquial", "sinonimo", "codigo", "sin_acentos", "tipeo", "gremio", *NOT_OURS}
SOON = timedelta(days=60)
ONE_DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def documents() -> list[ParsedDocument]:
    found, failures = folder.read_all(folder.find([DOCUMENTS]))
    assert not failures
    return found


@pytest.fixture(scope="module")
def passages(documents: list[ParsedDocument]) -> dict[str, list[Chunk]]:
    return {document.slug: cut(document.body, title=document.title) for document in documents}


@pytest.fixture(scope="module")
def questions() -> list[dict[str, Any]]:
    files = sorted(EVALUATION.glob("*.yaml"))
    return [entry for file in files for entry in yaml_files.read(file)]


def test_at_least_sixty_documents_are_shipped(documents: list[ParsedDocument]) -> None:
    assert len(documents) >= 60


def test_every_document_says_where_its_facts_come_from(documents: list[ParsedDocument]) -> None:
    lacking = [
        document.slug
        for document in documents
        if not (document.source and document.valid_from and document.tags and document.checked_on)
    ]
    assert lacking == []


def test_no_document_was_checked_in_the_future(documents: list[ParsedDocument]) -> None:
    today = date.today()  # noqa: DTZ011 - the day in the files has no time zone either
    assert [d.slug for d in documents if d.checked_on and d.checked_on > today] == []


def test_what_expires_within_sixty_days_has_its_next_version_ready(
    documents: list[ParsedDocument],
) -> None:
    """A failure lists what an editor has to write now; the next version begins the day after."""
    today = date.today()  # noqa: DTZ011
    begins = {document.valid_from for document in documents}
    expiring = {
        document.slug: document.valid_to
        for document in documents
        if document.valid_to and document.valid_to <= today + SOON
    }
    print("vencen en 60 días:", expiring)
    assert {slug: day for slug, day in expiring.items() if day + ONE_DAY not in begins} == {}


def test_what_rests_on_secondary_sources_is_listed(documents: list[ParsedDocument]) -> None:
    listed = (KNOWLEDGE.parent / "docs" / "knowledge.md").read_text(encoding="utf-8")
    resting = [d.slug for d in documents if re.search(r"secundari|según", d.source)]
    assert [slug for slug in resting if f"`{slug}`" not in listed] == []


def test_a_document_is_named_like_its_file(documents: list[ParsedDocument]) -> None:
    assert [d.slug for d in documents if d.source_path != f"{d.slug}.md"] == []


def test_the_modules_are_those_that_the_readme_lists(documents: list[ParsedDocument]) -> None:
    readme = (DOCUMENTS / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \|", readme, flags=re.MULTILINE))
    assert {document.module for document in documents} == listed


def test_a_section_is_one_passage_of_a_size_that_can_be_quoted(
    documents: list[ParsedDocument], passages: dict[str, list[Chunk]]
) -> None:
    odd = [
        f"{document.slug}#{chunk.anchor}: {len(chunk.content.split())} palabras"
        for document in documents
        if document.module != OUTSIDE  # never quoted
        for chunk in passages[document.slug]
        if not chunk.section
        or "~" in chunk.anchor  # a second passage of one section
        or not 40 <= len(chunk.content.split()) <= 250
    ]
    assert odd == []


def test_there_are_questions_of_every_kind(questions: list[dict[str, Any]]) -> None:
    kinds = Counter(entry["kind"] for entry in questions)
    assert set(kinds) == KINDS
    assert sum(kinds[kind] for kind in NOT_OURS) >= 200
    assert sum(kinds[kind] for kind in KINDS - NOT_OURS) >= 400


def test_only_questions_without_an_answer_expect_nothing(questions: list[dict[str, Any]]) -> None:
    wrong = [
        entry["question"]
        for entry in questions
        if bool(entry["expect"]) == (entry["kind"] in NOT_OURS)
    ]
    assert wrong == []


def test_no_question_is_asked_twice(questions: list[dict[str, Any]]) -> None:
    asked = Counter(entry["question"].casefold() for entry in questions)
    assert [question for question, times in asked.items() if times > 1] == []


def test_expected_answers_exist(
    questions: list[dict[str, Any]], passages: dict[str, list[Chunk]]
) -> None:
    known = set(passages) | {
        f"{slug}#{chunk.anchor}" for slug, chunks in passages.items() for chunk in chunks
    }
    missing = [
        (entry["question"], name)
        for entry in questions
        for name in entry["expect"]
        if name not in known
    ]
    assert missing == []


def test_every_rule_of_the_validator_can_be_looked_up(documents: list[ParsedDocument]) -> None:
    """Both codes: ours in full, as people paste it into the search box, and the SII's."""
    text = "\n".join(document.body for document in documents)
    codes = [code for rule in REGISTRY.values() for code in (rule.code, *rule.sii_code.split())]
    assert [code.strip(",") for code in codes if code.strip(",") not in text] == []


def test_every_shipped_expression_is_found_in_a_text() -> None:
    entries = expressions.read()
    jargon = Jargon(entries.items())
    lost = [text for text in entries if not any(jargon.find(f"qué es {text} hoy"))]
    assert lost == []
    assert all(len(text) <= 60 and len(meaning) <= 200 for text, meaning in entries.items())
