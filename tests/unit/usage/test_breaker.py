import asyncio

import pytest
from prometheus_client import REGISTRY

from usage.llm.breaker import (
    ABANDONED,
    GROWTH,
    LONGEST_SECONDS,
    QUIET_SECONDS,
    WELL,
    Breaker,
    BreakerState,
    Suspended,
    Verdict,
)

pytestmark = pytest.mark.unit

FAILED = Verdict(False, "overloaded_error")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock, settings):
    settings.BREAKER_FAILURES, settings.BREAKER_SECONDS = 3, 30
    return Breaker("claude-sonnet-5-5", clock)


def end(breaker, verdict, times=1):
    for _ in range(times):
        breaker.enter().ended(verdict)


def suspension(breaker):
    with pytest.raises(Suspended) as raised:
        breaker.check()
    return raised.value


def test_it_opens_after_so_many_failures_in_a_row_and_says_why(breaker):
    end(breaker, FAILED, 2)
    breaker.check()
    end(breaker, FAILED)
    assert breaker.condition.state is BreakerState.OPEN
    assert (suspension(breaker).seconds, suspension(breaker).reason) == (30, "overloaded_error")


def test_a_success_in_between_starts_the_count_anew(breaker):
    end(breaker, FAILED, 2)
    end(breaker, WELL)
    end(breaker, FAILED, 2)
    assert breaker.condition.state is BreakerState.CLOSED


def test_calls_that_fail_together_open_it_once_for_one_pause(breaker, clock):
    places = [breaker.enter() for _ in range(3)]
    for place in places:
        place.began()  # nine more may leave now
    places += [breaker.enter() for _ in range(3)]
    for place in places:
        place.ended(FAILED)
    assert suspension(breaker).seconds == 30
    clock.now += 30
    assert breaker.condition.state is BreakerState.HALF_OPEN


def test_after_its_time_one_call_probes_and_the_others_stay_outside(breaker, clock):
    end(breaker, FAILED, 3)
    clock.now += 30
    assert breaker.condition.state is BreakerState.HALF_OPEN
    breaker.check()
    assert breaker.enter()
    with pytest.raises(Suspended):
        breaker.enter()


def test_a_good_probe_closes_it(breaker, clock):
    end(breaker, FAILED, 3)
    clock.now += 30
    end(breaker, WELL)
    assert breaker.condition.state is BreakerState.CLOSED
    assert breaker.condition.reason == ""
    end(breaker, FAILED, 2)
    assert breaker.condition.state is BreakerState.CLOSED


def test_each_failed_probe_opens_it_for_another_pause(breaker, clock):
    end(breaker, FAILED, 3)
    for _ in range(4):
        clock.now += 30
        end(breaker, FAILED)
        assert suspension(breaker).seconds == 30


def test_a_late_success_of_an_earlier_period_proves_nothing(breaker, clock):
    early = breaker.enter()
    early.began()
    breaker.enter().ended(Verdict(False, "rate_limit_error", stay_away=120))
    early.ended(WELL)
    assert suspension(breaker).seconds == 120
    clock.now += 120
    probe = breaker.enter()
    early.ended(FAILED)
    assert breaker.condition.state is BreakerState.HALF_OPEN
    probe.ended(WELL)
    assert breaker.condition.state is BreakerState.CLOSED


def test_a_late_failure_of_an_earlier_period_does_not_count(breaker, clock):
    early = [breaker.enter(), breaker.enter()]
    end(breaker, Verdict(False, "rate_limit_error", stay_away=31))
    clock.now += 31
    end(breaker, WELL)
    for place in early:
        place.ended(FAILED)
    assert breaker.condition.failures == 0


def test_an_abandoned_probe_leaves_its_place_to_the_next_call(breaker, clock):
    end(breaker, FAILED, 3)
    clock.now += 30
    end(breaker, ABANDONED)
    assert breaker.enter()


def test_an_abandoned_call_of_an_earlier_period_does_not_free_the_place_of_the_probe(
    breaker, clock
):
    early = breaker.enter()
    breaker.enter().ended(Verdict(False, "spend_cap", stay_away=30))
    clock.now += 30
    assert breaker.enter()
    early.ended(ABANDONED)
    with pytest.raises(Suspended):
        breaker.enter()


def test_what_the_provider_asks_for_is_obeyed_at_once_up_to_the_cap(breaker, clock):
    end(breaker, Verdict(False, "rate_limit_error", stay_away=45))
    assert suspension(breaker).seconds == 45
    clock.now += 45
    end(breaker, Verdict(False, "rate_limit_error", stay_away=3600))
    assert suspension(breaker).seconds == LONGEST_SECONDS


def test_without_a_sign_of_life_no_more_calls_leave_than_open_it(breaker):
    places = [breaker.enter() for _ in range(3)]
    assert breaker.enter() is None
    for place in places:
        place.ended(FAILED)
    assert breaker.condition.state is BreakerState.OPEN


async def test_an_answer_that_begins_lets_those_who_wait_go(breaker):
    places = [breaker.enter() for _ in range(3)]
    waiting = [asyncio.ensure_future(breaker.admit(20)) for _ in range(9)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    places[0].began()
    assert all(await asyncio.gather(*waiting))


async def test_no_more_are_woken_than_may_go(breaker, monkeypatch):
    places = [breaker.enter() for _ in range(3)]
    waiting = [asyncio.ensure_future(breaker.admit(20)) for _ in range(200)]
    await asyncio.sleep(0)
    tried, enter = [], breaker.enter

    def counted():
        tried.append(1)
        return enter()

    monkeypatch.setattr(breaker, "enter", counted)

    places[0].began()
    async with asyncio.timeout(20):
        while sum(task.done() for task in waiting) < GROWTH + 1:  # noqa: ASYNC110
            await asyncio.sleep(0)

    assert len(tried) == GROWTH + 1
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


async def test_who_leaves_when_its_turn_has_come_gives_it_to_the_next(breaker):
    places = [breaker.enter() for _ in range(3)]
    first, second = (asyncio.ensure_future(breaker.admit(20)) for _ in range(2))
    await asyncio.sleep(0)
    places[0].ended(ABANDONED)  # room for one
    first.cancel()
    assert await second
    assert first.cancelled()


async def test_those_who_wait_learn_that_it_opened(breaker):
    places = [breaker.enter() for _ in range(3)]
    waiting = [asyncio.ensure_future(breaker.admit(20)) for _ in range(5)]
    await asyncio.sleep(0)
    for place in places:
        place.ended(FAILED)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Suspended}


async def test_nobody_waits_longer_than_they_said(breaker):
    assert all(breaker.enter() for _ in range(3))
    assert await breaker.admit(0.01) is None


def test_a_crowd_is_measured_anew_after_a_quiet_time(breaker, clock):
    for _ in range(3):
        breaker.enter()
    assert breaker.enter() is None
    clock.now += QUIET_SECONDS + 1
    assert breaker.enter() is None


def test_the_metric_and_the_log_show_state_pause_and_reason(breaker, clock, caplog):
    def shown():
        return REGISTRY.get_sample_value("aiservice_breaker_state", {"model": "claude-sonnet-5-5"})

    caplog.set_level("WARNING")
    assert shown() == 0
    end(breaker, Verdict(False, "rate_limit_error", stay_away=120))
    assert shown() == 2
    assert "rate_limit_error" in caplog.text
    assert "120" in caplog.text
    clock.now += 120
    assert breaker.condition.state is BreakerState.HALF_OPEN
    assert shown() == 1
    end(breaker, WELL)
    assert shown() == 0
