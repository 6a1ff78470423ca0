"""An evaluation in the background."""

import time
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from knowledge import evaluating, scoring
from knowledge.evaluating import Progress, progress
from knowledge.models import Evaluation

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PAGE = "/admin/knowledge/evaluation/"


@pytest.fixture
def questions(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"- {{question: plazo de folios {n}, expect: [folios]}}\n" for n in range(30)]
    (tmp_path / "q.yaml").write_text("".join(lines))
    monkeypatch.setattr(scoring, "SHIPPED", tmp_path)


def wait_for_its_end() -> None:
    deadline = time.monotonic() + 30
    while progress() is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_button_answers_at_once_and_the_result_comes_later(
    admin_client: Client, questions: None
):
    assert admin_client.post(f"{PAGE}run/").status_code == 302
    wait_for_its_end()
    assert Evaluation.objects.get().questions == 30
    assert "30 preguntas" in admin_client.get(PAGE).content.decode()


def test_a_second_one_is_not_begun_and_its_progress_is_shown(admin_client: Client, questions: None):
    cache.set("knowledge.evaluation", {"asked": 40, "of": 300}, 60)
    admin_client.post(f"{PAGE}run/")
    page = admin_client.get(PAGE).content.decode()
    assert "Ya hay una evaluación en curso" in page
    assert '<progress value="40" max="300">' in page
    assert 'http-equiv="refresh"' in page
    assert progress() == Progress(40, 300)
    assert not Evaluation.objects.exists()


def test_one_that_fails_leaves_the_way_open(
    admin_client: Client, questions: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(scoring, "_ask", None)
    assert evaluating.begin(scoring.read([scoring.SHIPPED]))
    wait_for_its_end()
    assert not Evaluation.objects.exists()
    assert 'http-equiv="refresh"' not in admin_client.get(PAGE).content.decode()
