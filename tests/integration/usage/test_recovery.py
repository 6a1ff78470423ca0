"""What a crash or an absent database leaves behind: spool, journal, sweep, upkeep."""

import os
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone
from prometheus_client import REGISTRY

from tests.integration.usage.books import CENT, LIKELY, reservation, windows
from usage.accounting import attachments, journal, ledger, process, spool, upkeep
from usage.accounting.attachments import Attachment
from usage.accounting.ledger import Settlement
from usage.accounting.sweep import sweep
from usage.models import ApiKey, BudgetWindow, IdempotentAnswer, Outcome, State, UsageRecord
from usage.tokens import TokenUsage

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def key():
    return ApiKey.objects.issue(name="acme")[0]


@pytest.fixture(autouse=True)
def state(settings, tmp_path):
    settings.STATE_DIR = tmp_path


# --- Spool ----------------------------------------------------------------------------------------


def test_a_settlement_without_database_waits_on_disk_and_is_replayed_once(key):
    call = ledger.reserve(reservation(key))
    usage = TokenUsage(1, 2, 3, 4, 5)
    settlement = Settlement(
        Outcome.CUT, usage, Decimal("0.000000000007"), usage_complete=False, error_type="connection"
    )
    spool.keep(call.id, settlement)
    assert sweep().replayed == 1
    record = UsageRecord.objects.get()
    assert (record.cost_usd, record.total_tokens) == (Decimal("0.000000000007"), 15)
    assert (record.outcome, record.usage_complete) == ("cut", False)
    assert record.settled_at == settlement.settled_at
    assert spool.waiting() == []
    spool.keep(call.id, settlement)
    assert sweep().replayed == 0
    assert set(windows(key).values()) == {(Decimal("0.000000000007"), Decimal(0))}


def test_what_was_to_be_stored_with_a_settlement_is_stored_with_its_replay(key, monkeypatch):
    stored = []
    monkeypatch.setitem(
        attachments._stores, "test", lambda pk, values, again: stored.append((pk, values, again()))
    )
    call = ledger.reserve(reservation(key))
    spool.keep(call.id, Settlement(Outcome.ANSWERED), Attachment("test", {"text": "sí"}))
    sweep()
    assert stored == [(call.id, {"text": "sí"}, False)]


def test_files_stay_while_the_database_is_away(key, monkeypatch):
    call = ledger.reserve(reservation(key))
    spool.keep(call.id, Settlement(Outcome.ANSWERED))

    def away(*args):
        raise OperationalError

    monkeypatch.setattr(ledger, "settle", away)
    upkeep.once()
    assert len(spool.waiting()) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"settlement": {}, "attachment": null}'])
def test_a_damaged_file_is_set_aside_and_does_not_hold_up_the_others(key, content):
    first, second = (ledger.reserve(reservation(key)) for _ in range(2))
    for call in (first, second):
        spool.keep(call.id, Settlement(Outcome.ANSWERED))
    min(spool.waiting()).write_text(content)
    (spool.directory() / "somebody's.json").write_text("{}")
    upkeep.once()
    assert UsageRecord.objects.filter(state=State.SETTLED).count() == 1
    assert spool.waiting() == []
    assert len(spool.damaged()) == 2
    assert REGISTRY.get_sample_value("aiservice_ledger_spool_damaged") == 2
    assert upkeep.status()["damaged"] == 2
    assert upkeep.status()["status"] == "ok"


def test_a_settlement_that_the_database_will_never_take_is_set_aside(key):
    call = ledger.reserve(reservation(key))
    spool.keep(call.id, Settlement(Outcome.ANSWERED, cost_usd=Decimal(-1)))
    sweep()
    assert len(spool.damaged()) == 1
    assert UsageRecord.objects.get().state == State.OPEN


def test_a_file_that_another_process_replayed_first_is_no_failure(key, monkeypatch):
    call = ledger.reserve(reservation(key))
    spool.keep(call.id, Settlement(Outcome.ANSWERED))
    monkeypatch.setattr(spool, "waiting", lambda: [spool.directory() / f"{uuid4()}.json"])
    assert sweep().replayed == 0


# --- Sweep ----------------------------------------------------------------------------------------

