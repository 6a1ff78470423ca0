"""Limits of accounts and of their own users, beside those of keys and of all keys together."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connections
from django.utils import timezone
from rest_framework.test import APIClient

from tests.integration.usage.books import CENT, reservation
from usage.accounting import budgets, ledger
from usage.accounting.ledger import Settlement
from usage.accounting.payer import payer_of
from usage.errors import BudgetExceeded
from usage.models import Account, ApiKey, Budget, BudgetWindow, Outcome
from usage.models.budget import EACH

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def acme():
    return Account.objects.create(name="Acme")


@pytest.fixture
def keys(acme):
    return [ApiKey.objects.issue(name=name, account=acme)[0] for name in ("una", "otra")]


def spend(key, amount):
    call = ledger.reserve(reservation(key, held=amount))
    ledger.settle(call, Settlement(Outcome.ANSWERED, cost_usd=amount))


def test_the_keys_of_an_account_share_its_limit(acme, keys):
    Budget.objects.create(account=acme, period="day", limit_usd=3 * CENT)
    spend(keys[0], CENT)
    spend(keys[1], CENT)
    spend(keys[0], CENT)
    with pytest.raises(BudgetExceeded) as refusal:
        ledger.reserve(reservation(keys[1]))
    assert refusal.value.facts["scope"] == "account"
    assert "de su cuenta, de 0,03 USD" in str(refusal.value.detail)
    spend(ApiKey.objects.issue(name="de otra cuenta")[0], CENT)


def test_a_limit_set_during_the_month_counts_what_was_spent_before(acme, keys):
    spend(keys[0], 2 * CENT)
    Budget.objects.create(account=acme, period="month", limit_usd=3 * CENT)
    spend(keys[1], CENT)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(reservation(keys[0]))


def test_what_was_held_before_an_account_had_a_window_is_not_taken_from_it(acme, keys):
    before = ledger.reserve(reservation(keys[0]))
    Budget.objects.create(account=acme, period="day", limit_usd=Decimal(1))
    now = ledger.reserve(reservation(keys[1], held=3 * CENT))
    ledger.settle(before, Settlement(Outcome.ANSWERED, cost_usd=CENT))
    ledger.settle(now, Settlement(Outcome.ANSWERED, cost_usd=2 * CENT))
    window = BudgetWindow.objects.get(account=acme, period="day")
    assert (window.spent_usd, window.held_usd) == (3 * CENT, 0)


def test_each_end_user_has_a_limit_and_some_have_their_own(acme, keys):
    Budget.objects.create(account=acme, end_user=EACH, period="day", limit_usd=CENT)
    Budget.objects.create(account=acme, end_user="ana", period="day", limit_usd=2 * CENT)
    spend(keys[0].acting_for("ana"), CENT)
    spend(keys[1].acting_for("ana"), CENT)
    spend(keys[0].acting_for("beto"), CENT)
    for name in ("ana", "beto"):
        with pytest.raises(BudgetExceeded) as refusal:
            ledger.reserve(reservation(keys[0].acting_for(name)))
        assert refusal.value.facts["scope"] == "end_user"
    spend(keys[0], CENT)  # for nobody in particular
    spend(keys[0].acting_for("carla"), CENT)


def test_a_window_is_exact_under_a_burst(acme, keys):
    Budget.objects.create(account=acme, period="day", limit_usd=5 * CENT)

    def attempt(number):
        try:
            ledger.reserve(reservation(keys[number % 2].acting_for(f"u{number % 3}")))
        except BudgetExceeded:
            return 0
        finally:
            connections.close_all()
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(20))) == 5
    held = BudgetWindow.objects.filter(account=acme, end_user="", period="day").get().held_usd
    assert held == 5 * CENT


def test_standing_names_every_limit_on_a_call(acme, keys):
    Budget.objects.create(account=acme, period="month", limit_usd=Decimal(7))
    user = keys[0].acting_for("ana")
    lines = list(budgets.standing(payer_of(user), timezone.now()))
    scopes = [line["scope"] for line in lines]
    assert scopes == ["key", "key", "end_user", "end_user", "account", "account"] + 2 * ["global"]
    assert [line["limit_usd"] for line in lines][2:6] == [None, None, None, "7"]


def test_windows_in_use_leave_out_end_users_without_a_limit(acme, keys):
    spend(keys[0].acting_for("ana"), CENT)
    owners = {window.owner for window, _ in budgets.in_use(timezone.now())}
    assert owners == {"Todas las claves juntas", "Clave una"}
    Budget.objects.create(account=acme, end_user="ana", period="day", limit_usd=CENT)
    owners = {window.owner for window, _ in budgets.in_use(timezone.now())}
    assert "ana, de Acme" in owners


def test_an_account_reads_what_its_users_spent_and_nobody_else_s(acme, keys):
    _, secret = ApiKey.objects.issue(name="lectora", account=acme)
    Budget.objects.create(account=acme, end_user=EACH, period="month", limit_usd=Decimal(5))
    spend(keys[0].acting_for("ana"), CENT)
    spend(keys[1].acting_for("ana"), CENT)
    spend(keys[1].acting_for("beto"), 3 * CENT)
    spend(ApiKey.objects.issue(name="de otra cuenta")[0].acting_for("ana"), CENT)
    client = APIClient(headers={"Authorization": f"Bearer {secret}"})
    listed = client.get("/api/usage/end-users").json()
    shown = [(row["end_user"], row["used_usd"], row["limit_usd"]) for row in listed["results"]]
    assert shown == [("beto", "0.03", "5"), ("ana", "0.02", "5")]
    history = client.get("/api/usage/end-users", {"end_user": "ana", "window": "day"}).json()
    assert [row["used_usd"] for row in history["results"]] == ["0.02"]
    assert history["results"][0]["limit_usd"] is None
    records = client.get("/api/usage/records", {"end_user": "ana"}).json()["results"]
    assert [row["end_user"] for row in records] == ["ana", "ana"]
    past = client.get("/api/usage/end-users", {"date": "2020-01-01"}).json()
    assert past["count"] == 0
