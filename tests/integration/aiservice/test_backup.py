"""Backups that restore: dump, destroy, restore, and everything is as it was."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from tests import servers
from tests.fake_claude import FakeClaude
from tests.integration.conftest import services
from tests.postgres import Postgres

pytestmark = [pytest.mark.integration, pytest.mark.slow]

DOCUMENTS = Path(__file__).parents[3] / "knowledge" / "documents"
SCRIPTS = Path(__file__).parents[3] / "deploy" / "backup"


class Database:
    """A PostgreSQL that can be lost, and what the scripts need to reach it."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.home, self.stack = home, stack
        self.backups = home / "backups"
        self.backups.mkdir()
        (home / "secrets").mkdir()
        self.create()

    def create(self) -> None:
        self.postgres = Postgres(self.home / "postgres")
        self.stack.callback(self.postgres.stop)

    def destroy(self) -> None:
        self.postgres.stop()
        shutil.rmtree(self.postgres.data)

    def run(
        self, script: str, *arguments: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        env = {
            "PATH": f"{self.postgres.binaries}:{os.environ['PATH']}",
            "PGHOST": str(self.postgres.data),
            "PGUSER": "postgres",
            "PGDATABASE": "postgres",
            "BACKUPS": str(self.backups),
            "SECRETS": str(self.home / "secrets"),
            **variables,
        }
        command = ["bash", str(SCRIPTS / script), *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

    def contents(self) -> list[str]:
        """Return every row of every table, in an order of its own."""
        done = subprocess.run(
            [self.postgres.binaries / "pg_dump", "--data-only", "--inserts", "--rows-per-insert=1"],
            env={"PGHOST": str(self.postgres.data), "PGUSER": "postgres", "PGDATABASE": "postgres"},
            capture_output=True,
            text=True,
            check=True,
        )
        return sorted(line for line in done.stdout.splitlines() if not line.startswith("\\"))


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    """With keys, knowledge, conversations and a ledger that a service has written."""
    home = Path(tempfile.mkdtemp(dir=servers.TEMPORARY))
    home.chmod(0o755)  # PostgreSQL runs as another user
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        database = Database(home, stack)
        env = os.environ | {"DATABASE_URL": database.postgres.url}
        (home / "documents").mkdir()
        for document in sorted(DOCUMENTS.glob("folios-*.md")):
            shutil.copy(document, home / "documents")
        told = servers.manage(
            env,
            "migrate --verbosity 0",
            f"load_knowledge --path {home}/documents",
            "create_api_key respaldo",
        )
        secret = told.splitlines()[-1]
        claude = FakeClaude()
        stack.callback(claude.stop)
        with services(home) as start:
            service = start(
                DATABASE_URL=database.postgres.url,
                ANTHROPIC_BASE_URL=claude.url,
                ANTHROPIC_API_KEY="sk-ant-test",
            )
            headers = {"Authorization": f"Bearer {secret}"}
            with httpx2.Client(base_url=service.url, headers=headers, timeout=30) as client:
                for number in range(3):
                    body = {"session_id": f"s{number}", "message": "¿Cómo anulo una factura?"}
                    client.post("/api/chat/message", json=body).raise_for_status()
        yield database


@pytest.mark.parametrize("encrypted", [False, True])
def test_what_is_destroyed_is_restored(database, tmp_path, encrypted):
    variables: dict[str, str] = {}
    if encrypted:
        if not shutil.which("age"):
            pytest.skip("age is not installed")
        key = tmp_path / "age.key"
        subprocess.run(["age-keygen", "--output", key], check=True, capture_output=True)
        recipient = subprocess.run(
            ["age-keygen", "-y", key], check=True, capture_output=True, text=True
        ).stdout.strip()
        variables = {"BACKUP_RECIPIENT": recipient, "IDENTITY": str(key)}
    before = database.contents()
    text = "\n".join(before)
    for table in ("usage_usagerecord", "usage_budgetwindow", "knowledge_document", "chat_message"):
        assert f"INSERT INTO public.{table} " in text
    done = database.run("backup.sh", "now", **variables)
    assert done.returncode == 0, done.stderr
    (file,) = sorted(
        database.backups.glob("postgres-*.dump.age" if encrypted else "postgres-*.dump")
    )
    assert (b"PGDMP" in file.read_bytes()[:5]) is not encrypted
    database.destroy()
    database.create()
    assert not database.contents() or "usage_usagerecord" not in "\n".join(database.contents())
    done = database.run("restore.sh", str(file), **variables)
    assert done.returncode == 0, done.stderr
    assert database.contents() == before
    # And over what is there: a restore replaces it.
    done = database.run("restore.sh", str(file), **variables)
    assert done.returncode == 0, done.stderr
    assert database.contents() == before


def test_a_database_that_is_away_leaves_no_file_and_removes_none(database, tmp_path):
    old = tmp_path / "postgres-2020-01-01T000000.dump"
    old.touch()
    os.utime(old, (0, 0))
    variables = {"BACKUPS": str(tmp_path), "PGHOST": str(tmp_path)}
    done = database.run("backup.sh", "now", **variables)
    assert done.returncode == 1
    assert "FAILED" in done.stderr
    assert [path for path in tmp_path.glob("postgres-*") if not path.name.endswith(".part")] == [
        old
    ]


def test_old_files_are_removed_after_a_new_one_was_made(database, tmp_path):
    old = tmp_path / "postgres-2020-01-01T000000.dump"
    old.touch()
    os.utime(old, (0, 0))
    done = database.run("backup.sh", "now", BACKUPS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    (made,) = tmp_path.iterdir()
    assert made != old


def test_a_file_of_something_else_is_not_restored(database, tmp_path):
    (tmp_path / "other.dump").write_text("?")
    assert database.run("restore.sh", str(tmp_path / "other.dump")).returncode == 2
