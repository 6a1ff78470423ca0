"""The worked example of CONTRIBUTING.md, «A DTE rule», is a rule that works."""

from pathlib import Path

import pytest
from django.conf import settings

from dte.rules import REGISTRY, engine
from dte.rules.catalogue import render
from tests.documents import document, findings

pytestmark = pytest.mark.unit


@pytest.fixture
def example():
    page = (Path(settings.BASE_DIR) / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = page.partition("## A DTE rule")[2].partition("\n## ")[0]
    code = section.partition("```python\n")[2].partition("```")[0]
    engine.plan.cache_clear()
    exec(code, {})  # noqa: S102 - our own page
    yield "BOL-99"
    del REGISTRY["BOL-99"]
    engine.plan.cache_clear()


@pytest.mark.parametrize("form", ["xml", "json"])
def test_the_example_finds_its_fault(example, form):
    found = {f.code: f for f in findings(document(39, {"Detalle[1]/MontoItem": "0"}), form)}
    assert found[example].message == "La línea 1 de la boleta es «Harina 25 kg» y vale 0."
    assert found[example].values == {"linea": 1, "nombre": "Harina 25 kg"}


@pytest.mark.parametrize("tipo", [33, 39, 41])
def test_and_nothing_else(example, tipo):
    assert example not in {found.code for found in findings(document(tipo))}


def test_and_stands_in_the_catalogue(example):
    assert "### BOL-99 (práctica): La primera línea de la boleta es gratis." in render()
