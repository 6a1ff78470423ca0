"""The deployment, as far as it can be checked without an engine."""

import importlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from aiservice import settings
from tests import yaml_files

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
FILE = DEPLOY / "docker-compose.yml"
COMPOSE = yaml_files.read(FILE)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {"prepare", "service-a", "service-b", "scheduler"}
SECRET_WORDS = re.compile(r"SECRET|PASSWORD|PASS\b|API_KEY|DATABASE_URL|EMAIL_URL")
SETTINGS = (ROOT / "docs" / "settings.md").read_text().partition("\n## Tests\n")[0]
DOCUMENTED = set(re.findall(r"^\| `([A-Z_]+)` \|", SETTINGS, re.MULTILINE))
OF_THE_STACK = set(
    re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "deployment.md").read_text(), re.MULTILINE)
)


def environment(service: str) -> dict[str, Any]:
    variables: dict[str, Any] = SERVICES[service].get("environment", {})
    return variables


def test_compose_file_is_one_by_the_published_schema():
    """The Compose Specification's own schema, as check-jsonschema ships it."""
    program = str(Path(sys.executable).with_name("check-jsonschema"))
    command = [program, "--builtin-schema", "vendor.compose-spec", str(FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_has_the_whole_topology():
    assert set(SERVICES) == OURS | {
        *("proxy", "postgres", "backup"),
        *("redis-primary", "redis-replica-1", "redis-replica-2"),
        *("redis-sentinel-1", "redis-sentinel-2", "redis-sentinel-3"),
        *("redis-exporter", "sentinel-exporter", "postgres-exporter", "blackbox-exporter"),
        *("prometheus", "alertmanager", "grafana"),
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened_and_limited(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])
    assert service["networks"]
    assert service["restart"] == ("on-failure:3" if name == "prepare" else "unless-stopped")


@pytest.mark.parametrize("name", SERVICES)
def test_service_has_a_health_check_or_is_a_job(name):
    check = SERVICES[name]["healthcheck"]
    assert check.get("test") or (name == "prepare" and check == {"disable": True})


def test_traffic_depends_on_ready():
    for name in ("service-a", "service-b"):
        assert "/ready" in SERVICES[name]["healthcheck"]["test"][-1]
        assert SERVICES["proxy"]["depends_on"][name] == {"condition": "service_healthy"}
    assert "health_uri /ready" in (DEPLOY / "proxy" / "Caddyfile").read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_service_gets_secrets_as_files_only(name):
    for variable, value in environment(name).items():
        if SECRET_WORDS.search(variable):
            assert variable.endswith("_FILE"), variable
            secret = value.removeprefix("/run/secrets/")
            assert secret in SERVICES[name]["secrets"], f"{variable} names a secret it is not given"


@pytest.mark.parametrize("name", SERVICES)
def test_service_uses_declared_secrets_volumes_networks_and_dependencies(name):
    service = SERVICES[name]
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    assert set(service.get("networks", [])) <= set(COMPOSE["networks"])
    assert set(service.get("depends_on", {})) <= set(SERVICES)
    for volume in service.get("volumes", []):
        source, target, *mode = volume.split(":")
        if source.startswith("./"):
            assert (DEPLOY / source).exists()
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]
        assert target.startswith("/")


def test_secrets_are_files_which_is_all_that_read_only_services_may_have():
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
    assert "configs" not in COMPOSE


@pytest.mark.parametrize("name", SERVICES)
def test_image_is_pinned_to_a_version(name):
    image = SERVICES[name]["image"]
    if name in OURS or name == "backup":
        assert image.endswith(f":${{AISERVICE_VERSION:-{settings.VERSION}}}")
    else:
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-alpine)?$", image)


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_but_the_proxy_is_published_beyond_this_host(name):
    ports = SERVICES[name].get("ports", [])
    if name == "proxy":
        assert ports == ["80:80", "443:443"]
    else:
        assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_documented_setting_is_passed_through(name):
    """But what the image, the stack or development decides."""
    decided = {"ENVIRONMENT", "DEBUG", "STATE_DIR", "HOST", "PORT", "REDIS_URL", "ALLOW_SQLITE"}
    given = {variable.removesuffix("_FILE") for variable in environment(name)}
    assert given == DOCUMENTED - decided - {"SII_MONITOR_LOCAL"}


