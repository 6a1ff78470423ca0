"""What every load script stands on: databases, the local provider, Django; all gone at the end.

The scripts measure, they do not test: run them one at a time on a calm machine, for example

    python -m tests.load.mixed_calls
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests import servers
from tests.fake_claude import FakeClaude


@contextmanager
def stage(
    database: str = "postgres", *, provider: str = "", **environment: str
) -> Iterator[FakeClaude]:
    """Start the servers, set up Django against them and migrate.

    Args:
        database: ``postgres`` or ``sqlite``.
        provider: URL of a provider that runs already; without it one runs on a thread of this process.
        **environment: Settings of this run, over those that suit a load run.
    """
    with ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="aiservice-load-", dir=servers.TEMPORARY))
        home.chmod(0o755)
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        servers.set_environment(home, live=False)
        if database == "postgres":
            os.environ["DATABASE_URL"] = servers.start_postgres(home / "postgres", stack.callback)
        os.environ["REDIS_URL"] = servers.start_redis(home / "redis", stack.callback)
        claude = FakeClaude()
        stack.callback(claude.stop)
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "aiservice.settings",
            "ANTHROPIC_BASE_URL": provider or claude.url,
            "ANTHROPIC_API_KEY": "sk-ant-load",
            "LOG_LEVEL": "CRITICAL",
            "RATE_LIMIT_PER_MINUTE": "0",
            "BUDGET_KEY_DAY_USD": "",
            "BUDGET_KEY_MONTH_USD": "",
            "BUDGET_GLOBAL_DAY_USD": "",
            "BUDGET_GLOBAL_MONTH_USD": "",
            **environment,
        }
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        yield claude


@contextmanager
def provider_process(*options: str) -> Iterator[str]:
    """Run the local provider in a process of its own, so that its CPU is not counted as ours."""
    command = [sys.executable, "-m", "tests.fake_claude", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        yield run.stdout.readline().strip()
        run.stdin.close()
        report("the provider's bill", **json.loads(run.stdout.readline()))


def report(title: str, **numbers: Any) -> None:
    """Print what was measured."""
    print(title)
    for name, value in numbers.items():
        print(f"  {name.replace('_', ' '):<44} {value}")
