"""The Compose file, as far as it can be checked without an engine."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.unit

DEPLOY = Path(__file__).parents[3] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = (DEPLOY.parent / ".env.example").read_text()
SECRET_WORDS = re.compile(r"SECRET|PASSWORD|API_KEY|DATABASE_URL")


def environment(service: str) -> dict[str, Any]:
    variables: dict[str, Any] = SERVICES[service].get("environment", {})
    return variables


def test_compose_has_the_whole_topology():
    assert set(SERVICES) == {
        *("prepare", "service", "postgres", "prometheus", "redis-primary"),
        *("redis-replica-1", "redis-replica-2"),
        *("redis-sentinel-1", "redis-sentinel-2", "redis-sentinel-3"),
    }


@pytest.mark.parametrize("name", SERVICES)
def test_service_has_a_health_check_or_is_a_job(name):
    check = SERVICES[name]["healthcheck"]
    assert check.get("test") or (name == "prepare" and check == {"disable": True})


@pytest.mark.parametrize("name", SERVICES)
def test_service_gets_secrets_as_files_only(name):
    for variable, value in environment(name).items():
        if SECRET_WORDS.search(variable):
            assert variable.endswith("_FILE"), variable
            secret = value.removeprefix("/run/secrets/")
            assert secret in SERVICES[name]["secrets"], f"{variable} names a secret it is not given"


@pytest.mark.parametrize("name", SERVICES)
def test_service_uses_declared_secrets_volumes_and_dependencies(name):
    service = SERVICES[name]
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    assert set(service.get("depends_on", {})) <= set(SERVICES)
    for volume in service.get("volumes", []):
        source, target, *mode = volume.split(":")
        if source.startswith("./"):
            assert (DEPLOY / source).is_file()
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]
            assert target.startswith("/")


@pytest.mark.parametrize("name", SERVICES)
def test_image_is_pinned_to_a_version(name):
    image = SERVICES[name]["image"]
    assert image == "aiservice" or re.search(r":v?\d", image)


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_published_beyond_this_host(name):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


def test_every_secret_comes_from_a_variable_of_the_example_and_has_no_default_there():
    variables = {secret["environment"] for secret in COMPOSE["secrets"].values()}
    given = dict(re.findall(r"^(\w+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert variables <= set(given)
    assert {name: given[name] for name in variables if given[name]} == {
        "DATABASE_URL": "postgres://aiservice:${POSTGRES_PASSWORD}@postgres:5432/aiservice"
    }


def test_replies_may_end_before_the_container_is_killed():
    from aiservice import serve, settings

    grace = int(SERVICES["service"]["stop_grace_period"].removesuffix("s"))
    assert grace > settings.DRAIN_SECONDS + serve.HANG_UP_SECONDS + serve.EXIT_SECONDS


def test_redis_has_three_sentinels_that_the_service_knows():
    hosts = environment("service")["REDIS_SENTINEL_HOSTS"].split(",")
    assert [host.partition(":")[0] for host in hosts] == [
        name for name in SERVICES if name.startswith("redis-sentinel")
    ]
    name = environment("service")["REDIS_MASTER_NAME"]
    conf = (DEPLOY / "sentinel.conf").read_text()
    assert f"\nsentinel monitor {name} redis-primary 6379 2\n" in conf
    milliseconds = re.search(rf"down-after-milliseconds {name} (\d+)", conf)
    assert milliseconds
    assert 1000 <= int(milliseconds[1]) <= 5000


def test_each_redis_announces_its_own_name():
    for name in SERVICES:
        if name.startswith("redis-"):
            assert environment(name)["ADDRESS"] == name
            assert f"{name}:/data" in SERVICES[name]["volumes"]


def test_state_of_the_service_survives_its_container():
    directory = re.search(r"STATE_DIR=(\S+)", (DEPLOY / "Dockerfile").read_text())
    assert directory
    assert SERVICES["service"]["volumes"] == [f"state:{directory[1]}"]
    assert SERVICES["service"]["read_only"] is True


def test_image_copies_nothing_private():
    ignored = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    assert ".*" in ignored  # .env and .git
    assert "var/" in ignored
