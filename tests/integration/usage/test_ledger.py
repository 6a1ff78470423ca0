"""Budgets, settlement, spool and sweep, on PostgreSQL."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, connections
from django.utils import timezone

from usage.accounting import budgets, ledger, spool, upkeep
from usage.accounting.ledger import Reservation, Settlement
from usage.accounting.sweep import sweep
from usage.errors import BudgetExceeded
from usage.models import (
    ApiKey,
    Budget,
    BudgetWindow,
    ModelPrice,
    Operation,
    Outcome,
    Period,
    State,
    UsageRecord,
)
from usage.tokens import TokenUsage

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

CENT = Decimal("0.01")


@pytest.fixture
def key():
    return ApiKey.objects.issue(name="acme")[0]


@pytest.fixture(autouse=True)
def state(settings, tmp_path):
    settings.STATE_DIR = tmp_path


def reservation(key, held=CENT):
    return Reservation(
        api_key_id=key.pk,
        operation=Operation.CHAT_REPLY,
        model="claude-sonnet-5-5",
        price=ModelPrice.objects.current("claude-sonnet-5-5", timezone.localdate()),
        held_usd=held,
        call_id=uuid4(),
    )


def windows(key):
    found = BudgetWindow.objects.values_list("api_key", "period", "spent_usd", "held_usd")
    return {(scope is not None, period): (spent, held) for scope, period, spent, held in found}


def test_a_reservation_is_held_in_every_window_and_settled_to_its_cost(key):
    call = ledger.reserve(reservation(key))
    assert set(windows(key).values()) == {(Decimal(0), CENT)}
    settlement = Settlement(Outcome.ANSWERED, TokenUsage(10, 0, 0, 0, 5), Decimal("0.00007"))
    assert ledger.settle(call, settlement)
    assert set(windows(key).values()) == {(Decimal("0.00007"), Decimal(0))}
    assert len(windows(key)) == 4


def test_settling_twice_charges_once(key):
    call = ledger.reserve(reservation(key))
    settlement = Settlement(Outcome.ANSWERED, cost_usd=Decimal("0.005"))
    assert ledger.settle(call, settlement)
    assert not ledger.settle(call, settlement)
    assert set(windows(key).values()) == {(Decimal("0.005"), Decimal(0))}


def test_of_200_parallel_calls_against_a_budget_for_50_exactly_50_are_granted(key, settings):
    settings.BUDGET_KEY_DAY_USD = 50 * CENT
    wanted = reservation(key)

    def attempt(_):
        try:
            ledger.reserve(wanted)
        except BudgetExceeded:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(attempt, range(200))) == 50
    assert windows(key)[True, "day"] == (0, 50 * CENT)
    assert windows(key)[False, "month"] == (0, 50 * CENT)
    assert UsageRecord.objects.count() == 50


@pytest.mark.parametrize(
    ("setting", "scope", "window"),
    [
        ("BUDGET_KEY_DAY_USD", "key", "day"),
        ("BUDGET_KEY_MONTH_USD", "key", "month"),
        ("BUDGET_GLOBAL_DAY_USD", "global", "day"),
        ("BUDGET_GLOBAL_MONTH_USD", "global", "month"),
    ],
)
def test_the_refusal_says_which_limit_and_its_numbers_are_those_of_the_admin(
    key, settings, setting, scope, window
):
    setattr(settings, setting, Decimal("0.025"))
    first = ledger.reserve(reservation(key))
    ledger.settle(first, Settlement(Outcome.ANSWERED, cost_usd=Decimal("0.004")))
    ledger.reserve(reservation(key))
    ledger.reserve(reservation(key))
    with pytest.raises(BudgetExceeded) as refusal:
        ledger.reserve(reservation(key))
    facts = refusal.value.facts
    assert (facts["scope"], facts["window"]) == (scope, window)
    spent, held = windows(key)[scope == "key", window]
    assert (Decimal(facts["used_usd"]), Decimal(facts["held_usd"])) == (spent, held)
    assert Decimal(facts["limit_usd"]) == Decimal("0.025")
    standing = [
        line
        for line in budgets.standing(key.pk, timezone.now())
        if (line["scope"], line["window"]) == (scope, window)
    ]
    assert Decimal(standing[0]["used_usd"]) == spent
    assert UsageRecord.objects.count() == 3  # the refused one left nothing behind


def test_a_budget_of_the_admin_comes_before_the_default_and_holds_at_once(key, settings):
    settings.BUDGET_KEY_DAY_USD = Decimal(0)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(reservation(key))
    budget = Budget.objects.create(api_key=key, period=Period.DAY, limit_usd=None)  # type: ignore[misc]
    ledger.reserve(reservation(key))
    Budget.objects.filter(pk=budget.pk).update(limit_usd=CENT)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(reservation(key))


def test_a_new_day_is_a_new_window(key, settings):
    settings.BUDGET_KEY_DAY_USD = CENT
    yesterday = timezone.localdate() - timedelta(days=1)
    BudgetWindow.objects.create(
        api_key=key, period=Period.DAY, starts_on=yesterday, spent_usd=Decimal(5)
    )

    ledger.reserve(reservation(key))

    today = BudgetWindow.objects.get(api_key=key, period=Period.DAY, starts_on=timezone.localdate())
    assert (today.spent_usd, today.held_usd) == (0, CENT)


@pytest.mark.parametrize(
    ("moment", "day", "month"),
    [
        # Summer time, UTC-3: 02:59 UTC is still yesterday in Santiago.
        (datetime(2026, 11, 1, 2, 59, tzinfo=UTC), date(2026, 10, 31), date(2026, 10, 1)),
        (datetime(2026, 11, 1, 3, 0, tzinfo=UTC), date(2026, 11, 1), date(2026, 11, 1)),
    ],
)
def test_windows_follow_the_calendar_of_santiago(moment, day, month):
    assert Period.DAY.start(moment) == day
    assert Period.MONTH.start(moment) == month


def test_a_call_over_midnight_is_settled_in_the_window_where_it_began(key):
    call = ledger.reserve(reservation(key))
    ledger.settle(
        call, Settlement(Outcome.ANSWERED, cost_usd=CENT, settled_at=timezone.now() + timedelta(1))
    )
    assert BudgetWindow.objects.count() == 4
    assert set(windows(key).values()) == {(CENT, Decimal(0))}


def test_the_database_itself_refuses_a_total_that_is_not_the_sum(key):
    call = ledger.reserve(reservation(key))
    with pytest.raises(Exception, match="usage_total_is_the_sum"):
        UsageRecord.objects.filter(pk=call.id).update(total_tokens=1)


def test_an_offline_answer_leaves_one_settled_row_at_no_cost(key):
    record = ledger.record_offline(key, "chat.reply")
    assert (record.state, record.outcome, record.cost_usd) == (State.SETTLED, Outcome.OFFLINE, 0)
    with pytest.raises(ValueError, match="invented"):
        ledger.record_offline(key, "invented")


def test_a_settlement_without_database_waits_on_disk_and_is_replayed_once(key):
    call = ledger.reserve(reservation(key))
    usage = TokenUsage(1, 2, 3, 4, 5)
    settlement = Settlement(
        Outcome.CUT, usage, Decimal("0.000000000007"), usage_complete=False, error_type="connection"
    )
    spool.keep(call.id, settlement)
    assert json.loads(spool.waiting()[0].read_text())["cost_usd"] == "7E-12"
    assert sweep().replayed == 1
    record = UsageRecord.objects.get()
    assert (record.cost_usd, record.total_tokens) == (Decimal("0.000000000007"), 15)
    assert (record.outcome, record.usage_complete) == ("cut", False)
    assert record.settled_at == settlement.settled_at
    assert spool.waiting() == []
    spool.keep(call.id, settlement)
    assert sweep().replayed == 0
    assert set(windows(key).values()) == {(Decimal("0.000000000007"), Decimal(0))}


def test_files_stay_while_the_database_is_away(key, monkeypatch):
    call = ledger.reserve(reservation(key))
    spool.keep(call.id, Settlement(Outcome.ANSWERED))

    def away(*args):
        raise OperationalError

    monkeypatch.setattr(ledger, "settle", away)
    upkeep.once()
    assert len(spool.waiting()) == 1


CRASH = """
import os, signal, sys, django
django.setup()
from django.conf import settings
from usage.models import ApiKey
from tests.integration.usage.test_ledger import reservation
from usage.accounting import ledger
for _ in range(40):
    ledger.reserve(reservation(ApiKey.objects.get()))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_after_kill_9_the_sweep_settles_every_orphan_at_its_bound(key, settings, monkeypatch):
    mine = ledger.reserve(reservation(key))  # this process lives: not an orphan
    environment = {
        "DATABASE_URL": f"postgres://postgres@/{settings.DATABASES['default']['HOST']}/"
        f"{connection.settings_dict['NAME']}",
        "STATE_DIR": str(settings.STATE_DIR),
        "DJANGO_SETTINGS_MODULE": "aiservice.settings",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    crashed = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, check=False)
    assert crashed.returncode == -9, crashed.stderr.decode()
    assert UsageRecord.objects.filter(state=State.OPEN).count() == 41
    swept = sweep()
    assert (swept.settled, swept.open) == (40, 1)
    orphans = UsageRecord.objects.exclude(pk=mine.id)
    assert set(orphans.values_list("state", "outcome", "usage_complete", "cost_usd")) == {
        ("settled", "swept", False, CENT)
    }
    assert windows(key)[True, "day"] == (40 * CENT, CENT)


