"""The shipped documents and the questions that measure the search over them."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from dte.rules import REGISTRY
from knowledge.chunks import Chunk, cut
from knowledge.frontmatter import ParsedDocument
from knowledge.loading import folder

pytestmark = pytest.mark.unit

KNOWLEDGE = Path(folder.__file__).parents[1]
DOCUMENTS = KNOWLEDGE / "documents"
EVALUATION = KNOWLEDGE / "evaluation"
KINDS = {"natural", "coloquial", "sinonimo", "codigo", "sin_acentos", "tipeo", "sin_respuesta"}


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
    return [entry for file in files for entry in yaml.safe_load(file.read_text(encoding="utf-8"))]


def test_at_least_sixty_documents_are_shipped(documents: list[ParsedDocument]) -> None:
    assert len(documents) >= 60


def test_every_document_says_where_its_facts_come_from(documents: list[ParsedDocument]) -> None:
    lacking = [
        document.slug
        for document in documents
        if not (document.source and document.valid_from and document.tags)
    ]
    assert lacking == []


def test_a_document_is_named_like_its_file(documents: list[ParsedDocument]) -> None:
    assert [d.slug for d in documents if d.source_path != f"{d.slug}.md"] == []


def test_the_modules_are_those_that_the_readme_lists(documents: list[ParsedDocument]) -> None:
    readme = (DOCUMENTS / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(\w+)` \|", readme, flags=re.MULTILINE))
    assert {document.module for document in documents} == listed


def test_a_section_is_one_passage_of_a_size_that_can_be_quoted(
    passages: dict[str, list[Chunk]],
) -> None:
    odd = [
        f"{slug}#{chunk.anchor}: {len(chunk.content.split())} palabras"
        for slug, chunks in passages.items()
        for chunk in chunks
        if not chunk.section
        or "~" in chunk.anchor  # a second passage of one section
        or not 40 <= len(chunk.content.split()) <= 250
    ]
    assert odd == []


def test_there_are_questions_of_every_kind(questions: list[dict[str, Any]]) -> None:
    kinds = Counter(entry["kind"] for entry in questions)
    assert set(kinds) == KINDS
    assert kinds["sin_respuesta"] >= 30
    assert len(questions) - kinds["sin_respuesta"] >= 150


def test_only_questions_without_an_answer_expect_nothing(questions: list[dict[str, Any]]) -> None:
    wrong = [
        entry["question"]
        for entry in questions
        if bool(entry["expect"]) == (entry["kind"] == "sin_respuesta")
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
