"""How a question finds its specialist."""

import re

import pytest

from chat import plugins
from chat.plugins import Specialist
from chat.plugins.specialist import fold

pytestmark = pytest.mark.unit

QUESTIONS = [
    ("¿Por qué el SII rechazó mi factura electrónica con HED-3-226?", "dte"),
    ("como anulo una boleta", "dte"),
    ("se me vencio el caf", "dte"),
    ("necesito emitir una nota de crédito 61 por devolución", "dte"),
    ("¿Cómo concilio el extracto bancario con los pagos?", "account"),
    ("qué asiento contable hago para la depreciación", "account"),
    ("remanente de crédito fiscal en el F29", "account"),
    ("la orden de compra no cuadra con lo que recibí del proveedor", "purchase"),
    ("ajuste de inventario por mermas en la bodega", "stock"),
    ("¿Cómo calculo la gratificación y la AFP en la liquidación de sueldo?", "hr_payroll"),
    ("finiquito de un trabajador", "hr_payroll"),
    ("hola, ¿quién eres?", "general"),
    ("", "general"),
]


@pytest.mark.parametrize(("message", "name"), QUESTIONS)
def test_a_question_goes_to_the_specialist_of_its_subject(message: str, name: str):
    assert plugins.choose(message).name == name


def test_accents_and_case_do_not_matter():
    assert plugins.choose("DEPRECIACIÓN de Activos Fijos") == plugins.choose(
        "depreciacion de activos fijos"
    )


def test_the_callers_module_decides_when_the_message_does_not():
    assert plugins.choose("¿qué hago ahora?", {"module": "stock"}).name == "stock"
    assert plugins.choose("¿qué hago ahora?", {"active_model": "purchase.order"}).name == "purchase"


def test_the_message_wins_over_the_callers_module():
    chosen = plugins.choose("cómo timbro el folio de una factura exenta", {"module": "stock"})

    assert chosen.name == "dte"


@pytest.mark.parametrize(
    "context", [{"module": None}, {"module": False}, {"module": ["stock"]}, {}]
)
def test_a_context_of_any_shape_is_taken(context: dict[str, object]):
    assert plugins.choose("hola", context).name == "general"


def test_a_follow_up_stays_with_the_specialist_who_answered():
    assert plugins.choose("¿y cómo lo hago?", current="hr_payroll").name == "hr_payroll"
    assert (
        plugins.choose("¿y si es un trabajador con AFP y factura?", current="hr_payroll").name
        == "hr_payroll"
    )


def test_the_callers_module_does_not_take_a_conversation_away():
    chosen = plugins.choose("¿y qué hago?", {"module": "stock"}, current="hr_payroll")

    assert chosen.name == "hr_payroll"


def test_a_clear_change_of_subject_changes_the_specialist():
    chosen = plugins.choose("¿Por qué el SII rechazó el XML de mi factura?", current="hr_payroll")

    assert chosen.name == "dte"


def test_an_unknown_current_specialist_is_ignored():
    assert plugins.choose("hola", current="retirado").name == "general"


def test_the_registry_reports_every_specialist_once():
    report = plugins.status()

    names = [plugin["name"] for plugin in report["plugins"]]
    assert report["status"] == "ok"
    assert report["count"] == len(names) == len(set(names))
    assert {"dte", "account", "purchase", "stock", "hr_payroll", "general"} <= set(names)


@pytest.mark.parametrize("specialist", plugins.SPECIALISTS, ids=lambda s: s.name)
def test_every_pattern_is_written_the_way_messages_are_folded(specialist: Specialist):
    for pattern in specialist.patterns:
        re.compile(pattern)
        assert pattern == fold(pattern)


@pytest.mark.parametrize(
    "specialist", [*plugins.SPECIALISTS, plugins.FALLBACK], ids=lambda s: s.name
)
def test_every_system_prompt_is_long_enough_to_be_cached_by_any_model(specialist: Specialist):
    """Under a model's minimum nothing is cached, silently; the largest minimum is 4,096 tokens.

    Spanish prose takes at most 3.5 characters a token with the tokenizer of those models.
    """
    prefix = plugins.COMMON_INSTRUCTIONS + specialist.instructions

    assert len(prefix) / 3.5 >= 4096