def test_every_variable_asked_of_the_operator_is_documented():
    asked = set(re.findall(r"\$\{(\w+)", FILE.read_text()))
    assert asked <= DOCUMENTED | OF_THE_STACK
    assert asked >= OF_THE_STACK


def test_an_anchor_that_is_replaced_keeps_what_all_must_have():
    """YAML merges replace whole values: an exporter with networks of its own must name them all."""
    data = {name for name, service in SERVICES.items() if "data" in service["networks"]}
    assert {"postgres", "backup", "prometheus", "postgres-exporter"} | OURS <= data
    assert {name for name in SERVICES if name.startswith("redis-")} <= data
    assert COMPOSE["networks"]["data"] == {"internal": True}
    assert "postgres" not in {n for n, service in SERVICES.items() if "edge" in service["networks"]}


def test_replies_may_end_before_the_container_is_killed():
    from aiservice import serve

    grace = int(SERVICES["service-a"]["stop_grace_period"].removesuffix("s"))
    delay = int(
        environment("service-a")["STOP_DELAY_SECONDS"].removeprefix("${STOP_DELAY_SECONDS:-")[:-1]
    )
    assert grace > delay + settings.DRAIN_SECONDS + serve.HANG_UP_SECONDS + serve.EXIT_SECONDS
    # A look that was under way at the signal may still say yes when it ends.
    caddyfile = (DEPLOY / "proxy" / "Caddyfile").read_text()
    looks = re.findall(r"health_(?:interval|timeout) (\d+)s", caddyfile)
    assert delay > sum(map(int, looks))
    assert int(SERVICES["proxy"]["stop_grace_period"].removesuffix("s")) > grace


def test_redis_has_three_sentinels_that_the_service_knows():
    hosts = environment("service-a")["REDIS_SENTINEL_HOSTS"].split(",")
    assert [host.partition(":")[0] for host in hosts] == [
        name for name in SERVICES if name.startswith("redis-sentinel")
    ]
    assert environment("backup")["SENTINELS"].split() == hosts
    name = environment("service-a")["REDIS_MASTER_NAME"]
    conf = (DEPLOY / "sentinel.conf").read_text()
    assert re.findall(r"^sentinel (.*)$", conf, re.MULTILINE) == [
        "resolve-hostnames yes",
        "announce-hostnames yes",
        f"monitor {name} redis-primary 6379 2",
        f"down-after-milliseconds {name} 5000",
        f"failover-timeout {name} 10000",
        f"parallel-syncs {name} 1",
    ]


def test_redis_keeps_what_it_has_and_evicts_nothing():
    script = (DEPLOY / "redis-start.sh").read_text()
    for setting in ("save 900 1 300 10 60 10000", "appendonly yes", "maxmemory-policy noeviction"):
        assert f"\n{setting}\n" in script


def test_each_redis_announces_its_own_name():
    for name in SERVICES:
        if re.match(r"redis-(primary|replica|sentinel)", name):
            assert environment(name)["ADDRESS"] == name
            assert f"{name}:/data" in SERVICES[name]["volumes"]


def test_prometheus_scrapes_what_there_is_and_loads_the_rules_that_are_mounted():
    loaded = yaml_files.read(DEPLOY / "prometheus" / "prometheus.yml")
    addresses = [
        target
        for job in loaded["scrape_configs"]
        for group in job.get("static_configs", [])
        for target in group["targets"]
    ] + [
        rule["replacement"]
        for job in loaded["scrape_configs"]
        for rule in job.get("relabel_configs", [])
        if "replacement" in rule
    ]
    known = {*SERVICES, "localhost"}
    assert {address.partition(":")[0] for address in addresses} <= known
    for name in ("service-a:8000", "service-b:8000", "scheduler:9300"):
        assert name in addresses
    mounted = [volume.split(":")[1] for volume in SERVICES["prometheus"]["volumes"]]
    assert {f"/etc/prometheus/{name}" for name in loaded["rule_files"]} <= set(mounted)


