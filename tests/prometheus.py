"""The alerts as shipped, and a real Prometheus that judges a running service by them, faster."""

import copy
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
import yaml

from tests import servers, yaml_files

DEPLOY: Final = Path(__file__).parent.parent / "deploy"
ALERTS: Final = DEPLOY / "prometheus" / "alerts.yml"
INSTALLED: Final = shutil.which("prometheus") is not None
# Words of PromQL that look like metric names.
_LANGUAGE: Final = {
    "absent",
    "and",
    "by",
    "count",
    "group",
    "histogram_quantile",
    "increase",
    "max",
    "min",
    "min_over_time",
    "on",
    "or",
    "rate",
    "sum",
    "time",
    "unless",
    "up",
    "vector",
}
_DURATION: Final = re.compile(r"\[(\d+)([smhd])\]")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def rules() -> dict[str, dict[str, Any]]:
    """Return every alert by its name."""
    groups = yaml_files.read(ALERTS)["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def metrics_of(expression: str) -> set[str]:
    """Return the metric names of a PromQL expression."""
    bare = re.sub(r"\{.*?\}|\[[\w$]+\]|\b(by|on) ?\(.*?\)", "", expression)
    return set(re.findall(r"[a-z_][a-z0-9_]+", bare)) - _LANGUAGE


def asked_for() -> set[str]:
    """Return every metric that an alert or the dashboard names."""
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "aiservice.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    expressions = [rule["expr"] for rule in rules().values()] + queries
    return {name for expression in expressions for name in metrics_of(expression)}


def hurried(factor: float) -> str:
    """Return the shipped rules with every range and every `for` so many times shorter."""

    def shorter(number: str, unit: str) -> str:
        return f"{max(2, round(int(number) * _SECONDS[unit] / factor))}s"

    loaded = copy.deepcopy(yaml_files.read(ALERTS))
    for group in loaded["groups"]:
        for rule in group["rules"]:
            rule["expr"] = _DURATION.sub(lambda m: f"[{shorter(*m.groups())}]", rule["expr"])
            if "for" in rule:
                rule["for"] = shorter(rule["for"][:-1], rule["for"][-1])
    return yaml.safe_dump(loaded)


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire now."""
        alerts = httpx2.get(f"{self.url}/api/v1/alerts").json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def value(self, expression: str) -> float | None:
        """Return the one sample of an expression, None where there is none."""
        answer = httpx2.get(f"{self.url}/api/v1/query", params={"query": expression}).json()
        result = answer["data"]["result"]
        return float(result[0]["value"][1]) if result else None


@contextmanager
def watching(home: Path, target: str, *, factor: float) -> Iterator[Prometheus]:
    """Scrape a service every half second, and judge it by the shipped rules, hurried."""
    (home / "alerts.yml").write_text(hurried(factor))
    configuration = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [{"job_name": "aiservice", "static_configs": [{"targets": [target]}]}],
    }
    (home / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    port = servers.free_port()
    process = servers.start(
        [
            "prometheus",
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        log=home / "prometheus.log",
    )
    try:
        url = f"http://127.0.0.1:{port}"
        servers.wait_until(lambda: servers.listens(port) and _is_ready(url), process)
        yield Prometheus(url)
    finally:
        process.kill()
        process.wait()


def _is_ready(url: str) -> bool:
    return httpx2.get(f"{url}/-/ready").status_code == 200
