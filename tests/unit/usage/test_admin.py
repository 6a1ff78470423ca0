from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from model_bakery import baker

from usage.access.keys import find_key
from usage.models import ApiKey, Budget, BudgetWindow, ModelPrice, UsageRecord

pytestmark = [pytest.mark.unit, pytest.mark.django_db]


def changelist(model):
    return reverse(f"admin:usage_{model}_changelist")


@pytest.fixture
def acme():
    return ApiKey.objects.issue(name="acme")[0]


def settled(key, **fields):
    fields.setdefault("total_tokens", sum(v for k, v in fields.items() if k.endswith("_tokens")))
    return baker.make(
        UsageRecord,
        api_key=key,
        operation="chat.reply",
        state="settled",
        outcome="answered",
        settled_at="2026-11-22T12:00:00Z",
        price=None,
        **fields,
    )


def test_a_key_made_in_the_admin_is_shown_once_and_opens_the_api(admin_client):
    response = admin_client.post(
        reverse("admin:usage_apikey_add"), {"name": "Odoo", "expires_at_0": "", "expires_at_1": ""}
    )
    assert response.status_code == 302
    page = admin_client.get(changelist("apikey")).content.decode()
    secret = page.partition("<code data-copy>")[2].partition("</code>")[0]
    assert find_key(secret).name == "Odoo"
    assert secret not in admin_client.get(changelist("apikey")).content.decode()


def test_keys_are_revoked_and_never_deleted(admin_client, acme):
    admin_client.post(changelist("apikey"), {"action": "revoke", "_selected_action": [acme.pk]})
    acme.refresh_from_db()
    assert not acme.is_active()
    assert admin_client.get(reverse("admin:usage_apikey_delete", args=[acme.pk])).status_code == 403


def test_renaming_a_key_keeps_its_secret(admin_client):
    key, secret = ApiKey.objects.issue(name="acme")
    url = reverse("admin:usage_apikey_change", args=[key.pk])
    admin_client.post(url, {"name": "Acme SpA", "expires_at_0": "", "expires_at_1": ""})
    assert find_key(secret).name == "Acme SpA"


def test_the_ledger_shows_exact_totals_of_what_is_filtered(admin_client, acme):
    settled(acme, input_tokens=10, cache_read_tokens=90, cost_usd=Decimal("0.000000000001"))
    settled(acme, output_tokens=5, cost_usd=Decimal("0.1"))
    other = ApiKey.objects.issue(name="other")[0]
    settled(other, input_tokens=7, cost_usd=Decimal("3"))
    context = admin_client.get(changelist("usagerecord"), {"api_key__id__exact": acme.pk}).context
    assert context["totals"]["cost_usd"] == Decimal("0.100000000001")
    assert context["totals"]["hit_rate"] == 90.0
    page = admin_client.get(changelist("usagerecord")).content.decode()
    assert "USD 3.100000000001" in page.replace(",", ".")


def test_numbers_are_rounded_not_cut(admin_client, acme):
    settled(acme, cost_usd=Decimal("0.00072193"), latency_ms=9460)
    page = admin_client.get(changelist("usagerecord")).content.decode()
    assert "0,000722" in page
    assert "9,5" in page


def test_amounts_are_written_as_in_chile_and_exact(admin_client, acme):
    settled(acme, input_tokens=1234567, cost_usd=Decimal("1234.500000000000"))
    page = admin_client.get(changelist("usagerecord")).content.decode()
    assert "USD 1.234,50<" in page
    assert "entrada sin caché 1.234.567" in page


def test_an_empty_ledger_has_totals_too(admin_client):
    totals = admin_client.get(changelist("usagerecord")).context["totals"]
    assert (totals["cost_usd"], totals["hit_rate"]) == (0, None)


def test_nobody_corrects_the_books_by_hand(admin_client, acme):
    record = settled(acme, input_tokens=1)
    url = reverse("admin:usage_usagerecord_change", args=[record.pk])
    assert admin_client.get(url).status_code == 200
    assert admin_client.post(url, {"cost_usd": "0"}).status_code == 403
    assert admin_client.get(reverse("admin:usage_usagerecord_add")).status_code == 403


