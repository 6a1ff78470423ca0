"""What every test of the gateway needs."""

import pytest
from channels.db import database_sync_to_async as on_database

import usage.llm.sdk  # noqa: F401  # seconds on a busy machine, which would count as the provider's
from usage.models import ApiKey


@pytest.fixture(autouse=True)
def quick(settings, monkeypatch):
    monkeypatch.setattr("usage.llm.gateway._pause", lambda failure, retried: 0)
    settings.ANTHROPIC_RETRIES = 0


@pytest.fixture
async def key():
    created, _ = await on_database(ApiKey.objects.issue)(name="acme")
    return created
