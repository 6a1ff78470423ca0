"""The schedule: what is due when, how it went, and what Prometheus is told."""

import os
import subprocess
import sys
import time
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command, get_commands
from prometheus_client import CollectorRegistry

from aiservice.schedule import SHIPPED, BackupCollector, Job, Runner, read

pytestmark = pytest.mark.unit


def test_shipped_schedule_names_commands_with_arguments_they_take():
    from django.core.management import load_command_class

    for job in read(SHIPPED):
        name, *arguments = job.command
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        parser.parse_args(arguments)


def test_what_must_happen_every_day_is_due_every_day():
    daily = {"erase_validations", "purge_conversations", "clearsessions", "axes_reset_logs"}
    jobs = {job.name: job.when.split() for job in read(SHIPPED)}
    assert daily | {"monitor_sii", "sweep_calls"} <= set(jobs)
    for name in daily:
        assert jobs[name][2:] == ["*", "*", "*"]


def test_hours_are_those_of_chile():
    runner = Runner(read(SHIPPED), CollectorRegistry())
    scheduler = runner.scheduler()
    (job,) = [job for job in scheduler.get_jobs() if job.name == "erase_validations"]
    noon = datetime(2026, 6, 1, 12, tzinfo=ZoneInfo("America/Santiago"))
    due = job.trigger.get_next_fire_time(None, noon)
    assert due.isoformat() == "2026-06-02T03:20:00-04:00"


@pytest.mark.parametrize("line", ["10 8 * * sweep_calls", "70 8 * * * sweep_calls"])
def test_a_line_that_is_none_is_refused(tmp_path, line):
    (tmp_path / "cron").write_text(line)
    with pytest.raises(ValueError):  # noqa: PT011  # whose words are the library's
        read(tmp_path / "cron")


def test_a_command_that_does_not_exist_is_refused(tmp_path):
    (tmp_path / "cron").write_text("10 8 * * * sweep_cals")
    with pytest.raises(CommandError, match="sweep_cals"):
        call_command("run_schedule", file=tmp_path / "cron")


def test_a_job_that_fails_is_counted_and_its_last_success_stays():
    registry = CollectorRegistry()
    well, broken = Job("* * * * *", ("check",)), Job("* * * * *", ("no_such_command",))
    runner = Runner([well, broken], registry)

    def sample(name: str, job: Job) -> float:
        found = registry.get_sample_value(f"aiservice_schedule_{name}", {"scheduled": job.name})
        assert found is not None
        return found

    started = time.time()
    assert runner.run(well)
    assert not runner.run(broken)
    assert sample("last_success_seconds", well) > started > sample("last_success_seconds", broken)
    assert (sample("failures_total", well), sample("failures_total", broken)) == (0, 1)


def test_the_newest_finished_backup_is_told_of(tmp_path):
    registry = CollectorRegistry()
    registry.register(BackupCollector(tmp_path))
    for name, age in [
        ("postgres-1.dump", 50),
        ("postgres-2.dump.age", 10),
        ("postgres-3.dump.part", 0),
    ]:
        path = tmp_path / name
        path.touch()
        os.utime(path, (1000 - age, 1000 - age))

    def newest(of: str) -> float | None:
        return registry.get_sample_value("aiservice_backup_newest_seconds", {"of": of})

    assert (newest("postgres"), newest("redis")) == (990, 0)


def test_sigterm_ends_the_scheduler():
    from tests import servers

    port = servers.free_port()
    command = [sys.executable, "manage.py", "run_schedule", "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        servers.wait_until(lambda: servers.listens(port), process)
        time.sleep(0.3)
        process.terminate()
        assert process.wait(10) == 0
