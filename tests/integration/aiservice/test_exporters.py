"""PostgreSQL's exporter, configured as deployed: it tells what alerts and the dashboard ask of it.

Redis' are in test_sentinel.py, beside the servers that they ask.
"""

import os
import re
import shutil
import signal
from pathlib import Path

import httpx2
import pytest

from tests import prometheus, servers, yaml_files

PROGRAM = shutil.which("prometheus-postgres-exporter") or ""
COMPOSE = yaml_files.read(prometheus.DEPLOY / "docker-compose.yml")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not PROGRAM, reason="prometheus-postgres-exporter is not installed"),
]


def test_it_tells_what_is_asked_of_postgresql(tmp_path: Path):
    server, _, database = os.environ["DATABASE_URL"].removeprefix("postgres://").rpartition("/")
    user, _, socket = server.partition("@/")
    (tmp_path / "postgres_password").write_text("unused\n")
    given = {
        name: value.replace("/run/secrets", str(tmp_path))
        for name, value in COMPOSE["services"]["postgres-exporter"]["environment"].items()
    }
    assert given["DATA_SOURCE_URI"] == "postgres:5432/aiservice?sslmode=disable"
    given |= {"DATA_SOURCE_URI": f":5432/{database}?sslmode=disable&host={socket}"}
    port = servers.free_port()
    process = servers.start(
        [PROGRAM, f"--web.listen-address=127.0.0.1:{port}"],
        log=tmp_path / "exporter.log",
        env=given | {"DATA_SOURCE_USER": user},
    )
    try:
        servers.wait_until(lambda: servers.listens(port), process)
        told = httpx2.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    finally:
        servers.stop(process, signal.SIGKILL)
    assert "\npg_up 1\n" in told, (tmp_path / "exporter.log").read_text()
    names = set(re.findall(r"^(pg_\w+)[ {]", told, re.MULTILINE))
    asked_for = {name for name in prometheus.asked_for() if name.startswith("pg_")}
    assert asked_for
    assert asked_for <= names
    # The dashboard shows sizes by this label.
    assert f'\npg_database_size_bytes{{datname="{database}"' in told
