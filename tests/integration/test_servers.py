"""The servers of the suite itself are the real ones."""

import os

import pytest
from django.core.cache import cache
from django.db import connection
from django_redis import get_redis_connection

from tests import servers

pytestmark = pytest.mark.integration


@pytest.mark.django_db
def test_database_is_postgresql():
    with connection.cursor() as cursor:
        cursor.execute("select version()")
        assert cursor.fetchone()[0].startswith("PostgreSQL")


def test_cache_is_redis():
    cache.set("key", "value")
    assert get_redis_connection("default").info("server")["redis_version"]


def test_cache_was_emptied_between_tests():
    assert cache.get("key") is None


def test_environment_reaches_no_paid_api():
    assert os.environ["ANTHROPIC_BASE_URL"] == servers.NOWHERE
    assert "ANTHROPIC_API_KEY" not in os.environ
