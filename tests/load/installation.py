"""The real topology for breaking it: PostgreSQL, Redis with Sentinel, a provider over HTTP, the service."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import httpx2
import psycopg

from tests import servers
from tests.fake_claude import FakeClaude
from tests.load.traffic import Traffic
from tests.postgres import Postgres
from tests.sentinel import HOST, NAME, PASSWORDS, Topology

LIMIT: Final = 30  # a minute, of the caller that insists
BURST: Final = 10


@dataclass
class Installation:
    """Everything that runs, each part to be broken."""

    postgres: Postgres
    topology: Topology
    claude: FakeClaude
    home: Path
    environment: dict[str, str]
    secrets: list[str]
    process: Any = None
    url: str = ""

    def start(self, **variables: str) -> None:
        """Start the service, and wait until it is ready."""
        port = servers.free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = servers.start(
            [sys.executable, "-m", "aiservice.serve"],
            log=self.home / "service.log",
            env=self.environment | {"HOST": "127.0.0.1", "PORT": str(port)} | variables,
        )
        try:
            servers.wait_until(lambda: is_ready(self.url), self.process)
        except RuntimeError as exc:
            last = (self.home / "service.log").read_text().splitlines()[-20:]
            raise RuntimeError("\n".join([str(exc), *last])) from None

    def stop(self) -> int:
        """Stop the service as an orchestrator does."""
        return servers.stop(self.process, signal.SIGTERM, 40)

    def warm_up(self) -> None:
        """Let the first calls load what a new process has not read yet."""
        with self.traffic():
            time.sleep(4)

    def ledger(self, query: str) -> Any:
        """Return the first value of a query."""
        dsn = f"host={self.postgres.data} user=postgres dbname=postgres"
        with psycopg.connect(dsn, autocommit=True) as connection:
            row = connection.execute(query).fetchone()
        return row[0] if row else None

    def spent_usd(self) -> Decimal:
        """Return what the ledger says that all calls cost."""
        return Decimal(
            self.ledger("SELECT coalesce(sum(cost_picousd), 0) / 1e12 FROM usage_usagerecord")
        )

    def open_rows(self) -> int:
        return int(self.ledger("SELECT count(*) FROM usage_usagerecord WHERE state = 'open'"))

    def client(self, key: int = 0, timeout: float = 30) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {self.secrets[key]}"}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=timeout)

    def traffic(self, per_second: float = 25) -> Traffic:
        return Traffic(self.url, self.secrets, per_second)


def is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/ready", timeout=2).status_code == 200
    except httpx2.TransportError:
        return False


@contextmanager
def installation(home: Path) -> Iterator[Installation]:
    with ExitStack() as cleanups:
        servers.set_environment(home, live=False)
        postgres = Postgres(home / "postgres")
        cleanups.callback(postgres.stop)
        (home / "sentinel").mkdir()
        topology = Topology(home / "sentinel")
        cleanups.callback(topology.stop)
        topology.start()
        claude = FakeClaude()
        cleanups.callback(claude.stop)
        environment = os.environ | {
            "DATABASE_URL": postgres.url,
            "REDIS_SENTINEL_HOSTS": ",".join(f"{HOST}:{port}" for port in topology.sentinel_ports),
            "REDIS_MASTER_NAME": NAME,
            "REDIS_USERNAME": "aiservice",
            "REDIS_PASSWORD": PASSWORDS["redis_password"],
            "REDIS_SENTINEL_PASSWORD": PASSWORDS["redis_sentinel_password"],
            "ANTHROPIC_BASE_URL": claude.url,
            "ANTHROPIC_API_KEY": "sk-ant-chaos",
            "RATE_LIMIT_PER_MINUTE": "100000",
            "RATE_LIMIT_BURST": "10000",
            "RATE_LIMIT_BATCH": f"{LIMIT}/{BURST}",
            **{
                f"BUDGET_{whose}_{window}_USD": ""
                for whose in ("KEY", "GLOBAL")
                for window in ("DAY", "MONTH")
            },
        }
        keys = [f"create_api_key chaos-{number}" for number in range(6)]
        told = servers.manage(environment, "migrate --verbosity 0", "load_knowledge", *keys)
        secrets = [line for line in told.splitlines() if line.startswith("ai_")]
        found = Installation(postgres, topology, claude, home, environment, secrets)
        found.start()
        cleanups.callback(lambda: found.stop() if found.process.poll() is None else None)
        yield found
