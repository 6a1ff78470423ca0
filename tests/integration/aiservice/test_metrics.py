"""What Prometheus sees, and that every alert is about something it sees."""

import re
from pathlib import Path

import pytest
import yaml
from django.conf import settings as django_settings
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

ALERTS = Path(django_settings.BASE_DIR) / "deploy" / "prometheus" / "alerts.yml"
# Words of PromQL that look like metric names.
LANGUAGE = {
    "absent",
    "and",
    "by",
    "increase",
    "max",
    "min",
    "or",
    "rate",
    "sum",
    "time",
    "up",
    "vector",
}


def exported(client) -> dict[str, list[Sample]]:
    """Return the samples of /metrics by family name; counters as Prometheus stores them, with _total."""
    families = text_string_to_metric_families(client.get("/metrics").content.decode())
    return {
        family.name + ("_total" if family.type == "counter" else ""): family.samples
        for family in families
        if not family.name.endswith("_created")  # the client library's note beside each counter
    }


def value(client, name: str, **labels: str) -> float:
    (found,) = [sample.value for sample in exported(client)[name] if sample.labels == labels]
    return float(found)


def metrics_of(expression: str) -> set[str]:
    """Return the metric names of a PromQL expression."""
    without_labels = re.sub(r"\{.*?\}|\[\w+\]|by \(.*?\)", "", expression)
    return set(re.findall(r"[a-z_][a-z0-9_]+", without_labels)) - LANGUAGE


def expressions() -> dict[str, str]:
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}


@pytest.mark.parametrize("alert", expressions())
def test_alert_is_about_metrics_that_the_service_exports(client, alert):
    assert metrics_of(expressions()[alert]) <= set(exported(client))


def test_alerts_are_there():
    asked_for = {"RedisDown", "HighErrorRate", "DailyCostExceeded", "LowCacheHitRate"}
    assert asked_for <= set(expressions())
    assert metrics_of(expressions()["LowCacheHitRate"]) == {
        "aiservice_model_tokens_total",
        "aiservice_model_calls_total",
    }


def test_dependencies_are_up(client):
    assert value(client, "aiservice_dependency_up", dependency="database") == 1
    assert value(client, "aiservice_dependency_up", dependency="redis") == 1


def test_redis_that_does_not_answer_is_down(client, settings):
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:9/0"}
    }
    assert value(client, "aiservice_dependency_up", dependency="redis") == 0


def test_redis_that_is_not_configured_is_neither_up_nor_down(client, settings):
    settings.REDIS_URL = ""
    labels = [sample.labels for sample in exported(client)["aiservice_dependency_up"]]
    assert labels == [{"dependency": "database"}]


def test_operations_guide_lists_our_metrics(client):
    guide = (Path(django_settings.BASE_DIR) / "docs" / "operations.md").read_text()
    ours = {name for name in exported(client) if name.startswith("aiservice_")}
    assert set(re.findall(r"^\| `(aiservice_\w+)`", guide, re.MULTILINE)) == ours
