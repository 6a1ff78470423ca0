"""What is known of a server that the service depends on: here or away, and since when.

Whoever finds that it does not answer says so once; until it answers again nobody else waits for it, and
one thread of this process asks, several times a second.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from django.utils import timezone

log = structlog.get_logger(__name__)

RETRY_SECONDS: Final = 0.2  # between two questions to a server that is away
PATIENCE_SECONDS: Final = 0.8  # for the answer to one question, before the asker goes on without it


@dataclass(frozen=True, slots=True)
class State:
    """The last that was heard of a dependency.

    Attributes:
        up: None before the first answer.
        since: When that began.
        latency_ms: Of the last answer; None while it is away.
        error: The exception's class while it is away.
    """

    up: bool | None = None
    since: datetime | None = None
    latency_ms: float | None = None
    error: str = ""


class Dependency:
    """One server, asked by one thread at a time, its answer for all who wait for it.

    Args:
        name: For the log.
        probe: Asks the server, within bounds of its own; raises whatever says that it is away.
    """

    def __init__(self, name: str, probe: Callable[[], None]) -> None:
        self.name = name
        self._probe = probe
        self._news = threading.Condition()
        self._state = State()
        self._answers = 0
        self._wanted = False
        self._thread: threading.Thread | None = None

    @property
    def away(self) -> bool:
        """Whether it is known not to answer."""
        return self._state.up is False

    @property
    def state(self) -> State:
        """The last that was heard."""
        return self._state

    def ask(self) -> int:
        """Have the server asked soon; return the number of the answer to wait for."""
        with self._news:
            self._wanted = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()
            self._news.notify_all()
            return self._answers + 1

    def check(self, seconds: float = PATIENCE_SECONDS) -> State:
        """Ask, and return what is known then or after so many seconds.

        A server that never answered anybody counts as away by then.
        """
        answer = self.ask()
        with self._news:
            answered = self._news.wait_for(lambda: self._answers >= answer, seconds)
            if not answered and self._state.up is None:
                self._note(up=False, error="Timeout")
        return self._state

    def lose(self, error: str) -> None:
        """Note that it failed to answer somebody just now; it is away until it answers again."""
        with self._news:
            self._note(up=False, error=error)
        self.ask()

    def on_loss(self) -> None:
        """Do what must be done when it goes away; nothing, unless a child says otherwise."""

    def forget(self) -> None:
        """Begin anew, as at the start of the process."""
        with self._news:
            self._state = State()

    def _run(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._wanted, RETRY_SECONDS if self.away else None)
                self._wanted = False
            started = time.perf_counter()
            try:
                self._probe()
            except Exception as exc:  # noqa: BLE001  # whatever it is, there was no answer
                with self._news:
                    self._note(up=False, error=type(exc).__name__)
                    self._answers += 1
            else:
                with self._news:
                    self._note(up=True, latency_ms=round((time.perf_counter() - started) * 1000, 1))
                    self._answers += 1

    def _note(self, *, up: bool, latency_ms: float | None = None, error: str = "") -> None:
        before = self._state
        since = before.since if before.up is up else timezone.now()
        self._state = State(up, since, latency_ms, error)
        self._news.notify_all()
        if before.up is not False and not up:
            log.warning("dependency_away", dependency=self.name, error=error)
            self.on_loss()
        elif before.up is False and up:
            log.info("dependency_back", dependency=self.name)