def test_state_of_the_service_survives_its_container():
    directory = re.search(r"STATE_DIR=(\S+)", (DEPLOY / "Dockerfile").read_text())
    assert directory
    for name in ("service-a", "service-b", "prepare"):
        assert SERVICES[name]["volumes"] == [f"state:{directory[1]}"]


def test_image_copies_nothing_private():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert {".*", "deploy/", "var/"} <= set(ignored)  # .env and .git, the secrets, a database
    assert "/deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.skipif(not shutil.which("caddy"), reason="caddy is not installed")
@pytest.mark.parametrize("option", ["", "email ops@example.cl"])
def test_proxy_takes_what_the_stack_gives_it_with_an_address_and_without(option):
    given = environment("proxy")
    assert given["EMAIL_OPTION"] == "${ACME_EMAIL:+email ${ACME_EMAIL}}"
    done = subprocess.run(
        ["caddy", "adapt", "--config", DEPLOY / "proxy" / "Caddyfile", "--adapter", "caddyfile"],
        env=given | {"SERVER_NAME": "dte.example.cl", "EMAIL_OPTION": option},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert ("ops@example.cl" in done.stdout) is bool(option)


def test_secrets_are_made_once_and_never_overwritten(tmp_path):
    directory = tmp_path / "secrets"

    def make() -> dict[str, str]:
        env = {"PATH": os.environ["PATH"], "SECRETS": str(directory)}
        subprocess.run(
            ["sh", DEPLOY / "make_secrets.sh"], env=env, check=True, stdout=subprocess.DEVNULL
        )
        return {path.name: path.read_text() for path in directory.iterdir()}

    made = make()
    assert set(made) == set(COMPOSE["secrets"])
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o444}
    yours = {"anthropic_api_key", "email_url", "oidc_client_secret", "budget_webhook_secret"}
    assert {name for name, value in made.items() if not value} == yours
    assert len({value for name, value in made.items() if name not in yours}) == len(made) - len(
        yours
    )
    assert made["postgres_password"] in made["database_url"]
    (directory / "redis_password").unlink()
    again = make()
    assert {name for name in made if made[name] != again[name]} == {"redis_password"}


def test_service_starts_with_secrets_as_they_are_made(tmp_path):
    """The settings take every secret of the stack, the empty ones too."""
    env = {"PATH": os.environ["PATH"], "SECRETS": str(tmp_path / "secrets")}
    subprocess.run(
        ["sh", DEPLOY / "make_secrets.sh"], env=env, check=True, stdout=subprocess.DEVNULL
    )
    given = {
        name: str(value).replace("/run/secrets", str(tmp_path / "secrets"))
        for name, value in environment("service-a").items()
        if value is not None and "${" not in str(value)
    }
    given |= {"ALLOWED_HOSTS": "dte.example.cl", "TRUSTED_PROXIES": "1", "PROCESSES": "1"}
    given |= {"CSRF_TRUSTED_ORIGINS": "https://dte.example.cl", "STATE_DIR": str(tmp_path)}
    code = "from django.conf import settings as s; print(s.ANTHROPIC_API_KEY == '', s.PRODUCTION)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "PATH": os.environ["PATH"],
            "ENVIRONMENT": "production",
            "DJANGO_SETTINGS_MODULE": "aiservice.settings",
            **given,
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["True", "True"], done.stderr


def test_dashboard_is_what_its_script_writes():
    sys.path.insert(0, str(DEPLOY / "grafana"))
    try:
        dashboard = importlib.import_module("dashboard")
    finally:
        sys.path.pop(0)
    assert dashboard.TARGET.read_text() == dashboard.text()
    loaded = json.loads(dashboard.TARGET.read_text())
    source = yaml.safe_load(
        (DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yml").read_text()
    )
    assert {panel["datasource"]["uid"] for panel in loaded["panels"]} == {
        source["datasources"][0]["uid"]
    }
    assert max(panel["gridPos"]["x"] + panel["gridPos"]["w"] for panel in loaded["panels"]) <= 24
