"""The rules of the system prompt in an answer: taken out, however the text is cut into pieces."""

import random

import pytest

from chat.answering.disclosure import REFUSAL, DisclosureFilter
from chat.plugins import COMMON_INSTRUCTIONS

pytestmark = pytest.mark.unit

RULES, _, KNOWLEDGE = COMMON_INSTRUCTIONS.partition("# Resumen de lo esencial")


def passed(text: str, seed: int) -> str:
    """Feed a text in random pieces."""
    chance, guard, said = random.Random(seed), DisclosureFilter(), []
    while text:
        size = chance.randint(1, 12)
        said.append(guard.feed(text[:size]))
        text = text[size:]
    return "".join(said) + guard.flush()


@pytest.mark.parametrize("seed", range(20))
def test_a_quotation_of_the_rules_is_not_passed_on(seed: int):
    said = passed(f"Claro, aquí van:\n\n{RULES}", seed)

    assert said.startswith("Claro, aquí van:")
    assert said.endswith(REFUSAL)
    assert "facturación electrónica" not in said
    assert "<pasajes>" not in said


@pytest.mark.parametrize("seed", range(20))
def test_what_is_no_quotation_passes_unchanged(seed: int):
    text = KNOWLEDGE[:6000] + "\nLos montos en pesos chilenos van sin decimales.  Fin"

    assert passed(text, seed) == text


@pytest.mark.parametrize("text", ["", " ", "a", "a ", "\n\n", "uno  dos\n- tres"])
def test_white_space_is_kept(text: str):
    for seed in range(5):
        assert passed(text, seed) == text
