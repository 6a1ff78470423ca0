"""What Prometheus sees, and that every alert is about something it sees."""

import re
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from knowledge.metrics import PassagesCollector
from knowledge.searching.engine import engine
from tests.prometheus import metrics_of, rules

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

GUIDE = Path(django_settings.BASE_DIR) / "docs" / "PROMETHEUS_ALERTING.md"
# What the exporters beside the service tell (test_exporters.py, test_sentinel.py), and the scheduler.
OTHERS = re.compile(r"(redis|pg|probe)_|aiservice_(schedule|backup)_")
# What the client library tells of its own process.
LIBRARY = re.compile(r"(python|process)_")


def exported(client) -> dict[str, list[Sample]]:
    """Return the samples of /metrics by family name; counters as Prometheus stores them, with _total."""
    families = text_string_to_metric_families(client.get("/metrics").content.decode())
    return {
        family.name + ("_total" if family.type == "counter" else ""): family.samples
        for family in families
    }


def value(client, name: str, **labels: str) -> float:
    (found,) = [sample.value for sample in exported(client)[name] if sample.labels == labels]
    return float(found)


@pytest.mark.parametrize("alert", rules())
def test_alert_is_about_metrics_that_the_service_exports(client, alert):
    own = {name for name in metrics_of(rules()[alert]["expr"]) if not OTHERS.match(name)}
    known = set(exported(client))
    # A histogram is stored as three series.
    stored = {name + end for name in known for end in ("", "_bucket", "_count", "_sum")}
    assert own <= stored


def test_alerts_are_there():
    asked_for = {"RedisDown", "HighErrorRate", "DailyCostExceeded", "LowCacheHitRate"}
    assert asked_for <= set(rules())


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


def test_guide_lists_what_is_exported_and_nothing_else(client):
    listed = set(
        re.findall(r"^\| `((?:aiservice|claude|django)_\w+)`", GUIDE.read_text(), re.MULTILINE)
    )
    assert {name for name in listed if not OTHERS.match(name)} == {
        name for name in exported(client) if not LIBRARY.match(name)
    }


def test_chat_and_knowledge_have_figures_of_their_own(client, api_key):
    from django.core.management import call_command

    call_command("load_knowledge", verbosity=0)
    before = exported(client)["aiservice_knowledge_searches_total"]
    headers = {"Authorization": f"Bearer {api_key[1]}"}
    body = {"message": "¿Cuánto duran los folios de un CAF?"}
    answer = client.post("/api/chat/message", body, "application/json", headers=headers)
    answered = exported(client)
    assert {
        "specialist": answer.json()["plugin_used"],
        "llm_used": "offline",
        "reason": "not_configured",
    } in [sample.labels for sample in answered["aiservice_chat_answers_total"]]
    assert value(client, "aiservice_chat_open") == 0
    # In this thread: another one does not see what this test's transaction has loaded.
    engine.forget()
    (passages,) = PassagesCollector().collect()
    assert passages.samples[0].value > 400
    assert sum(sample.value for sample in answered["aiservice_knowledge_searches_total"]) == (
        sum(sample.value for sample in before) + 1
    )
