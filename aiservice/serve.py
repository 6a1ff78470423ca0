"""The server command: daphne on ``HOST`` and ``PORT``, which finishes its replies before it stops.

With ``PROCESSES`` above 1 it starts as many, which take connections from one port (processes.py).

    python -m aiservice.serve

Stock daphne answers SIGTERM by dropping every open reply and orphaning its view, so that a restart
cuts answers and leaves usage rows unsettled. This one serves on for ``STOP_DELAY_SECONDS`` while /ready
already says no, stops accepting, lets replies end, then hangs up on the rest, which they see as any lost
client: their ``finally`` blocks run. A thread that never ends, for a database that does not answer,
cannot keep the process from ending.
"""

import asyncio
import contextlib
import faulthandler
import gc
import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

if __name__ == "__main__":  # where this is imported, a reactor may be installed already
    import aiservice.loop  # noqa: F401  # first: the reactor that daphne finds

from channels.routing import get_default_application
from daphne.server import Server
from daphne.ws_protocol import WebSocketProtocol
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from twisted.internet import defer, reactor
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from aiservice import processes
from aiservice.connections import Factory, WebSocket, Wire

# The longest question with the largest context, every character of them an escaped emoji (12 bytes).
# Daphne's own limit is 1 MiB for each message held in memory.
WEBSOCKET_MESSAGE_BYTES: Final = 256 * 1024
OPTIONS: Final[dict[str, Any]] = {
    "websocket_max_message_size": WEBSOCKET_MESSAGE_BYTES,
    "websocket_max_frame_size": WEBSOCKET_MESSAGE_BYTES,
    # No access log of daphne's: it prints query strings. Ours is in aiservice.middleware.
    "action_logger": None,
    # Daphne's 5 s begin when a client connects: of hundreds that come together some would be cut off. Who
    # sends no handshake at all is seen to by aiservice.connections.
    "websocket_handshake_timeout": 30,
    # It would cut a long streamed answer. The call to the model has a timeout of its own.
    "http_timeout": None,
    "server_name": "",
    "verbosity": 0,
}
# Connections that may wait to be accepted. Twisted's 50 resets clients that arrive together.
BACKLOG: Final = 1024
# What a view may still take to settle its books after its client is gone.
HANG_UP_SECONDS: Final = 5.0
# What threads may still take after that. Python itself would wait for them without end.
EXIT_SECONDS: Final = 10.0
GOING_AWAY: Final = 1001  # RFC 6455 §7.4.1

logger = logging.getLogger(__name__)


