"""The breaker against a plain model of what it promises, under every order of events."""

import pytest
from django.test import override_settings
from hypothesis import settings, strategies
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from usage.llm.breaker import (
    ABANDONED,
    LONGEST_SECONDS,
    WELL,
    Admission,
    Breaker,
    BreakerState,
    Suspended,
    Verdict,
)

FAILURES, SECONDS = 3, 30.0


class BreakerMachine(RuleBasedStateMachine):
    """Calls come, begin, end well or badly and leave, in any order and at any time."""

    under_way = Bundle("under_way")

    @initialize()
    def start(self) -> None:
        self.now = 0.0
        self.breaker = Breaker("claude-stateful", clock=lambda: self.now)
        self.period = 0
        self.state = BreakerState.CLOSED
        self.failures = 0
        self.open_until = 0.0
        self.probing: Admission | None = None
        self.periods: dict[Admission, int] = {}
        self.silent: set[Admission] = set()

    def come_round(self) -> None:
        if self.state is BreakerState.OPEN and self.now >= self.open_until:
            self.enter_period(BreakerState.HALF_OPEN)

    def enter_period(self, state: BreakerState) -> None:
        self.state, self.period = state, self.period + 1
        self.probing, self.silent = None, set()
        if state is BreakerState.CLOSED:
            self.failures = 0

    @rule(target=under_way)
    def call(self) -> object:
        self.come_round()
        shut = self.state is BreakerState.OPEN or self.probing is not None
        if shut:
            with pytest.raises(Suspended) as suspended:
                self.breaker.enter()
            assert 0 < suspended.value.seconds <= LONGEST_SECONDS
            return multiple()
        place = self.breaker.enter()
        if place is None:
            assert self.state is BreakerState.CLOSED
            assert len(self.silent) >= max(1, FAILURES - self.failures)
            return multiple()
        self.periods[place] = self.period
        self.silent.add(place)
        if self.state is BreakerState.HALF_OPEN:
            self.probing = place
        return place

    @rule(place=under_way)
    def begin(self, place: Admission) -> None:
        place.began()
        self.silent.discard(place)

    @rule(place=consumes(under_way))
    def end_well(self, place: Admission) -> None:
        place.ended(WELL)
        self.silent.discard(place)
        if self.periods[place] == self.period:
            self.failures = 0
            if self.state is BreakerState.HALF_OPEN:
                self.enter_period(BreakerState.CLOSED)

    @rule(place=consumes(under_way), stay_away=strategies.sampled_from([0.0, 0.0, 0.0, 120.0, 9e9]))
    def fail(self, place: Admission, stay_away: float) -> None:
        place.ended(Verdict(False, "overloaded_error", stay_away))
        self.silent.discard(place)
        if self.periods[place] != self.period:
            return
        self.failures += 1
        probe = self.state is BreakerState.HALF_OPEN
        if probe or stay_away or self.failures >= FAILURES:
            self.open_until = self.now + min(LONGEST_SECONDS, max(SECONDS, stay_away))
            self.enter_period(BreakerState.OPEN)

    @rule(place=consumes(under_way))
    def leave(self, place: Admission) -> None:
        place.ended(ABANDONED)
        self.silent.discard(place)
        if place is self.probing:
            self.probing = None

    @rule(place=consumes(under_way))
    def end_twice(self, place: Admission) -> None:
        self.leave(place)
        before = self.breaker.condition
        place.ended(Verdict(False, "again"))
        place.began()
        assert self.breaker.condition == before

    @rule(seconds=strategies.sampled_from([0.5, 5.0, 29.0, 30.0, 120.0, 300.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def the_state_is_what_was_promised(self) -> None:
        if not hasattr(self, "breaker"):
            return
        self.come_round()
        condition = self.breaker.condition
        assert condition.state is self.state
        assert condition.failures == self.failures
        if self.state is BreakerState.OPEN:
            assert condition.retry_seconds == pytest.approx(self.open_until - self.now)
        assert bool(condition.reason) is (self.state is not BreakerState.CLOSED)


@pytest.mark.unit
class TestBreaker(BreakerMachine.TestCase):  # type: ignore[misc,valid-type]
    settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

    def runTest(self) -> None:  # hypothesis names it
        with override_settings(BREAKER_FAILURES=FAILURES, BREAKER_SECONDS=SECONDS):
            super().runTest()
