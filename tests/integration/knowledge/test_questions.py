"""Questions that were not answered well, as an editor finds them."""

import pytest

from knowledge.models import Question
from knowledge.questions import Reason, record

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


def test_the_same_question_in_other_words_of_the_same_stems_is_one():
    record("¿Cómo anulo una FACTURA?", Reason.NOT_FOUND)
    record("como anulo las facturas", Reason.NOT_FOUND)
    record("factura: ¿cómo la anulo?", Reason.THUMBS_DOWN)
    question = Question.objects.get()
    assert (question.not_found, question.thumbs_down) == (2, 1)
    assert question.text == "¿Cómo anulo una FACTURA?"


def test_other_questions_stay_apart_and_empty_ones_are_not_kept():
    for text in ("anular factura", "anular boleta", "¿?", "", "el la los", "¡Hola, buenas tardes!"):
        record(text, Reason.NOT_FOUND)
    assert Question.objects.count() == 2


@pytest.mark.parametrize(
    "private",
    ["76.192.083-9", "76192083-9", "12345678-K", "ana.perez@empresa.cl", "9 8765 4321", "12345678"],
)
def test_what_identifies_somebody_is_not_kept(private: str):
    record(f"rechazaron la factura de {private} ayer", Reason.THUMBS_DOWN)
    assert Question.objects.get().text == "rechazaron la factura de … ayer"


def test_codes_and_years_are_kept():
    record("¿qué es el código 61 desde 2025 según la ley 19.983?", Reason.NOT_FOUND)
    assert "61" in Question.objects.get().text
    assert "2025" in Question.objects.get().text
    assert "19.983" in Question.objects.get().text


def test_asking_again_reopens_a_resolved_question():
    record("anular factura", Reason.NOT_FOUND)
    Question.objects.update(resolved_at="2026-01-01T00:00:00Z")
    record("anular factura", Reason.NOT_FOUND)
    assert Question.objects.get().resolved_at is None


def test_an_endless_question_is_cut():
    record("palabra " * 1_000, Reason.NOT_FOUND)
    assert len(Question.objects.get().text) <= 500
