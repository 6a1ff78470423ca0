"""The cast: what tests of every part need."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.cache import cache
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from aiservice.database.absence import DATABASE
from aiservice.redis import REDIS
from knowledge.searching.engine import engine
from tests import flush, static_files
from tests.fake_claude import FakeClaude
from usage import hops, llm
from usage.access.limits import limiter
from usage.accounting import remembered
from usage.models import ApiKey

# The same examples in every run, on a machine that is busy with other things too.
hypothesis.settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("suite")


flush.install()
static_files.install()
# A password is hashed a million times for whoever steals the hashes. Nobody does here, and the servers that
# tests start read such hashes like any other.
PBKDF2PasswordHasher.iterations = 1


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_keepdb: bool) -> bool:
    """Leave the database to the server that goes with it, whoever is still connected."""
    return django_db_keepdb or "TEST_DATABASE_URL" not in os.environ


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    """Start every test with nothing cached, no rate limit used, and nothing known to be away."""
    DATABASE.forget()
    REDIS.forget()
    cache.clear()
    limiter.forget()


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """Start every test without the prices and limits of the test before."""
    remembered.forget()


@pytest.fixture(autouse=True)
def no_index() -> None:
    """Start every test without the search index of the test before."""
    engine.forget()


@pytest.fixture(autouse=True)
def no_experience_with_the_provider() -> None:
    """Start every test with closed breakers and nothing learnt of the model."""
    llm.reset()


@pytest.fixture(autouse=True)
def keep_the_test_transaction(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep database work inside a test's transaction: on its thread, and without ending it."""
    monkeypatch.setattr("channels.db.close_old_connections", hops.give_connections_back)
    marker = request.node.get_closest_marker("django_db")
    if not (marker and marker.kwargs.get("transaction")):
        monkeypatch.setattr(hops, "executor", None)


@pytest.fixture
def api_key(db: None) -> tuple[ApiKey, str]:
    """A valid API key: its row and its secret."""
    return ApiKey.objects.issue(name="acme")


@pytest.fixture
def api_client(api_key: tuple[ApiKey, str]) -> APIClient:
    """A client that sends ``api_key`` with every request."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {api_key[1]}")
    return client


@pytest.fixture
def caf_authority(settings: Settings, tmp_path: Path) -> None:
    """Trust the authority that signs the folio authorisations (CAF) of ``tests.factories``."""
    from tests.factories.stamp import AUTHORITY_IDK, authority_key

    path = tmp_path / "caf_authority.pem"
    path.write_bytes(authority_key().pem())
    settings.DTE_CAF_AUTHORITY_KEYS = [f"{AUTHORITY_IDK}:{path}"]


@pytest.fixture
def fake_claude(settings: Settings) -> Iterator[FakeClaude]:
    """Anthropic's API on this machine; the service is configured to use it."""
    server = FakeClaude()
    settings.ANTHROPIC_BASE_URL, settings.ANTHROPIC_API_KEY = server.url, "sk-ant-test"
    yield server
    server.stop()
