"""What was spent in a period, by REST and on the command line."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command

from usage.accounting import reports
from usage.models import ApiKey, DailyUsage

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

URL = "/api/usage/summary"


def spend(key, ago, usd, **fields):
    fields = {"operation": "chat.reply", "model": "claude-sonnet-5-5"} | fields
    DailyUsage.objects.create(
        api_key=key, day=reports.today() - timedelta(days=ago), outcome="answered", calls=1,
        cost_usd=Decimal(usd), input_tokens=10, cache_read_tokens=30, **fields,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("period", "cost"),
    [("today", "1.000000000001"), ("yesterday", "2"), ("last_30_days", "3.000000000001"),
     ("all_time", "7.000000000001")],
)  # fmt: skip
def test_a_key_sees_its_own_spending_of_a_period(api_client, api_key, period, cost):
    spend(api_key[0], 0, "1.000000000001")
    spend(api_key[0], 1, "2", operation="dte.review")
    spend(api_key[0], 200, "4", model="claude-haiku-5-5")
    spend(ApiKey.objects.issue(name="other")[0], 0, "100")
    answer = api_client.get(URL, {"period": period}).json()
    assert answer["totals"]["cost_usd"] == cost
    assert answer["totals"]["cache_hit_rate"] == 0.75
    for name in ("by_operation", "by_model", "by_day"):
        assert sum(Decimal(group["cost_usd"]) for group in answer[name]) == Decimal(cost)


def test_a_period_of_two_dates_includes_both(api_client, api_key):
    for ago in range(5):
        spend(api_key[0], ago, "1")
    first, last = (reports.today() - timedelta(days=ago) for ago in (3, 1))
    answer = api_client.get(URL, {"period": f"{first},{last}"}).json()
    assert answer["totals"]["calls"] == 3
    assert [group["value"] for group in answer["by_day"]] == sorted(
        group["value"] for group in answer["by_day"]
    )


@pytest.mark.parametrize(
    "period", ["ayer", "2026-11-01", "2026-11-31,2026-12-01", "2026-11-02,2026-11-01", ",", "\x00"]
)
def test_what_is_no_period_is_refused(api_client, period):
    answer = api_client.get(URL, {"period": period})
    assert answer.status_code == 400
    assert "period" in str(answer.json())


def test_the_command_adds_up_the_same(api_key):
    spend(api_key[0], 0, "1.5")
    spend(api_key[0], 0, "0.000000000001", operation="dte.review")
    for by in ("day", "operation", "model", "api_key"):
        out = io.StringIO()
        call_command("report_usage", by=by, csv=True, stdout=out)
        rows = list(csv.reader(io.StringIO(out.getvalue())))
        assert rows[-1][0] == "total"
        assert rows[-1][5] == "1.500000000001"
        assert sum(Decimal(row[5]) for row in rows[1:-1]) == Decimal(rows[-1][5])
    out = io.StringIO()
    call_command("report_usage", stdout=out)
    assert "1.500000000001" in out.getvalue()
