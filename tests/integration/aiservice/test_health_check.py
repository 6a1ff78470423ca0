"""The probes of the service as it is run, while what it needs comes and goes."""

import secrets

import httpx2
import pytest

pytestmark = pytest.mark.integration


def test_probes_answer_in_production_whatever_host_is_asked_for(start_service):
    service = start_service(
        ENVIRONMENT="production",
        SECRET_KEY=secrets.token_urlsafe(50),
        ALLOWED_HOSTS="dte.example.cl",
    )
    for path in ("live", "ready", "health", "metrics"):
        assert httpx2.get(f"{service.url}/{path}").status_code == 200
    page = httpx2.get(f"{service.url}/admin/", headers={"Host": "dte.example.cl"})
    assert page.status_code == 301
    assert page.headers["Location"] == "https://dte.example.cl/admin/"
    assert httpx2.get(f"{service.url}/admin/").status_code == 400


def test_health_says_what_is_away_and_the_service_serves_on(start_service):
    service = start_service(REDIS_URL="redis://127.0.0.1:9/0")  # the discard port: refuses at once
    health = httpx2.get(f"{service.url}/health", timeout=30)
    assert health.status_code == 200
    dependencies = health.json()["dependencies"]
    assert dependencies["database"]["status"] == "ok"
    assert dependencies["redis"]["status"] == "down"
    assert dependencies["anthropic"]["status"] == "not_configured"
    assert dependencies["anthropic"]["fallback"] == "offline"
    assert httpx2.get(f"{service.url}/ready", timeout=30).status_code == 200
