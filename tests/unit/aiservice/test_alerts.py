"""promtool's judgement of the alerts, where it is installed."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from usage.llm.breaker import WELL, Admission, Breaker, Suspended, Verdict

pytestmark = [
    pytest.mark.unit,
    pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed"),
]

PROMETHEUS = Path(__file__).parents[3] / "deploy" / "prometheus"


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "rules", "alerts.yml"],
        ["check", "config", "--syntax-only", "prometheus.yml"],
        ["test", "rules", "alerts_test.yml"],
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


def test_a_model_that_is_away_for_long_is_reported_in_the_rhythm_of_its_probes(tmp_path):
    """Ten minutes away after two well; the alert waits for five, and ends when the probes succeed."""
    scraped = breaker_as_scraped(range(120, 720), 900)
    assert {1, 2} <= set(scraped)  # probes were under way at some scrapes
    labels = {"severity": "warning", "model": "claude-sonnet-5-5"}
    annotations = {
        "summary": "claude-sonnet-5-5 has not answered for five minutes",
        "description": "Its calls and every probe since failed. Chat and validation answer without the "
        "model meanwhile.",
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
            {"alertname": "ModelUnavailable", "eval_time": when, "exp_alerts": expected}
            for when, expected in (("6m", []), ("8m", fires), ("12m", fires), ("14m", []))
        ],
    }
    file = tmp_path / "rhythm.json"  # which is YAML too
    rules = [str(PROMETHEUS / "alerts.yml")]
    file.write_text(json.dumps({"rule_files": rules, "tests": [test]}))
    done = subprocess.run(
        ["promtool", "test", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
