"""A circuit breaker for each model, in this process.

Closed: calls pass. After some consecutive failures of the provider it opens: nothing leaves, callers
answer offline at once. When its pause is over it is half-open: one call probes, the others stay outside.
A probe that succeeds closes it, one that fails opens it for another pause.

Each of these periods has a number, and a call counts only in the period in which it was let out: ten
calls that fail together open the breaker once, and an answer that was long under way proves nothing
about the present.

While the provider has shown no sign of life, no more calls are under way than it takes to open the
breaker; the others wait. Each answer that begins while some wait lets more of them go.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import islice
from typing import Final

import structlog
from django.conf import settings
from django.utils import timezone

from usage import metrics
from usage.llm import hearing

log = structlog.get_logger(__name__)

LONGEST_SECONDS: Final = 300.0  # the most that a Retry-After may ask for
PROBED_SECONDS: Final = 1.0  # when to ask again while somebody else probes
GROWTH: Final = 10  # calls that one begun answer lets out beyond its own place
QUIET_SECONDS: Final = 2.0  # without a crowd for so long, a crowd is measured anew


class BreakerState(Enum):
    """The value is what the metric shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Suspended(Exception):  # noqa: N818  # a state, not an error
    """No call may leave now."""

    def __init__(self, seconds: float, reason: str) -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Condition:
    """A breaker as the health page and the log show it."""

    state: BreakerState
    reason: str  # the failure that opened it, empty while it is closed
    retry_seconds: float  # until a call may probe, 0 when one may now
    failures: int  # in a row, in this period
    since: datetime  # it has been closed, or has not been
    latency_ms: float | None  # of the last answer that began, from its admission to its first event


