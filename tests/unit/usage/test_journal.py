import subprocess
import sys
from uuid import UUID, uuid4

import pytest

from usage.accounting import journal, process
from usage.accounting.journal import Note
from usage.tokens import TokenUsage

pytestmark = pytest.mark.unit

FIRST, SECOND = UUID(int=1), UUID(int=2)
BEGUN = TokenUsage(10, 0, 0, 500, 1)


@pytest.fixture(autouse=True)
def state(settings, tmp_path):
    settings.STATE_DIR = tmp_path


def note(call_id, received=0, usage=BEGUN):
    journal.note(call_id, usage, received_bytes=received, message_id="msg_1", request_id="req_1")


def read():
    return journal.last_notes(process.PROCESS_ID)


def test_the_last_note_of_each_call_counts():
    note(FIRST)
    note(SECOND, 7)
    note(FIRST, 99, TokenUsage(10, 0, 0, 500, 33))
    assert read() == {
        FIRST: Note(TokenUsage(10, 0, 0, 500, 33), 99, "msg_1", "req_1"),
        SECOND: Note(BEGUN, 7, "msg_1", "req_1"),
    }


def test_a_long_day_does_not_grow_the_file_and_loses_no_call_under_way():
    note(FIRST, 5)
    for _ in range(300):
        ended = uuid4()
        for received in range(40):
            note(ended, received)
        journal.forget(ended)
    size = (journal.directory() / process.PROCESS_ID).stat().st_size
    assert size < journal._LONGEST + 1000
    assert read()[FIRST].received_bytes == 5


def test_what_is_damaged_is_left_out_and_the_rest_is_read():
    note(FIRST, 5)
    with (journal.directory() / process.PROCESS_ID).open("ab") as file:
        file.write(
            b'\xff\n[]\n{"call": "x"}\n{"call": "00000000-0000-0000-0000-000000000003", "usa'
        )
    assert list(read()) == [FIRST]


def test_a_process_without_a_journal_has_no_notes():
    assert journal.last_notes("0" * 32) == {}


def test_a_full_disk_costs_the_note_and_not_the_call(monkeypatch):
    note(FIRST)
    journal._journal().close()  # every write fails from now on
    note(FIRST, 5)
    journal.forget(FIRST)
    monkeypatch.setattr(journal, "_own", None)


CRASH = """
import os, signal, django
django.setup()
from uuid import UUID
from usage.accounting import journal, process
from usage.tokens import TokenUsage
print(process.announce(), flush=True)
for received in range(1000):
    journal.note(UUID(int=1), TokenUsage(7), received_bytes=received, message_id="m", request_id="r")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_notes_survive_kill_9(settings, monkeypatch):
    monkeypatch.setenv("STATE_DIR", str(settings.STATE_DIR))
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "aiservice.settings")
    crashed = subprocess.run([sys.executable, "-c", CRASH], capture_output=True, check=False)
    assert crashed.returncode == -9, crashed.stderr.decode()
    (found,) = journal.last_notes(crashed.stdout.decode().strip()).values()
    assert (found.usage, found.received_bytes) == (TokenUsage(7), 999)
