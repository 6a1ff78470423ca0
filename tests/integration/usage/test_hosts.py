"""Two hosts and one database: what is under way on one when it dies is settled by the other."""

import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tests.integration.usage.books import LIKELY, reservation
from usage.accounting import beats, ledger, process
from usage.accounting.ledger import Settlement
from usage.accounting.sweep import sweep
from usage.models import ApiKey, IdempotentAnswer, Outcome, ServingProcess, State, UsageRecord
from usage.tokens import TokenUsage

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

SILENT = 1.5

OTHER = """
import django
django.setup()
import time
from django.test import RequestFactory
from tests.integration.usage.books import reservation
from usage.accounting import beats, journal, ledger
from usage.http.idempotency import claim
from usage.models import ApiKey
from usage.tokens import TokenUsage
key = ApiKey.objects.get()
beats.beat()
claim(RequestFactory().post("/x"), key, "k1")
for number in range(10):
    call = ledger.reserve(reservation(key))
    journal.note(call.id, TokenUsage(1000), received_bytes=0, message_id="m", request_id="r")
print("reserved", flush=True)
while True:
    beats.beat()
    time.sleep(0.1)
"""


@pytest.fixture
def key():
    return ApiKey.objects.issue(name="acme")[0]


@pytest.fixture
def other(key, settings, tmp_path, monkeypatch):
    """A process of a host whose STATE_DIR this one cannot see."""
    environment = {
        "DATABASE_URL": f"postgres://postgres@/{settings.DATABASES['default']['HOST']}/"
        f"{connection.settings_dict['NAME']}",
        "STATE_DIR": str(tmp_path / "other"),
        "DJANGO_SETTINGS_MODULE": "aiservice.settings",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings.STATE_DIR = tmp_path / "this"
    monkeypatch.setattr(beats, "SILENT_SECONDS", SILENT)
    monkeypatch.setattr(beats, "watch", beats.Watch())
    with subprocess.Popen([sys.executable, "-c", OTHER], stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"reserved\n"
        yield started
        started.kill()


def sweeps(seconds):
    """Sweep again and again, as the upkeep does; return how many rows were settled."""
    end, settled = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        settled += sweep().settled
        time.sleep(0.1)
    return settled


def test_rows_of_another_host_are_settled_soon_after_its_process_dies_and_not_before(key, other):
    mine = ledger.reserve(reservation(key))
    beats.beat()
    assert sweeps(2 * SILENT) == 0
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert sweeps(2 * SILENT) == 10
    orphans = UsageRecord.objects.filter(outcome=Outcome.SWEPT)
    # Its journal is on the other host: what was likely when they were reserved.
    assert set(orphans.values_list("cost_usd", "usage_complete")) == {(LIKELY, False)}
    assert IdempotentAnswer.objects.count() == 0
    assert list(ServingProcess.objects.values_list("pk", flat=True)) == [process.PROCESS_ID]
    assert UsageRecord.objects.get(state=State.OPEN).pk == mine.id


def test_a_process_that_was_only_stopped_goes_on_and_changes_no_settled_row(key, other):
    other.send_signal(signal.SIGSTOP)
    assert sweeps(2 * SILENT) == 10
    other.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + 5
    while not ServingProcess.objects.exclude(pk=process.PROCESS_ID).exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    record = UsageRecord.objects.first()
    late = Settlement(Outcome.ANSWERED, TokenUsage(7))
    assert not ledger.settle(ledger.as_open_call(record), late).first
    record.refresh_from_db()
    assert (record.outcome, record.cost_usd) == (Outcome.SWEPT, LIKELY)


def test_a_process_that_was_stopped_in_its_beat_holds_up_nobody(transactional_db):
    ServingProcess.objects.create(pk="0" * 32, beat_at=timezone.now())
    stopped = connection.copy()
    with closing(stopped), transaction.atomic(), connection.cursor() as cursor:
        stopped.set_autocommit(False)
        stopped.cursor().execute(
            "UPDATE usage_servingprocess SET beat_at = now() WHERE id = %s", ["0" * 32]
        )
        cursor.execute("SET LOCAL lock_timeout = '1s'")
        beats.forget("0" * 32)
        assert ServingProcess.objects.exists()
    beats.forget("0" * 32)
    assert not ServingProcess.objects.exists()


def test_no_time_passes_while_nobody_looks(key, settings, tmp_path):
    """The database was away, and nobody could beat: it is no sign of anybody's death."""
    settings.STATE_DIR = tmp_path
    now = 0.0
    watch = beats.Watch(lambda: now)
    ServingProcess.objects.create(pk="0" * 32, beat_at=timezone.now())
    for pause, silent in ((30, False), (30, False), (600, False), (30, False), (30, False)):
        now += pause
        assert bool(watch.silent()) is silent
    for _ in range(3):
        now += 30
        found = watch.silent()
    assert found == ["0" * 32]
    ServingProcess.objects.update(
        beat_at=timezone.now() + timedelta(days=1)
    )  # whatever its clock says
    now += 30
    assert watch.silent() == []
