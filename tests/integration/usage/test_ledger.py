"""Budgets, settlement, spool and sweep, on PostgreSQL."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.integration.usage.books import CENT, reservation, windows
from usage.accounting import budgets, ledger, remembered, upkeep, warnings
from usage.accounting.ledger import Settlement
from usage.accounting.payer import payer_of
from usage.errors import BudgetExceeded
from usage.models import (
    ApiKey,
    Budget,
    BudgetWindow,
    Operation,
    Outcome,
    Period,
    State,
    UsageRecord,
)
from usage.tokens import TokenUsage

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def key():
    return ApiKey.objects.issue(name="acme")[0]


@pytest.fixture(autouse=True)
def state(settings, tmp_path):
    settings.STATE_DIR = tmp_path


def test_a_reservation_is_held_in_every_window_and_settled_to_its_cost(key):
    call = ledger.reserve(reservation(key))
    assert set(windows(key).values()) == {(Decimal(0), CENT)}
    settlement = Settlement(Outcome.ANSWERED, TokenUsage(10, 0, 0, 0, 5), Decimal("0.00007"))
    assert ledger.settle(call, settlement).first
    assert set(windows(key).values()) == {(Decimal("0.00007"), Decimal(0))}
    assert len(windows(key)) == 4


def test_the_database_is_waited_for_twice_before_a_call_and_twice_after_it(key, monkeypatch):
    settlement = Settlement(Outcome.ANSWERED, cost_usd=Decimal("0.005"))
    ledger.settle(ledger.reserve(reservation(key)), settlement)  # windows made, statements prepared
    again, waits = reservation(key), []
    wait = psycopg.Connection.wait

    def counted(steps):
        try:
            ready = next(steps)  # what needs no answer of the server ends here
            waits.append(steps)
            while True:
                ready = steps.send((yield ready))
        except StopIteration as end:
            return end.value

    def waiting(self, steps, *args):
        return wait(self, counted(steps), *args)

    monkeypatch.setattr(psycopg.Connection, "wait", waiting)
    call = ledger.reserve(again)
    assert len(waits) == 2
    ledger.settle(call, settlement)
    assert len(waits) == 4


def test_settling_twice_charges_once(key):
    call = ledger.reserve(reservation(key))
    settlement = Settlement(Outcome.ANSWERED, cost_usd=Decimal("0.005"))
    assert ledger.settle(call, settlement).first
    assert not ledger.settle(call, settlement).first
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
    facts, detail = refusal.value.facts, str(refusal.value.detail)
    assert (facts["scope"], facts["window"]) == (scope, window)
    assert facts["requested_usd"] == "0.01"
    assert "0,01 USD" in detail
    ends = datetime.fromisoformat(facts["window_ends"])
    assert ends == Period(window).end(timezone.now())
    assert f"{ends:%d-%m-%Y} a las 00:00" in detail
    spent, _ = windows(key)[scope == "key", window]
    if scope == "key":
        assert (facts["used_usd"], facts["held_usd"], facts["limit_usd"]) == (
            "0.004",
            "0.02",
            "0.025",
        )
        assert "de 0,025 USD" in detail
        assert "0,004 gastados y 0,02 reservados" in detail
    else:  # what other keys spent is nobody's business
        assert not {"used_usd", "held_usd", "limit_usd"} & set(facts)
    assert refusal.value.only_held
    standing = [
        line
        for line in budgets.standing(payer_of(key), timezone.now())
        if (line["scope"], line["window"]) == (scope, window)
    ]
    assert Decimal(standing[0]["used_usd"]) == spent
    assert UsageRecord.objects.count() == 3  # the refused one left nothing behind


def test_what_is_spent_is_not_worth_a_wait_and_what_is_held_is(key, settings):
    settings.BUDGET_KEY_DAY_USD = Decimal("0.025")
    first = ledger.reserve(reservation(key))
    ledger.reserve(reservation(key))
    with pytest.raises(BudgetExceeded) as refusal:
        ledger.reserve(reservation(key))
    assert refusal.value.only_held
    ledger.settle(first, Settlement(Outcome.ANSWERED, cost_usd=Decimal("0.016")))
    with pytest.raises(BudgetExceeded) as refusal:
        ledger.reserve(reservation(key))
    assert not refusal.value.only_held


def test_no_amount_is_told_with_an_exponent(key, settings):
    settings.BUDGET_KEY_DAY_USD = Decimal("0E-12")
    with pytest.raises(BudgetExceeded) as refusal:
        ledger.reserve(reservation(key))
    facts = refusal.value.facts
    assert (facts["limit_usd"], facts["used_usd"], facts["held_usd"]) == ("0", "0", "0")
    ledger.reserve(reservation(key, held=Decimal("0E-12")))
    told = json.dumps([*budgets.standing(payer_of(key), timezone.now())])
    assert "E-" not in told


def test_a_reservation_takes_two_statements_and_so_does_a_settlement(key):
    ledger.reserve(reservation(key))  # makes the windows of the day
    wanted = reservation(key)
    with CaptureQueriesContext(connection) as reserved:
        call = ledger.reserve(wanted)
    assert [query["sql"].split()[0] for query in reserved] == ["BEGIN", "INSERT", "WITH", "COMMIT"]
    with CaptureQueriesContext(connection) as settled:
        ledger.settle(call, Settlement(Outcome.ANSWERED, cost_usd=CENT / 2))
    assert [query["sql"].split()[0] for query in settled] == ["BEGIN", "UPDATE", "WITH", "COMMIT"]


def test_parallel_calls_of_many_keys_leave_windows_equal_to_the_rows(key, settings):
    """The first calls of a day make the windows, all at once, and nobody waits in a circle."""
    settings.BUDGET_GLOBAL_DAY_USD = 60 * CENT
    keys = [key, *(ApiKey.objects.issue(name=f"k{number}")[0] for number in range(7))]

    def one(number):
        try:
            call = ledger.reserve(reservation(keys[number % len(keys)]))
            ledger.settle(call, Settlement(Outcome.ANSWERED, cost_usd=CENT / 4))
        except BudgetExceeded:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(16) as pool:
        granted = sum(pool.map(one, range(400)))
    assert 60 <= granted <= 237  # 4 * 60 without the last that could not hold a whole cent
    assert UsageRecord.objects.count() == granted
    everything = granted * CENT / 4
    of_all = BudgetWindow.objects.filter(api_key=None)
    assert {(row.spent_usd, row.held_usd) for row in of_all} == {(everything, 0)}
    for period in Period:
        of_keys = BudgetWindow.objects.filter(period=period).exclude(api_key=None)
        assert sum(row.spent_usd for row in of_keys) == everything


def test_a_budget_lowered_by_another_process_holds_within_two_seconds(key, monkeypatch):
    budget = Budget.objects.create(api_key=key, period=Period.DAY, limit_usd=None)  # type: ignore[misc]
    ledger.reserve(reservation(key))
    Budget.objects.filter(pk=budget.pk).update(limit_usd=CENT)  # no signal, as from elsewhere
    later = time.monotonic() + remembered.SECONDS
    monkeypatch.setattr(remembered, "clock", lambda: later)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(reservation(key))


def test_a_budget_of_the_admin_comes_before_the_default_and_holds_at_once(key, settings):
    settings.BUDGET_KEY_DAY_USD = Decimal(0)
    with pytest.raises(BudgetExceeded):
        ledger.reserve(reservation(key))
    budget = Budget.objects.create(api_key=key, period=Period.DAY, limit_usd=None)  # type: ignore[misc]
    ledger.reserve(reservation(key))
    budget.limit_usd = CENT
    budget.save()
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
    record = ledger.record_offline(key, Operation.CHAT_REPLY)
    assert (record.state, record.outcome, record.cost_usd) == (State.SETTLED, Outcome.OFFLINE, 0)


def test_upkeep_exports_the_global_budget_and_counts_those_near_their_limit(key, settings):
    from prometheus_client import REGISTRY

    settings.BUDGET_GLOBAL_DAY_USD = Decimal("0.0125")
    ledger.reserve(reservation(key))
    upkeep.once()
    sample = REGISTRY.get_sample_value
    assert sample("aiservice_budget_held_usd", {"period": "day"}) == 0.01
    assert sample("aiservice_budget_limit_usd", {"period": "day"}) == 0.0125
    assert sample("aiservice_budgets_near_limit") == 1
    assert sample("aiservice_ledger_open") == 1


def near_calls(scope: str) -> float:
    from prometheus_client import REGISTRY

    labels = {"scope": scope, "period": "day"}
    found = REGISTRY.get_sample_value("aiservice_budget_near_calls_total", labels)
    assert found is not None  # from the start, or Prometheus would not see it rise
    return found


def test_a_reservation_past_the_soft_threshold_is_counted_though_little_is_spent(key, settings):
    settings.BUDGET_KEY_DAY_USD = Decimal("0.0225")
    before, others = near_calls("key"), near_calls("global")
    first = ledger.reserve(reservation(key))
    assert near_calls("key") == before
    second = ledger.reserve(reservation(key))  # 0.02 held of 0.0225
    assert near_calls("key") == before + 1
    for call in (first, second):
        ledger.settle(call, ledger.Settlement(Outcome.ANSWERED, cost_usd=Decimal("0.001")))
    ledger.reserve(reservation(key))
    assert near_calls("key") == before + 1
    assert near_calls("global") == others


def test_a_new_day_has_cost_nothing_before_its_first_call(key):
    from prometheus_client import REGISTRY

    now = timezone.now()
    ledger.reserve(reservation(key))
    warnings.watch(now)
    assert REGISTRY.get_sample_value("aiservice_budget_held_usd", {"period": "day"}) == 0.01
    warnings.watch(now + timedelta(days=1))
    assert REGISTRY.get_sample_value("aiservice_budget_held_usd", {"period": "day"}) == 0
