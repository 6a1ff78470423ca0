"""Runs: one at a time, a lock that expires, over HTTP and as a command; and the figures."""

import threading
import time
from datetime import timedelta
from importlib import import_module
from io import StringIO

import pytest
from django.apps import apps
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from knowledge.models import SiiNotice, SiiRun, SiiSource
from knowledge.monitoring import running, status
from tests import sii_site
from tests.integration.knowledge.monitoring.test_looks import FIRST, PATH, SECOND

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

STATUS, MONITOR = "/api/ai/sii/status", "/api/ai/sii/monitor"


def wait_for_end() -> None:
    deadline = time.monotonic() + 20
    while SiiRun.objects.filter(active=True).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for thread in threading.enumerate():
        if thread.name == "sii-monitor":
            thread.join(30)


def test_nothing_done_yet_is_said_in_figures(source, api_client):
    body = api_client.get(STATUS).json()
    assert body["running"] is False
    assert (body["total_checks"], body["error_rate"], body["notices_24h"]) == (0, 0.0, 0)
    assert body["last_run"] is None
    assert [row["result"] for row in body["sources"]] == ["never"]


def test_status_needs_a_key(client, db):
    assert client.get(STATUS).status_code == 401
    assert client.post(MONITOR).status_code == 401


def test_figures_are_those_of_the_runs_and_survive_the_cache(site, source, look, api_client):
    site.put(PATH, sii_site.page(FIRST))
    look()
    site.put(PATH, sii_site.page(SECOND))
    look()
    site.put(PATH, "", status=500)
    look()
    kept = api_client.get(STATUS).json()
    assert (kept["total_checks"], kept["errors"], kept["notices_24h"]) == (3, 1, 1)
    assert kept["error_rate"] == pytest.approx(1 / 3, abs=1e-3)
    assert kept["notices_24h_by_impact"] == {"bajo": 0, "medio": 0, "alto": 1}
    (row,) = kept["sources"]
    assert row["result"] == "http_error"
    assert row["last_success"] < row["last_check"]
    assert cache.get(status.KEY) is not None
    cache.clear()
    assert api_client.get(STATUS).json() == kept


def test_figures_are_given_while_redis_is_away(site, source, look, settings):
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:9/0"}
    }
    site.put(PATH, sii_site.page(FIRST))
    assert look().checks == 1
    assert status.figures()["total_checks"] == 1


def test_notice_of_yesterday_leaves_the_figures(site, source, look):
    site.put(PATH, sii_site.page(FIRST))
    look()
    site.put(PATH, sii_site.page(SECOND))
    look()
    SiiNotice.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert status.refresh()["notices_24h"] == 0
    assert status.refresh()["notices_unreviewed"] == 1


def test_prometheus_sees_them(site, source, look, client):
    site.put(PATH, sii_site.page(FIRST))
    look()
    exposition = client.get("/metrics").content.decode()
    assert 'aiservice_sii_checks_total{result="ok"} 1.0' in exposition
    assert 'aiservice_sii_last_success_seconds{source="circulares"}' in exposition
    assert 'aiservice_sii_notices_24h{impact="alto"} 0.0' in exposition


@pytest.mark.django_db(transaction=True)
def test_run_behind_the_request_and_a_second_one_that_says_so(
    transactional_db, site, source, api_client
):
    gate = threading.Event()
    site.put(PATH, sii_site.page(FIRST), held=gate)
    first = api_client.post(MONITOR, {"force": True}, format="json")
    assert first.status_code == 202
    second = api_client.post(MONITOR, {}, format="json")
    assert second.status_code == 409
    assert second.json()["code"] == "monitor_running"
    assert second.json()["started_at"] == first.json()["started_at"]
    assert api_client.get(STATUS).json()["running"] is True
    gate.set()
    wait_for_end()
    body = api_client.get(STATUS).json()
    assert body["running"] is False
    assert body["total_checks"] == 1
    assert body["last_run"]["forced"] is True


@pytest.mark.django_db(transaction=True)
def test_burst_of_requests_starts_one_run(transactional_db, site, source, api_key, settings):
    from rest_framework.test import APIClient

    settings.SII_MONITOR_TIMEOUT = 30  # the run waits for the gate, whatever the machine does
    gate = threading.Event()
    site.put(PATH, sii_site.page(FIRST), held=gate)
    answers: list[int] = []

    def ask() -> None:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {api_key[1]}")
        answers.append(client.post(MONITOR, {}, format="json").status_code)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.set()
    assert sorted(answers) == [202] + [409] * 7
    wait_for_end()


def test_lock_of_a_dead_run_expires(site, source, look):
    site.put(PATH, sii_site.page(FIRST))
    dead = running.acquire(force=False)
    with pytest.raises(running.BusyError):
        running.acquire(force=False)
    SiiRun.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert look().checks == 1
    # Should the dead one wake up after all, it writes nothing.
    assert dead.beat() is False


def test_run_that_lost_its_lock_writes_nothing(site, source, look, monkeypatch):
    site.put(PATH, sii_site.page(FIRST))
    look()
    site.put(PATH, sii_site.page(SECOND))

    def overtaken(*args: object) -> list[dict[str, str]]:
        SiiRun.objects.update(active=None)
        return []

    with monkeypatch.context() as patched:
        patched.setattr("knowledge.monitoring.citing.rules", overtaken)
        look()
    assert not SiiNotice.objects.exists()
    assert look().notices == 1


def test_key_may_be_kept_from_running_it(source, api_client, api_key):
    api_key[0].may_monitor = False
    api_key[0].save()
    refused = api_client.post(MONITOR, {}, format="json")
    assert refused.status_code == 403
    assert "monitor" in refused.json()["detail"]
    assert api_client.get(STATUS).status_code == 200


@pytest.mark.parametrize("body", [{"force": "quizás"}, {"force": None}, {"force": [1]}, []])
def test_odd_input_is_refused(source, api_client, body):
    assert api_client.post(MONITOR, body, format="json").status_code == 400
    assert not SiiRun.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_command_looks_once_and_says_what_it_saw(transactional_db, site, source):
    site.put(PATH, sii_site.page(FIRST))
    out = StringIO()
    call_command("monitor_sii", stdout=out)
    assert "circulares: baseline" in out.getvalue()
    assert "1 páginas, 0 fallidas, 0 avisos" in out.getvalue()
    running.acquire(force=False)
    with pytest.raises(CommandError):
        call_command("monitor_sii", stdout=out, stderr=StringIO())
    with pytest.raises(CommandError):
        call_command("monitor_sii", every=0.0, stdout=out)


def test_sources_that_come_with_the_service_are_on_the_sii_site(db, settings):
    from knowledge.monitoring.addresses import problem

    settings.SII_MONITOR_LOCAL = False
    settings.SII_MONITOR_HOSTS = ["www.sii.cl"]
    SiiSource.objects.all().delete()  # a test that commits may have emptied the table already
    import_module("knowledge.migrations.0005_sii_sources").create(apps, None)
    sources = list(SiiSource.objects.all())
    assert {source.kind for source in sources} == {
        "otro", "circular", "resolucion", "faq", "formato"
    }  # fmt: skip
    assert not any(problem(source.url) for source in sources)
