"""A circuit breaker for each model, in this process.

Closed: calls pass. After some consecutive failures of the provider it opens: nothing leaves, callers
answer offline at once. When its time is over it is half-open: one call probes, the others still wait
outside. A probe that succeeds closes it, one that fails opens it for twice as long, up to a cap. The
state may be lost with the process: it is learnt again from the next failures.
"""

import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import Final

import structlog
from django.conf import settings

from usage import metrics

log = structlog.get_logger(__name__)

LONGEST_SECONDS: Final = 300.0  # the cap for growing pauses, and for what Retry-After may ask


class BreakerState(Enum):
    """The value is what the metric shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """The breaker of one model."""

    def __init__(self, model: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.model = model
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._pause = 0.0
        self._open_until = 0.0
        self._probing = False
        self._state = BreakerState.CLOSED
        metrics.BREAKER.labels(model=model).set(self._state.value)

    @property
    def state(self) -> BreakerState:
        """The state, as the next call would find it."""
        if self._state is BreakerState.OPEN and self._clock() >= self._open_until:
            return BreakerState.HALF_OPEN
        return self._state

    def wait_seconds(self) -> float:
        """Take a place for one call: 0 when it may leave, else the seconds to stay away.

        Whoever may leave must report `succeeded`, `failed` or `abandoned`.
        """
        with self._lock:
            if self._state is BreakerState.CLOSED:
                return 0.0
            left = self._open_until - self._clock()
            if left > 0:
                return left
            if self._probing:
                return 1.0
            self._probing = True
            self._enter(BreakerState.HALF_OPEN)
            return 0.0

    def succeeded(self) -> None:
        """The provider answered, be it with a refusal of ours."""
        with self._lock:
            self._failures = 0
            self._pause = 0.0
            self._probing = False
            self._enter(BreakerState.CLOSED)

    def failed(self, *, stay_away: float = 0.0) -> None:
        """The provider failed.

        Args:
            stay_away: Seconds that the provider asked for; then one failure is enough to open.
        """
        with self._lock:
            self._failures += 1
            if (
                self._probing
                or stay_away > 0
                or self._failures >= max(1, settings.BREAKER_FAILURES)
            ):
                self._probing = False
                self._pause = min(
                    LONGEST_SECONDS, max(stay_away, settings.BREAKER_SECONDS, 2 * self._pause)
                )
                self._open_until = self._clock() + self._pause
                self._enter(BreakerState.OPEN)

    def abandoned(self) -> None:
        """The call ended without a verdict on the provider: the next one may probe."""
        with self._lock:
            self._probing = False

    def _enter(self, state: BreakerState) -> None:
        if state is not self._state:
            log.warning("breaker", model=self.model, state=state.name.lower(), seconds=self._pause)
        self._state = state
        metrics.BREAKER.labels(model=self.model).set(state.value)


class Breakers:
    """The breakers of a process, made as their models are called."""

    def __init__(self) -> None:
        self._of: dict[str, Breaker] = {}

    def of(self, model: str) -> Breaker:
        """Return the breaker of a model."""
        found = self._of.get(model)
        if found is None:
            found = self._of.setdefault(model, Breaker(model))
        return found

    def states(self) -> dict[str, str]:
        """Return the state of every model that was called."""
        return {model: breaker.state.name.lower() for model, breaker in self._of.items()}
