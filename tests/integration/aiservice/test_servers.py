"""The servers of the suite itself are the real ones."""

import os
import subprocess
import sys
from pathlib import Path

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


ROOT = Path(__file__).parents[3]
LIVE = """
import os
import pytest

@pytest.mark.live
def test_live():
    assert os.environ["ANTHROPIC_API_KEY"] == "sk-ant-of-the-developer"
    assert "ANTHROPIC_BASE_URL" not in os.environ

def test_plain():
    assert "production" not in os.environ["DATABASE_URL"] + os.environ["REDIS_URL"]
    assert "DEBUG" not in os.environ
"""


# What a run of its own must not see: this one's provider, and that this is the worker of another.
OURS = ("ANTHROPIC", "PYTEST_XDIST")
# Nothing but what is tested, for the other plugins take seconds to load.
INI = """
[pytest]
addopts = -p tests.servers --strict-markers
markers = live: calls the real Anthropic API
"""


def run_pytest(tmp_path: Path, *arguments: str, **variables: str) -> str:
    """Run LIVE in a pytest of its own, on this run's servers, from a shell full of settings."""
    (tmp_path / "test_live.py").write_text(LIVE)
    (tmp_path / "pytest.ini").write_text(INI)
    shell = {
        "TEST_DATABASE_URL": os.environ["DATABASE_URL"],
        "TEST_REDIS_URL": os.environ["REDIS_URL"],
        "DATABASE_URL": "postgres://production/db",
        "REDIS_URL": "redis://production",
        "DEBUG": "true",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    options = ["-m", "pytest", "-c", str(tmp_path / "pytest.ini"), "-q", "-rs"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
    done = subprocess.run(
        [sys.executable, *options, tmp_path / "test_live.py", *arguments],
        cwd=ROOT,
        env=environment | shell | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_live_tests_are_skipped_unless_asked_for(tmp_path):
    output = run_pytest(tmp_path, ANTHROPIC_API_KEY="sk-ant-of-the-developer")
    assert "needs --integration" in output
    assert "1 passed, 1 skipped" in output


def test_live_tests_are_skipped_without_a_key(tmp_path):
    output = run_pytest(tmp_path, "--integration")
    assert "needs ANTHROPIC_API_KEY" in output
    assert "1 passed, 1 skipped" in output


def test_live_tests_run_with_the_developers_key(tmp_path):
    variables = {"ANTHROPIC_API_KEY": "sk-ant-of-the-developer"}
    assert "2 passed" in run_pytest(tmp_path, "--integration", **variables)


def test_directories_of_killed_runs_are_removed(tmp_path, monkeypatch):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    monkeypatch.setattr(servers, "TEMPORARY", str(tmp_path))
    dead = tmp_path / f"{servers.PREFIX}{ended.pid}-x"
    running = tmp_path / f"{servers.PREFIX}{os.getpid()}-x"
    foreign = tmp_path / f"{servers.PREFIX}somebody-else"
    for directory in (dead, running, foreign):
        directory.mkdir()
    servers.remove_dead_runs()
    assert sorted(tmp_path.iterdir()) == sorted([running, foreign])