def test_a_budget_is_set_in_dollars(admin_client, acme):
    data = {"api_key": acme.pk, "period": "day", "limit_usd": "2.5", "soft_percent": "80"}
    response = admin_client.post(reverse("admin:usage_budget_add"), data)
    assert response.status_code == 302
    assert Budget.objects.get().limit_usd == Decimal("2.5")
    assert "2,5" in admin_client.get(changelist("budget")).content.decode()
    change = reverse("admin:usage_budget_change", args=[Budget.objects.get().pk])
    assert admin_client.post(change, data | {"limit_usd": ""}).status_code == 302
    assert Budget.objects.get().limit_usd is None


def test_windows_show_what_is_used_and_held(admin_client):
    BudgetWindow.objects.create(
        period="day", starts_on=date(2026, 11, 22), spent_usd=Decimal("1.5"), held_usd=Decimal(0)
    )
    page = admin_client.get(changelist("budgetwindow")).content.decode()
    assert "Todas las claves juntas" in page
    assert "1.5" in page


def test_a_price_that_calls_were_billed_by_stays_as_it_is(admin_client, acme):
    price = ModelPrice.objects.current("claude-sonnet-5-5", date(2026, 11, 22))
    url = reverse("admin:usage_modelprice_change", args=[price.pk])
    assert "_save" in admin_client.get(url).content.decode()
    UsageRecord.objects.create(api_key=acme, operation="chat.reply", price=price)
    assert "_save" not in admin_client.get(url).content.decode()


def test_whether_a_price_was_billed_is_asked_once(admin_client, django_assert_max_num_queries):
    price = ModelPrice.objects.current("claude-sonnet-5-5", date(2026, 11, 22))
    url = reverse("admin:usage_modelprice_change", args=[price.pk])
    with django_assert_max_num_queries(5):
        assert admin_client.get(url).status_code == 200


def test_a_list_of_budgets_takes_as_many_queries_whatever_its_length(
    admin_client, django_assert_num_queries
):
    def budget(number):
        key = ApiKey.objects.issue(name=f"key {number}")[0]
        Budget.objects.create(api_key=key, period="day", limit_usd=Decimal("2.5"))

    budget(0)
    with CaptureQueriesContext(connection) as one:
        assert admin_client.get(changelist("budget")).status_code == 200
    for number in range(1, 5):
        budget(number)
    with django_assert_num_queries(len(one)):
        assert "2,50<" in admin_client.get(changelist("budget")).content.decode()


def test_keys_are_told_apart_by_whether_they_were_revoked(admin_client, acme):
    ApiKey.objects.issue(name="gone")[0].revoke()
    for state, names in (("en-uso", ["acme"]), ("revocadas", ["gone"]), ("", ["acme", "gone"])):
        page = admin_client.get(changelist("apikey"), {"estado": state} if state else {})
        assert [key.name for key in page.context["cl"].result_list] == names


def test_every_part_of_a_moment_has_a_name(admin_client):
    page = admin_client.get(reverse("admin:usage_apikey_add")).content.decode()
    assert 'aria-label="Fecha"' in page
    assert 'aria-label="Hora"' in page


@pytest.mark.parametrize("typed", ["10", "25.50", "1234567.123456"])
def test_a_budget_can_be_saved_again_as_it_is_shown(admin_client, acme, typed):
    budget = Budget.objects.create(api_key=acme, period="day", limit_usd=Decimal(typed))
    change = reverse("admin:usage_budget_change", args=[budget.pk])
    form = admin_client.get(change).context["adminform"].form
    shown = {name: form[name].value() or "" for name in form.fields}
    assert Decimal(shown["limit_usd"]) == Decimal(typed)
    assert len(shown["limit_usd"]) <= len(typed)
    assert admin_client.post(change, shown).status_code == 302


def test_a_second_budget_is_refused_in_words(admin_client, acme):
    for key, whose in ((acme.pk, "La clave acme"), ("", "El servicio (todas las claves)")):
        data = {"api_key": key, "period": "day", "limit_usd": "1", "soft_percent": "80"}
        assert admin_client.post(reverse("admin:usage_budget_add"), data).status_code == 302
        page = admin_client.post(reverse("admin:usage_budget_add"), data).content.decode()
        assert f"{whose} ya tiene un presupuesto por día: edite ese" in page
        assert "restricción" not in page
