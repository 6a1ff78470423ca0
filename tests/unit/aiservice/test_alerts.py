"""promtool's judgement of the alerts, where it is installed."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import yaml_files
from tests.prometheus import rules
from usage.llm.breaker import WELL, Admission, Breaker, Suspended, Verdict

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "deploy" / "prometheus"
GUIDE = (ROOT / "docs" / "PROMETHEUS_ALERTING.md").read_text()
TESTS = "".join(path.read_text() for path in PROMETHEUS.glob("alerts*_test.yml"))


@pytest.mark.parametrize("name", rules())
def test_alert_says_what_it_means_and_where_more_is(name):
    rule = rules()[name]
    assert rule["labels"]["severity"] in {"none", "warning", "critical"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/PROMETHEUS_ALERTING.md#{name.lower()}"
    assert f"\n### {name}\n" in GUIDE
    row = re.search(rf"^\| \[`{name}`\]\(#{name.lower()}\) \| (\w+) \|", GUIDE, re.MULTILINE)
    assert row
    assert row[1] == rule["labels"]["severity"]


def test_guide_tells_of_no_alert_that_is_not_there():
    section = GUIDE.partition("## Metrics")[0]
    assert set(re.findall(r"^### (\w+)$", section, re.MULTILINE)) == set(rules())


@pytest.mark.parametrize("name", sorted(set(rules()) - {"Watchdog"}))
def test_alert_is_tested_firing_and_not_firing(name):
    """In what promtool runs; that nothing fires while all is well is a test of all of them."""
    checks = [
        check
        for path in PROMETHEUS.glob("alerts*_test.yml")
        for test in yaml_files.read(path)["tests"]
        for check in test.get("promql_expr_test", [])
        if f'alertname="{name}"' in check["expr"]
    ]
    fires = [check["exp_samples"] for check in checks if check["exp_samples"]]
    assert fires or f"alertname: {name}\n" in TESTS
    assert [check for check in checks if not check["exp_samples"]] or name == "ServiceDown"


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", "alerts.yml"],
        ["check", "config", "--syntax-only", "prometheus.yml"],
        ["test", "rules", "alerts_test.yml", "alerts_days_test.yml"],
    ],
    ids=" ".join,
)
def test_promtool_accepts(arguments):
    done = subprocess.run(
        ["promtool", *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


SCRAPE_SECONDS = 15
CALL_SECONDS = 3  # between two questions of users
FIRST_EVENT_SECONDS = 8  # how long a provider that accepts and says nothing is waited for


def breaker_as_scraped(away: range, seconds: int) -> list[int]:
    """Return what the metric of a real breaker says at each scrape while a provider is away."""
    now = 0.0
    breaker = Breaker("claude-sonnet-5-5", lambda: now)
    waiting: list[tuple[int, Admission]] = []
    scraped: list[int] = []
    for second in range(seconds):
        now = float(second)
        while waiting and waiting[0][0] <= second:
            waiting.pop(0)[1].ended(Verdict(False, "silent"))
        if second % CALL_SECONDS == 0:
            try:
                admission = breaker.enter()
            except Suspended:
                admission = None
            if admission is not None and second in away:
                waiting.append((second + FIRST_EVENT_SECONDS, admission))
            elif admission is not None:
                admission.ended(WELL)
        if second % SCRAPE_SECONDS == 0:
            scraped.append(breaker.condition.state.value)
    return scraped


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_a_model_that_is_away_for_long_is_reported_in_the_rhythm_of_its_probes(tmp_path):
    """Ten minutes away after two well; the alert waits for five, and ends when the probes succeed."""
    scraped = breaker_as_scraped(range(120, 720), 900)
    assert {1, 2} <= set(scraped)  # probes were under way at some scrapes
    labels = {"severity": "warning", "model": "claude-sonnet-5-5"}
    annotations = {
        "summary": "claude-sonnet-5-5 has not answered for five minutes",
        "description": "Its calls and every probe since failed. Chat and validation answer without the "
        "model meanwhile.",
        "runbook_url": "docs/PROMETHEUS_ALERTING.md#claudebreakeropen",
    }
    fires = [{"exp_labels": labels, "exp_annotations": annotations}]
    test = {
        "interval": f"{SCRAPE_SECONDS}s",
        "input_series": [
            {
                "series": 'aiservice_breaker_state{model="claude-sonnet-5-5", instance="a"}',
                "values": " ".join(map(str, scraped)),
            }
        ],
        "alert_rule_test": [
            {"alertname": "ClaudeBreakerOpen", "eval_time": when, "exp_alerts": expected}
            for when, expected in (("6m", []), ("8m", fires), ("12m", fires), ("14m", []))
        ],
    }
    file = tmp_path / "rhythm.json"  # which is YAML too
    files = [str(PROMETHEUS / "alerts.yml")]
    file.write_text(json.dumps({"rule_files": files, "tests": [test]}))
    done = subprocess.run(
        ["promtool", "test", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
