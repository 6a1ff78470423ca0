"""The whole service for a measurement: PostgreSQL, Redis, a stand-in for Claude, and the server."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import psycopg

from tests import servers
from tests.load.upstream import Pace

# Every stream holds the most that its answer can cost; hundreds at once hold more than the defaults.
BUDGETS: Final = [
    f"BUDGET_{whose}_{window}_USD" for whose in ("KEY", "GLOBAL") for window in ("DAY", "MONTH")
]


@dataclass(frozen=True)
class Stack:
    """Where everything is."""

    url: str
    upstream: str
    database: str
    secret: str
    process: subprocess.Popen[bytes]

    @property
    def headers(self) -> dict[str, str]:
        """What a client sends to be let in."""
        return {"Authorization": f"Bearer {self.secret}"}

    def memory_mb(self) -> float:
        """Return the resident memory of the server."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def cpu_seconds(self) -> float:
        """Return the processor time that the server has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def connections(self) -> dict[str, int]:
        """Return how many connections the server has to the database, by state."""
        with psycopg.connect(self.database, autocommit=True) as connection:
            rows = connection.execute(
                "SELECT state, count(*) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY state"
            ).fetchall()
        return {str(state): int(count) for state, count in rows}


@contextmanager
def running(pace: Pace, *, database: str = "postgres", **variables: str) -> Iterator[Stack]:
    """Start everything, with the shipped knowledge loaded; variables go to the service.

    ``sqlite`` is the service as ``make run`` starts it: no PostgreSQL and no Redis.
    """
    home = Path(tempfile.mkdtemp(prefix="aiservice-load-", dir=servers.TEMPORARY))
    home.chmod(0o755)
    with ExitStack() as cleanups:
        cleanups.callback(shutil.rmtree, home, ignore_errors=True)
        servers.set_environment(home, live=False)

        def add_cleanup(cleanup: Callable[[], Any]) -> None:
            cleanups.callback(cleanup)

        stores = {}
        if database == "postgres":
            stores["DATABASE_URL"] = servers.start_postgres(home / "postgres", add_cleanup)
            stores["REDIS_URL"] = servers.start_redis(home / "redis", add_cleanup)
        upstream = start_upstream(home, pace, cleanups)
        port = servers.free_port()
        environment = os.environ | {
            **stores,
            "ANTHROPIC_BASE_URL": upstream,
            "ANTHROPIC_API_KEY": "sk-local",
            "RATE_LIMIT_PER_MINUTE": "0",
            **dict.fromkeys(BUDGETS, "100000"),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            **variables,
        }
        told = servers.manage(
            environment, "migrate --verbosity 0", "load_knowledge", "create_api_key carga"
        )
        secret = told.splitlines()[-1]
        process = servers.start(
            [sys.executable, "-m", "aiservice.serve"], log=home / "service.log", env=environment
        )
        cleanups.callback(servers.stop, process, signal.SIGTERM)
        url = f"http://127.0.0.1:{port}"
        servers.wait_until(lambda: is_live(url), process)
        yield Stack(url, upstream, dsn(stores.get("DATABASE_URL", "")), secret, process)
        complaints = [line for line in (home / "service.log").read_text().splitlines() if line]
        if complaints:
            print(
                f"{len(complaints)} lines in the service's log, the last:\n{complaints[-1][:2000]}"
            )


def start_upstream(home: Path, pace: Pace, cleanups: ExitStack) -> str:
    """Start the stand-in in a process of its own."""
    port = servers.free_port()
    options = {"port": port, "delay": pace.delay, "chunks": pace.chunks, "interval": pace.interval}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    process = servers.start(
        [sys.executable, "-m", "tests.load.upstream", *arguments], log=home / "upstream.log"
    )
    cleanups.callback(servers.stop, process, signal.SIGTERM)
    servers.wait_until(lambda: servers.listens(port), process)
    return f"http://127.0.0.1:{port}"


def dsn(url: str) -> str:
    """Return the address of the test cluster as libpq reads it."""
    directory = url.partition("@/")[2].rpartition("/")[0]
    return f"host={directory} user=postgres dbname=postgres"


def is_live(url: str) -> bool:
    """Tell whether the service answers."""
    try:
        return httpx2.get(f"{url}/live", timeout=1).status_code == 200
    except httpx2.TransportError:
        return False


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