class DrainingServer(Server):  # type: ignore[misc]  # daphne ships no types
    """Daphne with a graceful stop, and with an error for an address it cannot listen on.

    Args:
        application: The ASGI application.
        drain_seconds: How long replies under way may take to end after SIGTERM or SIGINT.
        exit_seconds: How long threads may take to end after the replies. Then the stack of each one is
            printed on standard error, and the process leaves with code 1.
        stop_delay: How long everything is served, new connections too, before replies are waited for.
        ready_callable: Called before the first request.
        announce_stop: Called at the signal, so that whoever asks learns to send nothing more.
        is_idle: Whether what goes on behind the application has ended, too.
        close: Ends it, when the time for it is over.
        ended: Called when nothing is under way any more.
        **options: Those of daphne's server.
    """

    def __init__(
        self,
        application: Any,
        *,
        drain_seconds: float,
        exit_seconds: float = EXIT_SECONDS,
        stop_delay: float = 0,
        ready_callable: Callable[[], None] | None = None,
        announce_stop: Callable[[], None] = lambda: None,
        is_idle: Callable[[], bool] = lambda: True,
        close: Callable[[], Awaitable[None]] | None = None,
        ended: Callable[[], Awaitable[None]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(application, ready_callable=self.prepare, **(OPTIONS | options))
        self.begin = ready_callable
        self.is_idle = is_idle
        self.close = close
        self.ended = ended
        self.drain_seconds = drain_seconds
        self.exit_seconds = exit_seconds
        self.stop_delay = stop_delay
        self.announce_stop = announce_stop
        self.draining = asyncio.Event()
        self.listen_failure: Failure | None = None
        self.ports: list[Any] = []
        self.flushing: list[Any] = []

    def prepare(self) -> None:
        """Bound what a WebSocket may send, wherever its connection is taken from, and begin."""
        self.ws_factory.protocol = WebSocket
        self.ws_factory.setProtocolOptions(failByDrop=False)  # a client learns why it is closed
        if self.begin is not None:
            self.begin()

    def take(self, listening: socket.socket) -> None:
        """Accept connections on a socket that another process listens on, instead of an address."""
        port = reactor.adoptStreamPort(listening.fileno(), listening.family, Factory(self))
        port.transport = Wire
        self.ports.append(port)

    def listen_success(self, port: Any) -> None:
        """Keep the port, to stop listening on it before the process ends; bound what it receives."""
        self.ports.append(port)
        port.factory = Factory(self)  # daphne's run() names its own factory and takes no other
        port.transport = Wire
        super().listen_success(port)

    def listen_error(self, failure: Failure) -> None:
        """Keep the reason: daphne would log it and leave with success."""
        self.listen_failure = failure
        self.stop()

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        """Start a request; while draining it is the last one of its kept-alive connection."""
        queue = super().create_application(protocol, scope)
        if self.draining.is_set():
            self.close_after_reply(protocol)
        return queue

    def kill_all_applications(self) -> defer.Deferred[None]:
        """Drain; the reactor calls this before it shuts down, and waits for the result."""
        return defer.Deferred.fromFuture(asyncio.ensure_future(self.drain()))

    async def drain(self) -> None:
        """Say so and serve on, then stop accepting, let replies end, and hang up on what is left."""
        signal.signal(signal.SIGINT, leave)
        self.announce_stop()
        await asyncio.sleep(self.stop_delay)
        for stopped in [port.stopListening() for port in self.ports]:
            if stopped is not None:
                await stopped.asFuture(asyncio.get_running_loop())
        self.draining.set()
        if open_replies := len(self.running()):
            logger.info(
                "draining: %d open, which may take %g s more; Ctrl-C again ends at once",
                open_replies,
                self.drain_seconds,
            )
        for protocol in self.running():
            self.close_after_reply(protocol)
        await self.wait_until_idle(self.drain_seconds, self.is_idle)
        for protocol in self.running():
            hang_up(protocol)
        if self.close is not None:
            await self.close()
        await self.wait_until_idle(HANG_UP_SECONDS)
        for task in self.running().values():
            task.cancel()
        if self.ended is not None:
            await self.ended()
        faulthandler.dump_traceback_later(self.exit_seconds, exit=True)

    def running(self) -> dict[Any, asyncio.Task[None]]:
        """Return the connections whose application has not ended."""
        tasks = {p: details.get("application_instance") for p, details in self.connections.items()}
        return {protocol: task for protocol, task in tasks.items() if task and not task.done()}

    def close_after_reply(self, protocol: Any) -> None:
        """Make an HTTP connection end with the reply under way, once that is written out."""
        if channel := getattr(protocol, "channel", None):
            channel.persistent = False
            self.flushing.append(channel.transport)

    async def wait_until_idle(
        self, seconds: float, is_idle: Callable[[], bool] = lambda: True
    ) -> None:
        """Wait until no application runs and no reply sits in a buffer, or until time is up.

        Args:
            seconds: How long at most.
            is_idle: Whether what goes on behind the applications has ended, too.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            flushing = any(transport.connected for transport in self.flushing)
            if not self.running() and not flushing and is_idle():
                return
            await asyncio.sleep(0.05)


def leave(*_: object) -> None:
    """End at once, at the second Ctrl-C; the next start settles what this leaves open."""
    os._exit(128 + signal.SIGINT)


def hang_up(protocol: Any) -> None:
    """End a connection; its application sees what it sees when a client goes away."""
    if isinstance(protocol, WebSocketProtocol):  # its client learns that it may reconnect
        protocol.sendCloseFrame(code=GOING_AWAY)
    else:
        protocol.transport.abortConnection()


def endpoint(host: str, port: int) -> str:
    """Describe a TCP address the way Twisted's endpoints want it, colons of IPv6 escaped."""
    interface = host.replace(":", chr(92) + ":")
    return f"tcp:port={port}:interface={interface}:backlog={BACKLOG}"


def serve(host: str, port: int) -> None:
    """Serve the application until SIGTERM or SIGINT.

    Args:
        host: Address to listen on; ``0.0.0.0`` for all.
        port: TCP port.

    Raises:
        SystemExit: The address cannot be listened on.
    """
    allow_open_files()
    listening = processes.inherited()
    if listening is None and settings.PROCESSES > 1:
        grace = settings.STOP_DELAY_SECONDS + settings.DRAIN_SECONDS
        grace += HANG_UP_SECONDS + EXIT_SECONDS + 1
        try:
            sys.exit(processes.supervise(settings.PROCESSES, host, port, grace))
        except OSError as exc:
            sys.exit(explain(host, port, exc))
    application = get_default_application()
    from aiservice.health import stopping  # with the applications, which are loaded only by now
    from chat.live import asking
    from usage import llm

    server = DrainingServer(
        application,
        drain_seconds=settings.DRAIN_SECONDS,
        stop_delay=settings.STOP_DELAY_SECONDS,
        announce_stop=stopping.set,
        endpoints=[endpoint(host, port)],
        ready_callable=begin,
        is_idle=asking.is_idle,
        close=asking.close,
        ended=llm.close,
    )
    if listening is not None:
        server.endpoints = []
        server.take(listening)
    server.run()
    if server.listen_failure:
        sys.exit(explain(host, port, server.listen_failure.value))


def allow_open_files() -> None:
    """Take the hard limit on open files for the soft one, as Go's runtime does.

    A stream is two sockets, its client's and the model's, and on SQLite a connection besides: with the
    soft limit of most shells and containers, 1,024, a few hundred streams would use all of it up.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError):  # macOS calls it unlimited, and lets nobody have that
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def begin() -> None:
    """Do what a server does and a management command does not, once the address is ours.

    It bounds what requests wait for, and settles what a crash left open. Imported here because both need
    the applications, which are loaded only by now.
    """
    from aiservice.database.absence import DATABASE
    from usage.accounting import upkeep

    DATABASE.serve()
    upkeep.start()
    # What was imported stays until the end. Looked through again at each full collection, it would stop
    # every stream for a third of a second.
    gc.collect()
    gc.freeze()
    processes.report_ready()


def explain(host: str, port: int, cause: BaseException | None) -> str:
    """Say in one sentence why the address cannot be used and what to do."""
    if isinstance(cause, CannotListenError):
        cause = cause.socketError
    reason = cause.strerror if isinstance(cause, OSError) else str(cause)
    return (
        f"Cannot listen on {host}:{port}: {reason}. "
        "Set HOST and PORT to a free address, for example PORT=8001."
    )


def main() -> None:
    """Serve on the address that the environment names.

    Raises:
        SystemExit: A setting cannot be used; its sentence says which one and what it takes.
    """
    try:
        serve(settings.HOST, settings.PORT)
    except ImproperlyConfigured as exc:
        sys.exit(str(exc))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aiservice.settings")
    main()
