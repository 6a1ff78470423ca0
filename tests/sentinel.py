"""The Sentinel topology of deploy/ as processes: one primary, two replicas, three sentinels."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests import servers

DEPLOY: Final = Path(__file__).parent.parent / "deploy"
HOST: Final = "127.0.0.1"
NAME: Final = "mymaster"
ONCE: Final = Retry(NoBackoff(), 0)  # redis-py would repeat a refused connection for seconds
PASSWORDS: Final = {
    "redis_password": "for-the-service",
    "redis_replication_password": "for-the-replicas",
    "redis_sentinel_password": "for-the-sentinels",
    "redis_exporter_password": "for-the-exporter",
}


class Topology:
    """Starts what docker-compose.yml starts: the same script and settings, on ports of this machine.

    Args:
        root: Directory for the data, the passwords and the logs.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.redis_ports = [servers.free_port() for _ in range(3)]
        self.sentinel_ports = [servers.free_port() for _ in range(3)]
        (root / "secrets").mkdir()
        for name, password in PASSWORDS.items():
            (root / "secrets" / name).write_text(password + "\n")
        primary = f"{HOST} {self.redis_ports[0]}"
        shared = (DEPLOY / "sentinel.conf").read_text()
        assert f"sentinel monitor {NAME} redis-primary 6379 2" in shared
        (root / "sentinel.conf").write_text(shared.replace("redis-primary 6379", primary))
        # The script finds redis-server on PATH.
        (root / "bin").mkdir()
        (root / "bin" / "redis-server").symlink_to(servers.redis_binary())

    def start(self) -> None:
        """Start all six and wait until every sentinel knows the others and both replicas follow."""
        for port in self.redis_ports:
            self.start_one(port)
        for port in self.sentinel_ports:
            self.start_one(port)
        for port in self.sentinel_ports:
            servers.wait_until(lambda: self.is_complete(port), self.processes[port])  # noqa: B023

    def start_one(self, port: int) -> None:
        """Start (or start again) the process of one port, with the data it had before."""
        data = self.root / str(port)
        data.mkdir(exist_ok=True)
        self.processes[port] = servers.start(
            ["sh", str(DEPLOY / "redis-start.sh"), self.role(port)],
            log=self.root / f"{port}.log",
            env={
                "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
                "DATA": str(data),
                "SECRETS": str(self.root / "secrets"),
                "SENTINEL_CONF": str(self.root / "sentinel.conf"),
                "PRIMARY": f"{HOST} {self.redis_ports[0]}",
                "BIND": HOST,
                "ADDRESS": HOST,
                "PORT": str(port),
            },
        )
        servers.wait_until(lambda: servers.listens(port), self.processes[port])

    def role(self, port: int) -> str:
        """Return what the process of a port starts as; later, Sentinel decides."""
        if port in self.sentinel_ports:
            return "sentinel"
        return "primary" if port == self.redis_ports[0] else "replica"

    def sentinel(self, port: int) -> redis.Redis:
        """Return a client of one sentinel."""
        return redis.Redis(HOST, port, password=PASSWORDS["redis_sentinel_password"], retry=ONCE)

    def is_complete(self, port: int) -> bool:
        """Whether this sentinel sees the other two and both replicas in sync."""
        with self.sentinel(port) as client:
            try:
                state = client.sentinel_master(NAME)
                replicas = client.sentinel_slaves(NAME)
            except redis.RedisError:
                return False
        return state["num-other-sentinels"] == 2 and [
            replica["master-link-status"] for replica in replicas
        ] == ["ok", "ok"]

    def primary_port(self) -> int:
        """Return whom the first sentinel takes for the primary."""
        with self.sentinel(self.sentinel_ports[0]) as client:
            return int(client.sentinel_get_master_addr_by_name(NAME)[1])

    def follows_another(self, port: int) -> bool:
        """Whether a node is a replica now."""
        password = PASSWORDS["redis_sentinel_password"]
        with redis.Redis(HOST, port, username="sentinel", password=password, retry=ONCE) as client:
            try:
                return bool(client.role()[0] == b"slave")
            except redis.ConnectionError:
                return False  # Sentinel drops the clients of a node whose role it changes

    def kill(self, port: int) -> None:
        """End one process without a word, as a lost machine does."""
        servers.stop(self.processes[port], signal.SIGKILL)

    def stop(self) -> None:
        """End all processes and remove their data."""
        for port in self.processes:
            self.kill(port)
        shutil.rmtree(self.root, ignore_errors=True)
