from decimal import Decimal

import pytest
from model_bakery import baker

from tests.fake_claude import Script
from usage.models import ApiKey, BudgetWindow, UsageRecord

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

CALL = {"system": "Responde breve.", "messages": [{"role": "user", "content": "¿Qué es un CAF?"}]}


def estimate(client, **changes):
    return client.post("/api/usage/estimate", CALL | changes, format="json")


def test_an_estimate_is_an_upper_bound_and_costs_nothing(api_client, fake_claude):
    answer = estimate(api_client, max_tokens=1000).json()
    assert answer["model"] == "claude-sonnet-5-5"
    assert answer["allowed"] is True
    assert answer["counted"] is False
    assert answer["input_tokens"] > 20
    # All of the input at the dearest class, 2.50 a million, and all of the output at 10.
    bound = (answer["input_tokens"] * Decimal("2.5") + 1000 * 10) / 1_000_000
    assert Decimal(answer["max_cost_usd"]) == bound
    assert not fake_claude.requests
    assert not UsageRecord.objects.exists()
    assert not BudgetWindow.objects.exists()


def test_the_providers_own_count_can_be_asked_for(api_client, fake_claude):
    local = estimate(api_client, messages=[{"role": "user", "content": "palabra " * 500}]).json()
    counted = estimate(
        api_client, messages=[{"role": "user", "content": "palabra " * 500}], count=True
    ).json()
    assert counted["counted"] is True
    assert counted["input_tokens"] < local["input_tokens"]
    assert not fake_claude.requests


@pytest.mark.parametrize("script", [Script(status=529), Script(hang=True)])
def test_without_the_providers_count_the_local_bound_is_given(
    api_client, fake_claude, monkeypatch, script
):
    monkeypatch.setattr("usage.llm.counting.COUNT_SECONDS", 0.2)
    fake_claude.count_script = script
    answer = estimate(api_client, count=True)
    assert answer.status_code == 200
    assert answer.json()["counted"] is False


def test_an_estimate_says_why_the_call_would_be_refused(api_client, settings):
    settings.MAX_TOKENS_PER_REQUEST = 100
    answer = estimate(api_client, max_tokens=1000).json()
    assert answer["allowed"] is False
    assert "100" in answer["reason"]
    settings.MAX_TOKENS_PER_REQUEST = 100_000
    settings.BUDGET_KEY_DAY_USD = Decimal("0.000001")
    answer = estimate(api_client).json()
    assert answer["allowed"] is False
    assert "presupuesto" in answer["reason"]


@pytest.mark.parametrize(
    "changes",
    [
        {"messages": []},
        {"messages": [{"role": "user", "content": "  "}]},
        {"messages": [{"role": "assistant", "content": "Hola"}]},
        {"messages": "Hola"},
        {"max_tokens": 0},
    ],
)
def test_a_malformed_estimate_is_a_400_in_the_error_shape(api_client, changes):
    answer = estimate(api_client, **changes)
    assert answer.status_code == 400
    assert {"detail", "code", "errors"} == set(answer.json())


def test_a_caller_sees_its_own_account_and_no_other(api_client, api_key):
    other = ApiKey.objects.issue(name="other")[0]
    for key, tokens in ((api_key[0], 100), (other, 999)):
        baker.make(
            UsageRecord,
            api_key=key,
            operation="chat.reply",
            state="settled",
            outcome="answered",
            settled_at="2026-11-22T12:00:00Z",
            input_tokens=tokens,
            cache_read_tokens=300,
            total_tokens=tokens + 300,
            cost_usd=Decimal("0.000000000003"),
            price=None,
        )
    answer = api_client.get("/api/usage").json()
    assert answer["day"]["calls"] == 1
    assert answer["day"]["input_tokens"] == 100
    assert answer["day"]["cost_usd"] == "0.000000000003"
    assert answer["month"]["cache_hit_rate"] == 0.75
    assert {line["scope"] for line in answer["budgets"]} == {"key"}
    assert [line["limit_usd"] for line in answer["budgets"]] == ["10", "100"]


def test_both_need_a_key(client):
    assert client.get("/api/usage").status_code == 401
    assert client.post("/api/usage/estimate", {}, "application/json").status_code == 401
