"""Probes and error envelope: what the operator's tools and a lost caller see."""

import threading

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import Http404
from django.test import Client, RequestFactory

from aiservice import errors, health
from aiservice.database.absence import DATABASE
from aiservice.database.base import DatabaseWrapper
from aiservice.redis import REDIS

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

DEPENDENCIES = {"database", "redis", "anthropic", "plugin_registry", "knowledge_base", "upkeep"}


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def fails_with(error: type[Exception]):
    def call(*args: object, **kwargs: object) -> None:
        raise error("away")

    return call


def test_health_names_every_dependency_without_a_key(client):
    response = client.get("/health")

    assert response.status_code == 200
    assert response.json()["version"]
    assert set(response.json()["dependencies"]) == DEPENDENCIES


@pytest.fixture
def no_redis(settings):
    nowhere = "redis://127.0.0.1:9/0"  # the discard port: refuses at once
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": nowhere}}
    REDIS.forget()
    yield
    REDIS.forget()


@pytest.fixture
def no_database(monkeypatch):
    pools = DatabaseWrapper._connection_pools
    before = pools.get("default")
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nonexistent")
    # Of Django's own pool, which management commands have; a server's gives up by itself.
    monkeypatch.setitem(connection.settings_dict["OPTIONS"]["pool"], "timeout", 0.3)
    DATABASE.forget()
    yield
    if pools.get("default") is not before:  # made meanwhile, for a server that is not there
        DATABASE.on_loss()
    DATABASE.forget()


def test_health_serves_without_redis(client, no_redis):

    response = client.get("/health")

    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["dependencies"]["redis"]["status"] == "down"


def test_without_the_database_nothing_is_served(client, no_database):
    assert client.get("/health").status_code == 503
    assert client.get("/health").json()["status"] == "down"
    assert client.get("/ready").status_code == 503
    assert client.get("/live").status_code == 200


def test_the_probe_never_says_what_went_wrong_in_detail(client, no_database):
    assert "nonexistent" not in client.get("/health").content.decode()


def test_health_says_since_when_and_how_fast(client):
    body = client.get("/health").json()

    assert body["uptime_seconds"] >= 0
    for name in ("database", "redis"):
        assert body["dependencies"][name]["since"]
        assert body["dependencies"][name]["latency_ms"] >= 0


def test_metrics_say_which_dependency_is_down(client, no_redis):
    metrics = client.get("/metrics").content.decode()

    assert 'aiservice_dependency_up{dependency="redis"} 0.0' in metrics
    assert 'aiservice_dependency_up{dependency="database"} 1.0' in metrics


def test_not_ready_once_it_is_told_to_stop(client, monkeypatch):
    monkeypatch.setattr("aiservice.health.stopping", threading.Event())
    assert client.get("/ready").status_code == 200
    health.stopping.set()
    response = client.get("/ready")
    assert (response.status_code, response.json()["reason"]) == (503, "stopping")
    assert client.get("/live").status_code == 200


def test_not_ready_while_migrations_are_missing(client):
    (last,) = MigrationLoader(connection).graph.leaf_nodes("usage")
    MigrationRecorder(connection).record_unapplied(*last)
    health.migrations.complete = False

    response = client.get("/ready")
    assert (response.status_code, response.json()["reason"]) == (503, "migrations_missing")


def test_metrics_are_prometheus_text(client):
    client.get("/live")
    response = client.get("/metrics")

    assert response.headers["Content-Type"].startswith("text/plain")
    assert b'view="live"' in response.content


def test_a_request_keeps_its_callers_id(client):
    assert client.get("/live", headers={"X-Request-ID": "erp-17.a"})["X-Request-ID"] == "erp-17.a"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "línea\n"])
def test_a_strange_request_id_is_replaced(client, given):
    answered = client.get("/live", headers={"X-Request-ID": given})["X-Request-ID"]

    assert answered != given
    assert len(answered) == 32


def test_an_unknown_path_is_answered_in_the_envelope(client):
    response = client.get("/api/nada")

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"
    assert response.json()["request_id"] == response["X-Request-ID"]


def test_a_fault_of_ours_shows_no_trace(client, monkeypatch):
    monkeypatch.setitem(health.CHECKS, "anthropic", fails_with(ZeroDivisionError))

    response = client.get("/health")

    assert response.status_code == 500
    assert response.json()["code"] == "internal_error"
    assert "ZeroDivision" not in response.content.decode()


def test_a_foreign_host_is_answered_in_the_envelope(client, settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.ALLOWED_HOSTS = ["dte.example.cl"]

    response = client.get("/", headers={"host": "evil.example"})

    assert response.status_code == 400
    assert response.json()["code"] == "bad_request"


def test_every_handler_speaks_spanish_in_the_same_shape():
    request = RequestFactory().get("/")
    answers = [
        errors.bad_request(request, ValueError()),
        errors.permission_denied(request, PermissionError()),
        errors.not_found(request, Http404()),
        errors.server_error(request),
    ]

    assert [answer.status_code for answer in answers] == [400, 403, 404, 500]
    assert all(b'"detail"' in answer.content and b'"code"' in answer.content for answer in answers)


def test_metrics_are_only_read():
    client = Client(enforce_csrf_checks=True)
    assert client.get("/metrics").status_code == 200
    refused = client.post("/metrics")
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")
    assert refused.json()["code"] == "method_not_allowed"
