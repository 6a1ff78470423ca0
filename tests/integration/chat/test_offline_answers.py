"""Answers without the model over the shipped documents, words alone: short, and to the point at once."""

import re
from pathlib import Path
from statistics import median

import pytest
from django.core.management import call_command

from chat import plugins
from chat.answering import offline
from chat.answering.confidence import confidence
from chat.answering.retrieval import find_passages
from chat.plugins import Specialist
from knowledge import scoring
from tests import yaml_files

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

QUESTIONS = yaml_files.read(Path(__file__).with_name("offline_answers.yaml"))
FIRST = 60  # words


def general() -> Specialist:
    specialist = plugins.by_name("general")
    assert specialist
    return specialist


def answer(question: str) -> str:
    hits = find_passages(question, general())
    return offline.compose(offline.worth_quoting(hits), question)


def words(text: str) -> list[str]:
    return re.sub(r"[*`>|]|---", " ", text).split()


def test_answers_are_short_and_begin_with_what_answers():
    call_command("load_knowledge")
    answers = {entry["question"]: words(answer(entry["question"])) for entry in QUESTIONS}
    assert len(answers) >= 60
    assert median(map(len, answers.values())) <= 160
    beside = [
        entry["question"]
        for entry in QUESTIONS
        if entry["says"].lower() not in " ".join(answers[entry["question"]][:FIRST]).lower()
    ]
    assert len(beside) <= 0.15 * len(answers), beside


def test_what_is_not_ours_and_yet_accepted_has_no_confidence():
    call_command("load_knowledge")
    cases = scoring.read([scoring.SHIPPED])
    ours = [trust(case.question) for case in cases if not case.off_topic]
    accepted = [
        trust(case.question)
        for case in cases
        if case.off_topic and find_passages(case.question, general())
    ]
    assert median(ours) - median(accepted or [0]) >= 30


def trust(question: str) -> float:
    return confidence(answer(question), [], llm_used="offline", plugin_used="")