class Breaker:
    def __init__(self, model: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.model = model
        self._clock = clock
        self._lock = threading.Lock()
        self._state = BreakerState.CLOSED
        self._period = 0
        self._failures = 0
        self._reason = ""
        self._open_until = 0.0
        self._probing = False
        self._silent = 0  # let out in this period, and nothing heard of them yet
        self._room = 0  # that may be so at once, beyond what it takes to open
        self._crowded_at = 0.0
        self._since = timezone.now()
        self._latency: float | None = None  # seconds
        self._waiting: dict[asyncio.Future[None], None] = {}  # in the order of their coming
        metrics.BREAKER.labels(model=model).set(self._state.value)

    @property
    def condition(self) -> Condition:
        """The state, as the next call would find it."""
        with self._lock:
            self._come_round()
            left = max(0.0, self._open_until - self._clock())
            away = self._state is BreakerState.OPEN
            return Condition(
                self._state,
                self._reason,
                left if away else 0.0,
                self._failures,
                self._since,
                None if self._latency is None else round(self._latency * 1000, 1),
            )

    def check(self) -> None:
        """Tell whether a call could leave, without taking a place.

        Raises:
            Suspended: It could not.
        """
        with self._lock:
            self._check()

    def enter(self) -> "Admission | None":
        """Take a place for one call, None while it must wait for a sign of life.

        Raises:
            Suspended: No call may leave.
        """
        with self._lock:
            self._check()
            if self._state is BreakerState.CLOSED:
                if not self._has_room():
                    return None
            else:
                self._probing = True
            self._silent += 1
            return Admission(self, self._period)

    async def admit(self, seconds: float) -> "Admission | None":
        """Take a place as soon as there is one, None if there is none within some seconds.

        Raises:
            Suspended: No call may leave.
        """
        loop, clock = asyncio.get_running_loop(), hearing.clock()
        end = clock.time() + seconds
        while (admission := self.enter()) is None:
            if (left := end - clock.time()) <= 0:
                return None
            change: asyncio.Future[None] = loop.create_future()
            with self._lock:
                self._waiting[change] = None
            try:
                await asyncio.wait([change], timeout=left)
            except asyncio.CancelledError:
                self._forget(change)
                self._tell()  # the next one may have what this one was told of
                raise
            self._forget(change)
        return admission

    def _forget(self, change: "asyncio.Future[None]") -> None:
        with self._lock:
            self._waiting.pop(change, None)

    def _check(self) -> None:
        self._come_round()
        if self._state is BreakerState.OPEN:
            raise Suspended(self._open_until - self._clock(), self._reason)
        if self._probing:
            raise Suspended(PROBED_SECONDS, self._reason)

    def _come_round(self) -> None:
        if self._state is BreakerState.OPEN and self._clock() >= self._open_until:
            self._begin(BreakerState.HALF_OPEN)

    def _has_room(self) -> bool:
        now = self._clock()
        if now - self._crowded_at > QUIET_SECONDS:
            self._room = 0
        if self._silent >= self._least_room():
            self._crowded_at = now
        return self._free() > 0

    def _least_room(self) -> int:
        return max(1, _threshold() - self._failures)

    def _free(self) -> int:
        return self._least_room() + self._room - self._silent

    # --- What becomes of a call; each is told once, by its admission ------------------------------

    def _began(self, period: int, seconds: float) -> None:
        with self._lock:
            self._latency = seconds
            if period != self._period:
                return
            self._silent -= 1
            if self._waiting:
                self._room += GROWTH
        self._tell()

    def _ended(self, period: int, *, silent: bool, verdict: "Verdict") -> None:
        with self._lock:
            if period != self._period:
                return
            if silent:
                self._silent -= 1
            self._judge(verdict)
        self._tell()

    def _judge(self, verdict: "Verdict") -> None:
        if verdict.well is None:
            self._probing = False
        elif verdict.well:
            self._failures = 0
            if self._state is BreakerState.HALF_OPEN:
                self._begin(BreakerState.CLOSED)
        else:
            self._failures += 1
            self._room = 0
            if (
                self._state is BreakerState.HALF_OPEN
                or verdict.stay_away > 0
                or self._failures >= _threshold()
            ):
                pause = min(LONGEST_SECONDS, max(verdict.stay_away, settings.BREAKER_SECONDS))
                self._open_until = self._clock() + pause
                self._begin(BreakerState.OPEN, verdict.reason)

    def _begin(self, state: BreakerState, reason: str | None = None) -> None:
        """Begin a period."""
        if BreakerState.CLOSED in (state, self._state):  # a probe is no change of fortune
            self._since = timezone.now()
        self._state = state
        self._period += 1
        self._probing = False
        self._silent = self._room = 0
        if state is BreakerState.CLOSED:
            self._failures, self._reason = 0, ""
        elif reason is not None:
            self._reason = reason
        metrics.BREAKER.labels(model=self.model).set(state.value)
        log.warning(
            "breaker",
            model=self.model,
            state=state.name.lower(),
            reason=self._reason,
            seconds=round(max(0.0, self._open_until - self._clock()), 1),
        )

    def _tell(self) -> None:
        """Tell as many as there is room for: were all told of each change, many would cost their square."""
        with self._lock:
            room = self._free() if self._state is BreakerState.CLOSED else len(self._waiting)
            told = [*islice(self._waiting, max(0, room))]
            for change in told:
                del self._waiting[change]
        for change in told:
            change.get_loop().call_soon_threadsafe(_resolve, change)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the end of a call says of the provider.

    Attributes:
        well: Whether it answered, be it with a refusal of ours; None says nothing of it.
        reason: What failed.
        stay_away: Seconds that the provider asked for; then one failure is enough to open.
    """

    well: bool | None
    reason: str = ""
    stay_away: float = 0.0


ABANDONED: Final = Verdict(None)
WELL: Final = Verdict(True)


class Admission:
    """One call's place; it ends once, whatever is reported after that."""

    def __init__(self, breaker: Breaker, period: int) -> None:
        self._breaker = breaker
        self._period = period
        self._silent = True
        self._over = False
        self._let_out_at = breaker._clock()

    def began(self) -> None:
        """The provider has begun to answer."""
        if self._silent and not self._over:
            self._silent = False
            self._breaker._began(self._period, self._breaker._clock() - self._let_out_at)

    def ended(self, verdict: Verdict) -> None:
        """The call is over."""
        if not self._over:
            self._over = True
            self._breaker._ended(self._period, silent=self._silent, verdict=verdict)


class Breakers:
    """The breakers of a process, made as their models are called."""

    def __init__(self) -> None:
        self._of: dict[str, Breaker] = {}

    def of(self, model: str) -> Breaker:
        found = self._of.get(model)
        if found is None:
            found = self._of.setdefault(model, Breaker(model))
        return found

    def conditions(self) -> dict[str, Condition]:
        """Return the condition of every model that was called."""
        return {model: breaker.condition for model, breaker in self._of.items()}


def _threshold() -> int:
    return max(1, int(settings.BREAKER_FAILURES))


def _resolve(change: "asyncio.Future[None]") -> None:
    if not change.done():
        change.set_result(None)
