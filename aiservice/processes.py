"""Several server processes on one port: started, started again when one dies, drained together.

The parent listens and accepts nothing; each child takes connections from the parent's socket, so that a
child that dies loses only its own. It serves as if it were alone: limits, budgets and ledger are shared
through Redis and PostgreSQL, metrics through files in a directory that lives as long as the parent.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from types import FrameType
from typing import Final

import structlog
from django.conf import settings

from aiservice.logs import configure

log = structlog.get_logger(__name__)

# Tells a child which descriptor listens, and which one to write to when it serves.
LISTEN_FD: Final = "AISERVICE_LISTEN_FD"
READY_FD: Final = "AISERVICE_READY_FD"
# Ends when the parent does, however that is: a child alone would hold the port against the next start.
LIFE_FD: Final = "AISERVICE_LIFE_FD"
BACKLOG: Final = 1024
# Before a child that died is started again: one that dies at once must not keep the machine busy.
RESTART_SECONDS: Final = 1.0
LOOK_SECONDS: Final = 0.2


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address.

    Raises:
        OSError: It cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(BACKLOG)
    listening.setblocking(False)  # for the children, one of whom takes what several were woken for
    return listening


def inherited() -> socket.socket | None:
    """Return the socket that the parent listens on; None in a process that is alone."""
    descriptor = os.environ.get(LISTEN_FD)
    return None if descriptor is None else socket.socket(fileno=int(descriptor))


def report_ready() -> None:
    """Tell the parent that this child serves, and drain when the parent is gone."""
    if (descriptor := os.environ.pop(READY_FD, None)) is not None:
        os.write(int(descriptor), b"ready")
        os.close(int(descriptor))
        life = int(os.environ[LIFE_FD])
        threading.Thread(target=_outlive_no_parent, args=(life,), daemon=True).start()


def _outlive_no_parent(life: int) -> None:
    os.read(life, 1)  # nothing is ever written
    os.kill(os.getpid(), signal.SIGTERM)


class Child:
    """One server process.

    Args:
        listening: The socket it takes connections from.
        life: The descriptor that ends with the parent.
        environment: Its variables.
    """

    def __init__(self, listening: socket.socket, life: int, environment: Mapping[str, str]) -> None:
        self._ready, told = os.pipe()
        os.set_blocking(self._ready, False)
        self.serves = False
        self.process = subprocess.Popen(
            [sys.executable, "-m", "aiservice.serve"],
            env={
                **environment,
                LISTEN_FD: str(listening.fileno()),
                READY_FD: str(told),
                LIFE_FD: str(life),
            },
            pass_fds=(listening.fileno(), told, life),
        )
        os.close(told)

    def look(self) -> int | None:
        """Note whether it serves by now; return its exit code once it has ended."""
        if not self.serves:
            with contextlib.suppress(BlockingIOError):
                self.serves = os.read(self._ready, 16) == b"ready"
        return self.process.poll()

    def forget(self) -> None:
        """Close what belongs to a child that has ended."""
        os.close(self._ready)


class Supervisor:
    """The parent.

    Args:
        count: How many children serve.
        listening: Their socket.
        grace_seconds: How long they may take to end after a signal, before they are killed.
    """

    def __init__(self, count: int, listening: socket.socket, grace_seconds: float) -> None:
        self._count = count
        self._listening = listening
        self._grace_seconds = grace_seconds
        self._children: list[Child] = []
        self._life, self._held = os.pipe()
        self._signals: list[int] = []
        self._woken = threading.Event()

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; return the exit code.

        A child that ends before it has ever served ends all, unless another serves: it has said why,
        and would again.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._take_signal)
        with tempfile.TemporaryDirectory(prefix="aiservice-metrics-") as metrics:
            environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": metrics}
            self._children = [
                Child(self._listening, self._life, environment) for _ in range(self._count)
            ]
            code = 0
            while not self._signals and not code:
                self._woken.wait(LOOK_SECONDS)
                code = self._replace_the_dead(environment, metrics)
            return self._end() or code

    def _take_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signals and number == signal.SIGINT:  # the second Ctrl-C; the children got it too
            for child in self._children:
                child.process.kill()
        self._signals.append(number)
        self._woken.set()

    def _replace_the_dead(self, environment: Mapping[str, str], metrics: str) -> int:
        for index, child in enumerate(self._children):
            code = child.look()
            if code is None:
                continue
            if not child.serves and not self._another_serves(child):
                return code or 1
            log.error("process_died", pid=child.process.pid, code=code)
            forget_gauges(child.process.pid, metrics)
            child.forget()
            time.sleep(RESTART_SECONDS)
            self._children[index] = Child(self._listening, self._life, environment)
        return 0

    def _another_serves(self, child: Child) -> bool:
        return any(
            other.look() is None and other.serves for other in self._children if other is not child
        )

    def _end(self) -> int:
        """Drain all at once; return the first exit code that is not zero."""
        self._listening.close()
        for child in self._children:
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._grace_seconds
        codes = []
        for child in self._children:
            try:
                code = child.process.wait(max(0.1, deadline - time.monotonic()))
                # One that had only just been started did not know yet how to end in order.
                codes.append(code if child.serves or code != -signal.SIGTERM else 0)
            except subprocess.TimeoutExpired:
                child.process.kill()
                codes.append(child.process.wait())
        return next((code for code in codes if code), 0)


def forget_gauges(pid: int, directory: str) -> None:
    """Take what a dead process measured of itself out of the sum; its counters stay."""
    for name in os.listdir(directory):
        if name.startswith("gauge_live") and name.endswith(f"_{pid}.db"):
            os.unlink(os.path.join(directory, name))


def supervise(count: int, host: str, port: int, grace_seconds: float) -> int:
    """Serve one port from so many processes; return the exit code.

    Raises:
        OSError: The address cannot be listened on.
    """
    configure(settings.LOGGING)
    return Supervisor(count, listen(host, port), grace_seconds).run()
