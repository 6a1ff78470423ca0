"""Processes that begin where their imports end: for tests that start the service, over a hundred of them.

Most of a start, one or two of three seconds of processor time, is the import of packages. A process that
has done so once forks for each start: what it forks has its own id, session, environment and log, and runs
a module as ``python -m`` does. Settings and our own modules are imported after the fork.
"""

import contextlib
import faulthandler
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Final

from tests import servers

# What the service imports and takes long, and what neither reads settings nor starts a thread or a loop.
PRELOADED: Final = (
    "anthropic",
    "aiohttp",
    "autobahn.wamp.message",
    "autobahn.websocket.protocol",
    "channels.layers",
    "cryptography.x509",
    "django.contrib.admin.sites",
    "django.core.handlers.asgi",
    "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base",
    "django.test",
    "drf_spectacular.types",
    "jsonschema",
    "jwt",
    "lxml.etree",
    "markdown",
    "nh3",
    "numpy",
    "prometheus_client",
    "psycopg_pool",
    "rapidfuzz.process",
    "redis.asyncio",
    "requests",
    "rest_framework.serializers",
    "snowballstemmer",
    "stdnum.cl",
    "structlog",
    "twisted.internet.asyncioreactor",
    "twisted.internet.endpoints",
    "twisted.protocols.tls",
    "twisted.web.http",
    "uvloop",
    "yaml",
)


def start(module: str, *, log: Path, env: dict[str, str]) -> "Forked":
    """Run a module in a process of its own, as ``python -m`` would.

    Args:
        module: Its name.
        log: File that takes both output streams.
        env: The environment, all of it; variables that Python reads at its start come too late.
    """
    return zygote().start(module, log, env)


def stop() -> None:
    """End the process that forks, if one was started, and what is left of its children."""
    if zygote.cache_info().currsize:
        zygote().stop()
        zygote.cache_clear()


@cache
def zygote() -> "Zygote":
    """Start the process that forks, with the first that is forked."""
    return Zygote(Path(tempfile.mkdtemp(dir=os.environ["STATE_DIR"])))


class Zygote:
    """The process that forks; it and all that it forked end with this one.

    Args:
        ended: Directory for a file for each child that has ended, with its exit code.
    """

    def __init__(self, ended: Path) -> None:
        self._ended = ended
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.zygote", str(ended)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        self._lock = threading.Lock()

    def start(self, module: str, log: Path, env: dict[str, str]) -> "Forked":
        """Fork for a module."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            print(json.dumps([module, str(log), env]), file=self._process.stdin, flush=True)
            pid = int(self._process.stdout.readline())
        return Forked([module], pid, self._ended / str(pid))

    def stop(self) -> None:
        """End it, and with it what is left of its children."""
        self._process.communicate()


class Forked:
    """A process that was forked, by the methods of `subprocess.Popen`."""

    def __init__(self, args: list[str], pid: int, ended: Path) -> None:
        self.args = args
        self.pid = pid
        self._code: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        """Return its exit code; that of a signal is negative."""
        if self._code is None:
            with contextlib.suppress(FileNotFoundError):
                self._code = int(self._ended.read_text())
                self._ended.unlink()
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: It goes on.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            time.sleep(0.01)
        return code

    def send_signal(self, sig: int) -> None:
        """Signal it, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)


def main(ended: str) -> None:
    """Fork for each order that comes, and become what it asks for."""
    gc.disable()
    for name in PRELOADED:
        importlib.import_module(name)
    gc.enable()
    gc.freeze()

    def bury(signum: int, frame: FrameType | None) -> None:
        for pid, code in dead():
            (Path(ended) / f"{pid}.new").write_text(str(code))
            (Path(ended) / f"{pid}.new").rename(Path(ended) / str(pid))

    signal.signal(signal.SIGCHLD, bury)
    for order in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            become(*json.loads(order))
            return
        print(pid, flush=True)


def dead() -> Iterator[tuple[int, int]]:
    """Yield the children that have ended, with their exit codes."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            yield pid, os.waitstatus_to_exitcode(status)


def become(module: str, log: str, env: dict[str, str]) -> None:
    """Be a process that was just started, and run a module."""
    os.setsid()
    if sys.platform == "linux":
        servers.die_with_parent(signal.SIGKILL)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, target)
    for descriptor in (nothing, output):
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(env)
    if env.get("PYTHONFAULTHANDLER"):
        faulthandler.enable()
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1])
