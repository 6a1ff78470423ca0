"""The commands that are due every day or hour: when, how they went, and what Prometheus is told of them."""

import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.cron import CronTrigger
from django.conf import settings
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

log = structlog.get_logger(__name__)

SHIPPED: Final = Path(__file__).with_name("schedule.cron")
LATE_SECONDS: Final = 6 * 3600  # how late a job may begin, after a machine that slept
LONGEST_SECONDS: Final = 4 * 3600


@dataclass(frozen=True, slots=True)
class Job:
    """A line of the schedule."""

    when: str  # five fields of crontab(5), in TIME_ZONE
    command: tuple[str, ...]  # of manage.py

    @property
    def name(self) -> str:
        """The command without its arguments."""
        return self.command[0]


def read(path: Path) -> list[Job]:
    """Read a schedule.

    Raises:
        ValueError: A line is not a crontab line, or names a time that there is not.
        OSError: There is no such file.
    """
    jobs = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        *when, command = line.split(maxsplit=5)
        if len(when) != 5:
            raise ValueError(f"{path}: not a line of a crontab: {line}")
        CronTrigger.from_crontab(" ".join(when))
        jobs.append(Job(" ".join(when), tuple(shlex.split(command))))
    return jobs


class BackupCollector(Collector):
    """``aiservice_backup_newest_seconds``: the newest file of each kind, by its name.

    Args:
        directory: Where deploy/backup.sh leaves ``postgres-….dump`` and ``redis-….rdb``.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Look into the directory."""
        family = GaugeMetricFamily(
            "aiservice_backup_newest_seconds",
            "When the newest backup was finished, in seconds since 1970; 0 without any.",
            labels=["of"],
        )
        for of in ("postgres", "redis"):
            found = [path.stat().st_mtime for path in self._directory.glob(f"{of}-*[!.part]")]
            family.add_metric([of], max(found, default=0.0))
        yield family


class Runner:
    """Runs jobs one at a time, each in a process of its own.

    Args:
        jobs: What is due.
        registry: Where its figures go.
    """

    def __init__(self, jobs: list[Job], registry: CollectorRegistry) -> None:
        self.jobs = jobs
        self._running: subprocess.Popen[bytes] | None = None
        self._success = Gauge(
            "aiservice_schedule_last_success_seconds",
            "When a job last went well, in seconds since 1970; at first, when the scheduler started.",
            ["scheduled"],
            registry=registry,
        )
        self._failures = Counter(
            "aiservice_schedule_failures_total",
            "Runs that failed.",
            ["scheduled"],
            registry=registry,
        )
        for job in jobs:
            self._success.labels(job.name).set_to_current_time()
            self._failures.labels(job.name)

    def run(self, job: Job) -> bool:
        """Run a job to its end; return whether it went well."""
        started = time.monotonic()
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *job.command]
        self._running = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603
        try:
            code = self._running.wait(LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            self._running.kill()
            code = self._running.wait()
        finally:
            self._running = None
        seconds = round(time.monotonic() - started, 1)
        if code:
            self._failures.labels(job.name).inc()
            log.error("scheduled_job_failed", job=job.name, code=code, seconds=seconds)
            return False
        self._success.labels(job.name).set_to_current_time()
        log.info("scheduled_job_done", job=job.name, seconds=seconds)
        return True

    def scheduler(self) -> BlockingScheduler:
        """Return a scheduler with every job in it; it runs when it is started."""
        scheduler = BlockingScheduler(
            timezone=settings.TIME_ZONE,
            executors={"default": {"type": "threadpool", "max_workers": 1}},
            job_defaults={"coalesce": True, "misfire_grace_time": LATE_SECONDS},
        )
        for job in self.jobs:
            trigger = CronTrigger.from_crontab(job.when, timezone=settings.TIME_ZONE)
            scheduler.add_job(self.run, trigger, [job], name=job.name)
        return scheduler

    def stop(self) -> None:
        """Ask the job that is running to end."""
        if (running := self._running) is not None:
            running.terminate()