CRASH = """
import os, signal, django
django.setup()
from tests.integration.usage.books import reservation
from usage.accounting import journal, ledger
from usage.http.idempotency import claim
from usage.models import ApiKey
from usage.tokens import TokenUsage
from django.test import RequestFactory
key = ApiKey.objects.get()
claim(RequestFactory().post("/x"), key, "k1")
for number in range(40):
    call = ledger.reserve(reservation(key))
    if number % 2:
        for words in range(1, 101):
            usage = TokenUsage(1000, 0, 0, 0, words)
            journal.note(call.id, usage, received_bytes=words, message_id="m", request_id="r")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def crash(key, settings, monkeypatch):
    environment = {
        "DATABASE_URL": f"postgres://postgres@/{settings.DATABASES['default']['HOST']}/"
        f"{connection.settings_dict['NAME']}",
        "STATE_DIR": str(settings.STATE_DIR),
        "DJANGO_SETTINGS_MODULE": "aiservice.settings",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def crash():
        crashed = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, check=False)
        assert crashed.returncode == -9, crashed.stderr.decode()

    return crash


def test_after_kill_9_orphans_are_settled_at_what_was_noted_of_them(key, crash):
    mine = ledger.reserve(reservation(key))  # this process lives: not an orphan
    crash()
    assert UsageRecord.objects.filter(state=State.OPEN).count() == 41
    swept = sweep()
    assert (swept.settled, swept.open) == (40, 1)
    orphans = UsageRecord.objects.filter(outcome=Outcome.SWEPT)
    noted = Decimal("0.003")  # 1000 tokens at 2 USD and 100 at 10 USD a million
    assert set(orphans.values_list("cost_usd", "output_tokens", "usage_complete")) == {
        (noted, 100, False),
        (LIKELY, 0, False),  # nothing noted
    }
    noted_rows = orphans.filter(provider_message_id="m", provider_request_id="r")
    assert noted_rows.count() == 20
    assert windows(key)[True, "day"] == (20 * noted + 20 * LIKELY, CENT)
    assert {path.name for path in process.directory().iterdir()} <= {process.PROCESS_ID}
    ledger.settle(mine, Settlement(Outcome.ANSWERED))


def test_after_a_crash_its_idempotency_keys_are_free(key, crash):
    crash()
    assert IdempotentAnswer.objects.count() == 1
    sweep()
    assert IdempotentAnswer.objects.count() == 0


def test_a_row_that_its_own_living_process_knows_nothing_of_is_an_orphan(key):
    """Committed, and the connection broke before it was said: nobody will ever settle it."""
    lost, noted, waiting = (ledger.reserve(reservation(key)) for _ in range(3))
    journal.note(noted.id, TokenUsage(5), received_bytes=0, message_id="m", request_id="r")
    UsageRecord.objects.exclude(pk=waiting.id).update(
        started_at=timezone.now() - timedelta(minutes=2)
    )
    assert (sweep().settled, sweep().open) == (1, 2)
    record = UsageRecord.objects.get(state=State.SETTLED)
    assert (record.pk, record.cost_usd, record.outcome) == (lost.id, LIKELY, Outcome.SWEPT)
    ledger.settle(noted, Settlement(Outcome.ANSWERED))
    ledger.settle(waiting, Settlement(Outcome.ANSWERED))


def test_a_settlement_that_the_database_lost_is_made_again_from_the_journal(key):
    """As a replica does that was promoted before it had the last commits."""
    call = ledger.reserve(reservation(key))
    journal.note(call.id, TokenUsage(1000), received_bytes=0, message_id="m", request_id="r")
    ledger.settle(call, Settlement(Outcome.ANSWERED))
    long_ago = timezone.now() - timedelta(minutes=2)
    UsageRecord.objects.update(state=State.OPEN, outcome="", settled_at=None, started_at=long_ago)
    BudgetWindow.objects.update(held_usd=CENT)
    assert sweep().settled == 1
    assert UsageRecord.objects.get().cost_usd == Decimal("0.002")


def test_a_row_of_before_the_estimates_is_settled_at_its_hold(key):
    ledger.reserve(reservation(key))
    long_ago = timezone.now() - timedelta(hours=1)
    UsageRecord.objects.update(likely_usd=None, process="elsewhere", started_at=long_ago)
    assert sweep().settled == 1
    assert UsageRecord.objects.get().cost_usd == CENT


def test_a_row_of_an_unknown_host_is_an_orphan_once_nobody_can_still_be_at_it(key, capsys):
    call = ledger.reserve(reservation(key))
    UsageRecord.objects.update(process="elsewhere")
    assert sweep().settled == 0
    UsageRecord.objects.filter(pk=call.id).update(started_at=timezone.now() - timedelta(hours=1))
    call_command("sweep_calls")
    assert "Interrumpidas: 1" in capsys.readouterr().out


# --- Upkeep ---------------------------------------------------------------------------------------


def test_upkeep_survives_whatever_goes_wrong_and_says_so(key, monkeypatch, caplog):
    upkeep.once()
    beat = REGISTRY.get_sample_value("aiservice_upkeep_beat_seconds")
    assert beat == pytest.approx(timezone.now().timestamp(), abs=5)

    def broken():
        raise RecursionError

    watched = []
    monkeypatch.setattr(upkeep._upkeep, "_failing", {})  # afterwards it has failed nowhere
    monkeypatch.setitem(upkeep._upkeep._steps, "sweep", broken)
    monkeypatch.setitem(upkeep._upkeep._steps, "budgets", lambda: watched.append(1))
    upkeep.once()
    assert watched  # the other steps are done all the same
    assert upkeep.status()["failing"] == {"sweep": "RecursionError"}
    assert upkeep.status()["status"] == "ok"  # it may pass
    assert REGISTRY.get_sample_value("aiservice_upkeep_beat_seconds") == beat
    later = timezone.now() + timedelta(minutes=3)
    monkeypatch.setattr("usage.accounting.upkeep.timezone.now", lambda: later)
    assert upkeep.status()["status"] == "down"


def test_the_state_directory_may_be_missing(key, settings, tmp_path):
    settings.STATE_DIR = tmp_path / "not" / "there"
    assert sweep().replayed == 0
    assert not os.path.exists(settings.STATE_DIR)
