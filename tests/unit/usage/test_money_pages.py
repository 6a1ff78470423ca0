"""Limits beside spending, prices said in words, and what other prices would have cost."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings as configured
from django.urls import reverse
from django.utils import timezone

from usage import checks
from usage.accounting.whatif import RATES, what_if
from usage.models import Account, ApiKey, Budget, BudgetWindow, DailyUsage, ModelPrice

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

MODEL = "claude-sonnet-5-5"


@pytest.fixture
def acme():
    return ApiKey.objects.issue(name="acme", account=Account.objects.create(name="Acme"))[0]


def use(key, day, **sums):
    DailyUsage.objects.create(
        api_key=key, day=day, operation="chat.reply", model=MODEL, outcome="answered", calls=1, **sums
    )  # fmt: skip


def test_limits_and_spending_are_on_one_page_with_those_of_the_settings(admin_client, acme):
    Budget.objects.create(account=acme.account, period="month", limit_usd=Decimal("25.50"))
    start = timezone.localdate().replace(day=1)
    BudgetWindow.objects.create(
        account=acme.account, period="month", starts_on=start, spent_usd=Decimal("12.75")
    )
    page = admin_client.get(reverse("admin:usage_standing")).content.decode()
    assert "Cuenta Acme" in page
    assert "25,50" in page
    assert "50 %" in page
    assert "(por omisión)" in page
    assert "Todas las claves juntas" in page


def test_a_budget_of_25_50_can_be_set_edited_and_saved_again(admin_client, acme):
    data = {"account": acme.account_id, "period": "day", "limit_usd": "25.50", "soft_percent": 80}
    assert admin_client.post(reverse("admin:usage_budget_add"), data).status_code == 302
    url = reverse("admin:usage_budget_change", args=[Budget.objects.get().pk])
    form = admin_client.get(url).context["adminform"].form
    assert form["limit_usd"].value() == "25.5"
    assert (
        admin_client.post(url, data | {"limit_usd": form["limit_usd"].value()}).status_code == 302
    )
    assert Budget.objects.get().limit_usd == Decimal("25.50")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"account": True, "api_key": True}, "Elija la cuenta o la clave"),
        ({"end_user": "ana"}, "Elija la cuenta a la que pertenece"),
        ({"account": True, "limit_usd": "-1"}, "mayor"),
        ({"account": True, "soft_percent": "0"}, "mayor"),
    ],
)
def test_every_refusal_of_a_budget_is_in_words(admin_client, acme, data, words):
    ids = {"account": acme.account_id, "api_key": acme.pk}
    given = {name: ids.get(name, value) for name, value in data.items()}
    base = {"period": "day", "limit_usd": "1", "soft_percent": "80"}
    page = admin_client.post(reverse("admin:usage_budget_add"), base | given).content.decode()
    assert words in page
    assert "restricción" not in page
    assert not Budget.objects.exists()


def test_a_price_is_refused_in_words(admin_client):
    old = ModelPrice.objects.filter(model=MODEL).latest("valid_from")
    names = [f.name for f in ModelPrice._meta.fields if f.editable and f.name != "id"]
    data = {name: getattr(old, name) for name in names if getattr(old, name) is not None}
    url = reverse("admin:usage_modelprice_add")
    page = admin_client.post(url, data).content.decode()
    assert "ya tiene un precio desde el" in page
    data |= {"valid_from": "2030-01-01", "long_input": "1"}
    page = admin_client.post(url, data).content.decode()
    assert "El tramo largo se llena entero" in page
    assert "restricción" not in page


def test_what_other_prices_would_have_cost(admin_client, acme):
    today = timezone.localdate()
    use(acme, today, input_tokens=1_000_000, output_tokens=100_000, cost_usd=Decimal("4.5"))
    use(acme, today - timedelta(days=40), input_tokens=10**9, cost_usd=Decimal(99))
    rates = dict.fromkeys(RATES, Decimal(0)) | {"input": Decimal(6), "output": Decimal(30)}
    found = what_if(MODEL, rates)
    assert (found.cost_usd, found.would_usd) == (Decimal("4.5"), Decimal(9))
    assert found.change_percent == 100
    price = ModelPrice.objects.filter(model=MODEL).first()
    url = reverse("admin:usage_modelprice_what_if", args=[price.pk])
    assert admin_client.get(url).status_code == 200
    page = admin_client.get(url, {"model": MODEL, **{k: str(v) for k, v in rates.items()}})
    assert "9,00" in page.content.decode()
    assert "+100,0 %" in page.content.decode()


def test_the_start_believes_the_table_as_the_calls_do():
    assert not [m for m in checks.check_models() if m.id == "usage.E001"]
    ModelPrice.objects.filter(model=configured.ANTHROPIC_MODEL).delete()
    assert "usage.E001" in [m.id for m in checks.check_models()]
    ModelPrice.objects.all().delete()  # nothing was seeded yet
    assert not [m for m in checks.check_models() if m.id == "usage.E001"]
