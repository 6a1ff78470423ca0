"""The admin's home says what was spent, what is left, and what is wrong."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone, translation

from usage.accounting import reports
from usage.models import ApiKey, Budget, BudgetWindow, DailyUsage, UsageRecord
from usage.money import rounded

pytestmark = [pytest.mark.unit, pytest.mark.django_db]


@pytest.fixture
def acme():
    return ApiKey.objects.issue(name="Acme & Cía")[0]


def spend(key, day, usd, **fields):
    return DailyUsage.objects.create(
        api_key=key, day=day, operation="chat.reply", model="claude-sonnet-5-5", outcome="answered",
        calls=1, cost_usd=Decimal(usd), **fields,
    )  # fmt: skip


def test_home_shows_costs_savings_and_budgets(admin_client, acme, settings):
    settings.CLP_PER_USD = Decimal("950")
    today = timezone.localdate()
    spend(acme, today, "1234.5", input_tokens=1_000, cache_read_tokens=3_000, saved_usd=Decimal(2))
    context = admin_client.get("/admin/").context
    page = admin_client.get("/admin/").content.decode()
    assert context["cards"][0] == {
        "title": "Hoy", "value": "US$ 1.234,50", "clp": "$ 1.172.775 CLP", "note": "",
    }  # fmt: skip
    assert context["cards"][3]["value"] == "US$ 2,00"
    assert context["cards"][3]["note"] == "75,0 % de la entrada se leyó de ella"
    assert "Acme &amp; Cía" in page
    assert "Todas las claves, por día" in page  # the limit of the settings, though nobody set one
    assert "de 50,00" in page


def test_a_budget_near_its_limit_is_on_the_banner(admin_client, acme):
    Budget.objects.create(api_key=acme, period="day", limit_usd=Decimal(10), soft_percent=50)
    BudgetWindow.objects.create(
        api_key=acme, period="day", starts_on=timezone.localdate(), spent_usd=Decimal(5), held_usd=Decimal(1)
    )  # fmt: skip
    banner = admin_client.get("/admin/").context["banner"]
    assert [line.partition(",")[0] for line in banner] == ["Acme & Cía"]
    assert "60 % de US$ 10,00" in banner[0]


def test_whoever_may_not_see_costs_sees_none(client, acme):
    spend(acme, timezone.localdate(), "77")
    client.force_login(User.objects.create_user("clerk", is_staff=True))
    assert "77,00" not in client.get("/admin/").content.decode()


def test_home_reads_no_row_of_the_ledger_but_the_latest(
    admin_client, acme, django_assert_max_num_queries
):
    with django_assert_max_num_queries(25) as queries:
        admin_client.get("/admin/")
    ledger = [q["sql"] for q in queries if UsageRecord._meta.db_table in q["sql"]]
    assert all("LIMIT" in sql and "COUNT(" not in sql for sql in ledger)


def test_a_steady_month_is_forecast_to_the_cent_and_an_unsteady_one_with_a_range(acme):
    today = date(2026, 11, 16)
    for ago in range(1, 29):
        spend(acme, today - timedelta(days=ago), "2")
    steady = reports.forecast(today)
    assert (steady.usd, steady.low, steady.high) == (60, 60, 60)
    spend(acme, today - timedelta(days=3), "20")
    unsteady = reports.forecast(today)
    assert unsteady.low < unsteady.usd < unsteady.high


def test_a_week_is_the_least_to_forecast_from(acme):
    spend(acme, date(2026, 11, 14), "2")
    assert reports.forecast(date(2026, 11, 16)) is None


def test_the_rest_of_many_is_one_line_and_nothing_is_lost():
    days = [date(2026, 11, 1), date(2026, 11, 2)]
    groups = [{"day": days[n % 2], "key": n, "cost_usd": Decimal(n)} for n in range(10)]
    lines = reports.series(groups, "key", days, most=3)
    assert [value for value, _ in lines] == [9, 8, 7, None]
    assert sum(sum(line) for _, line in lines) == 45


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        ("0", "0,00"),
        ("1234.567", "1.234,57"),
        ("0.0005643", "0,00056"),
        ("0.0000000001", "0,000000"),
    ],
)
def test_amounts_are_short(amount, written):
    with translation.override("es-cl"):
        assert rounded(Decimal(amount)) == written
