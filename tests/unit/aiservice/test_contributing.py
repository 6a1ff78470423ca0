"""The worked examples of CONTRIBUTING.md, done as they say."""

import re
import shutil
import subprocess
from datetime import date
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.management import call_command
from django.urls import path
from prometheus_client import REGISTRY

from chat.plugins import Specialist
from chat.plugins.registry import installed_registry
from chat.plugins.selection import Selector
from knowledge.searching.search import search
from usage.accounting import prices
from usage.models import ModelPrice
from usage.tokens import TokenUsage

pytestmark = pytest.mark.unit

TEXT = (Path(__file__).parents[3] / "CONTRIBUTING.md").read_text()


def example(title: str, language: str) -> str:
    """Return the first block of a language below a heading."""
    section = TEXT.partition(f"\n## {title}\n")[2]
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return found[0]


def execute(title: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    exec(example(title, "python"), names)  # noqa: S102 - our own text
    return names


def test_a_specialist(tmp_path):
    (tmp_path / "l10n_cl_fleet.md").write_text(example("A specialist", "markdown"))
    added = Specialist.read(tmp_path / "l10n_cl_fleet.md")

    scores = Selector([*installed_registry().everyone, added]).scores(
        "se me venció el permiso de circulación"
    )

    assert max(scores, key=lambda name: scores[name]) == "l10n_cl_fleet"


@pytest.mark.django_db
def test_a_knowledge_document(tmp_path):
    (tmp_path / "libro-de-guias.md").write_text(example("A knowledge document", "markdown"))

    call_command("load_knowledge", path=[tmp_path], no_embed=True, stdout=StringIO())

    assert search("quién lleva el libro de guías")[0].title == "Libro de guías de despacho"


def test_a_metric_with_its_alert(tmp_path):
    counter = execute("A metric with its alert")["PRINTED"]
    REGISTRY.unregister(counter)
    (family,) = counter.collect()
    assert family.samples[0].name == "aiservice_example_printed_total"
    assert family.samples[0].labels == {"result": "failed"}
    if shutil.which("promtool"):
        rules = tmp_path / "alerts.yml"
        rules.write_text(example("A metric with its alert", "yaml"))
        subprocess.run(["promtool", "check", "rules", rules], check=True, capture_output=True)


@pytest.mark.django_db
def test_an_endpoint(api_client, client, settings):
    routes: Any = ModuleType("example_routes")
    routes.urlpatterns = [path("api/rut", execute("An endpoint")["RutView"].as_view())]
    settings.ROOT_URLCONF = routes
    assert api_client.post("/api/rut", {"rut": "76192083-9"}, format="json").json() == {
        "valid": True
    }
    refused = api_client.post("/api/rut", {}, format="json")
    assert refused.status_code == 400
    assert refused.json()["detail"]
    assert client.post("/api/rut", {"rut": "76192083-9"}).status_code == 401


@pytest.mark.django_db
def test_a_price(tmp_path, monkeypatch):
    monkeypatch.setattr(prices, "FILE", tmp_path / "prices.csv")
    prices.FILE.write_text(example("A price", "csv"))

    prices.seed()

    price = ModelPrice.objects.current("claude-example-6", date(2027, 1, 2))
    assert prices.cost(TokenUsage(output_tokens=1_000_000), price) == 10
