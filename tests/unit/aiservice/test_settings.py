"""Settings are read once at import, so each case is a fresh interpreter with its own environment."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.unit.aiservice.test_settings_reference import variables

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]
STRONG = "k3y-" + "abcdefghijklmnopqrstuvwxyz0123456789" * 2
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": STRONG,
    "ALLOWED_HOSTS": "dte.example.cl",
    "DATABASE_URL": "postgres://user:pass@db:5432/aiservice",
}
PRINT = "import json; from aiservice import settings as s; print(json.dumps({}, default=str))"


def load(expression: str, tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "STATE_DIR": str(tmp_path), **env}
    return subprocess.run(
        [sys.executable, "-c", PRINT.format(expression)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def value(expression: str, tmp_path: Path, **env: str):
    done = load(expression, tmp_path, **env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"SECRET_KEY": "a" * 60}, "SECRET_KEY"),
        ({"DEBUG": "true"}, "DEBUG"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS"),
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"ENVIRONMENT": "staging"}, "ENVIRONMENT"),
    ],
)
def test_production_refuses_to_start_insecurely(tmp_path, change, complaint):
    done = load("s.DEBUG", tmp_path, **(PRODUCTION | change))

    assert done.returncode != 0
    assert "ImproperlyConfigured" in done.stderr
    assert complaint in done.stderr


def test_production_starts_when_everything_is_given(tmp_path):
    assert value("[s.DEBUG, s.ALLOWED_HOSTS]", tmp_path, **PRODUCTION) == [
        False,
        ["dte.example.cl"],
    ]


def test_unset_environment_means_production(tmp_path):
    assert load("s.DEBUG", tmp_path).returncode != 0


def test_sqlite_in_production_needs_an_explicit_word(tmp_path):
    env = PRODUCTION | {"DATABASE_URL": "", "ALLOW_SQLITE": "true"}

    assert value("s.DATABASES['default']['ENGINE']", tmp_path, **env).endswith("sqlite3")


def test_development_keeps_its_random_secret_key(tmp_path):
    first = value("s.SECRET_KEY", tmp_path, ENVIRONMENT="development")
    second = value("s.SECRET_KEY", tmp_path, ENVIRONMENT="development")

    assert first == second
    assert len(first) >= 50
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_secrets_may_come_from_files(tmp_path):
    path = tmp_path / "key"
    path.write_text(STRONG + "\n")
    env = {**PRODUCTION, "SECRET_KEY_FILE": str(path)}
    del env["SECRET_KEY"]

    assert value("s.SECRET_KEY", tmp_path, **env) == STRONG


def test_postgres_is_pooled_and_connections_are_not_kept_per_thread(tmp_path):
    config = value("s.DATABASES['default']", tmp_path, **PRODUCTION)

    assert config["OPTIONS"]["pool"]["max_size"] == 10
    assert not config.get("CONN_MAX_AGE")


def test_connections_to_sqlite_live_as_long_as_their_thread(tmp_path):
    config = value("s.DATABASES['default']", tmp_path, ENVIRONMENT="development")

    assert config["CONN_MAX_AGE"] is None


def test_cache_is_local_memory_without_redis(tmp_path):
    backend = value("s.CACHES['default']['BACKEND']", tmp_path, ENVIRONMENT="development")

    assert backend.endswith("LocMemCache")


def test_cache_follows_the_sentinels(tmp_path):
    config = value(
        "s.CACHES['default']",
        tmp_path,
        ENVIRONMENT="development",
        REDIS_SENTINEL_HOSTS="s1:26379, s2:26380,s3",
        REDIS_MASTER_NAME="aiservice",
    )

    assert config["LOCATION"] == "redis://aiservice/0"
    assert config["OPTIONS"]["SENTINELS"] == [["s1", 26379], ["s2", 26380], ["s3", 26379]]


ODD = ["?!", "-1", "nan", "a b c", "$", "redis://[", "\U0001f4a5"]
MONEY = {name for name in variables() if name.endswith(("_USD", "_COST_PER_REQUEST"))}


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Execute the settings in this process, with nothing else in the environment."""

    def execute(**variables: str) -> dict[str, object]:
        base = {"STATE_DIR": str(tmp_path), "ENVIRONMENT": "development"}
        monkeypatch.setattr(os, "environ", base | variables)
        module = runpy.run_path(str(ROOT / "aiservice" / "settings.py"))
        module["LOGGING"] = module["LOGGING"]["root"]
        return {name: value for name, value in module.items() if name.isupper()}

    return execute


def refusal(read, **variables: str) -> str:
    try:
        read(**variables)
    except ImproperlyConfigured as exc:
        return str(exc)
    return ""


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("name", sorted(variables()))
def test_any_value_of_any_variable_is_read_or_refused_by_its_name(
    read, name, text, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)  # STATE_DIR takes any of them for a folder, and makes it
    sentence = refusal(read, **{name: text})
    assert not sentence or sentence.startswith(f"{name} takes ")


@pytest.mark.parametrize("name", sorted(set(variables()) - {"STATE_DIR", "ENVIRONMENT"}))
def test_empty_value_is_the_default_and_no_limit_for_money(read, name):
    assert read(**{name: " \n"}) == read() | ({name: None} if name in MONEY else {})


@pytest.mark.parametrize(
    ("command", "ending"),
    [(["manage.py", "check"], 1), (["-m", "aiservice.serve"], 1)],
    ids=["manage.py", "serve"],
)
def test_refusal_is_one_sentence(command, ending, tmp_path):
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**PRODUCTION, "PATH": os.environ["PATH"], "STATE_DIR": str(tmp_path), "PORT": "http"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ending
    assert done.stderr == "PORT takes a whole number from 1 to 65535, not 'http'.\n"