def test_a_row_of_an_unknown_host_is_an_orphan_once_nobody_can_still_be_at_it(key, capsys):
    call = ledger.reserve(reservation(key))
    UsageRecord.objects.update(process="elsewhere")
    assert sweep().settled == 0
    UsageRecord.objects.filter(pk=call.id).update(started_at=timezone.now() - timedelta(hours=1))
    call_command("sweep_calls")
    assert "a su cota: 1" in capsys.readouterr().out


def test_upkeep_exports_the_global_budget_and_counts_those_near_their_limit(key, settings):
    from prometheus_client import REGISTRY

    settings.BUDGET_GLOBAL_DAY_USD = Decimal("0.0125")
    ledger.reserve(reservation(key))
    upkeep.once()
    sample = REGISTRY.get_sample_value
    assert sample("aiservice_budget_used_usd", {"period": "day"}) == 0.01
    assert sample("aiservice_budget_limit_usd", {"period": "day"}) == 0.0125
    assert sample("aiservice_budgets_near_limit") == 1
    assert sample("aiservice_ledger_open") == 1


def test_a_new_day_has_cost_nothing_before_its_first_call(key):
    from prometheus_client import REGISTRY

    now = timezone.now()
    ledger.reserve(reservation(key))
    budgets.watch(now)
    assert REGISTRY.get_sample_value("aiservice_budget_used_usd", {"period": "day"}) == 0.01
    budgets.watch(now + timedelta(days=1))
    assert REGISTRY.get_sample_value("aiservice_budget_used_usd", {"period": "day"}) == 0
