import pytest
from prometheus_client import REGISTRY

from usage.llm.breaker import LONGEST_SECONDS, Breaker, BreakerState

pytestmark = pytest.mark.unit


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


def fail(breaker, times=1):
    for _ in range(times):
        assert breaker.wait_seconds() == 0
        breaker.failed()


def test_it_opens_after_so_many_failures_in_a_row(breaker):
    fail(breaker, 2)
    assert breaker.wait_seconds() == 0
    breaker.failed()
    assert breaker.state is BreakerState.OPEN
    assert breaker.wait_seconds() == 30


def test_a_success_in_between_starts_the_count_anew(breaker):
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert breaker.state is BreakerState.CLOSED


def test_after_its_time_one_call_probes_and_the_others_wait(breaker, clock):
    fail(breaker, 3)
    clock.now += 30
    assert breaker.state is BreakerState.HALF_OPEN
    assert breaker.wait_seconds() == 0
    assert breaker.wait_seconds() > 0


def test_a_good_probe_closes_it(breaker, clock):
    fail(breaker, 3)
    clock.now += 30
    breaker.wait_seconds()
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED
    fail(breaker, 2)
    assert breaker.state is BreakerState.CLOSED


def test_each_failed_probe_doubles_the_pause_up_to_the_cap(breaker, clock):
    fail(breaker, 3)
    for pause in (60, 120, 240, LONGEST_SECONDS, LONGEST_SECONDS):
        clock.now += LONGEST_SECONDS
        fail(breaker)
        assert breaker.wait_seconds() == pause


def test_an_abandoned_probe_leaves_its_place_to_the_next_call(breaker, clock):
    fail(breaker, 3)
    clock.now += 30
    breaker.wait_seconds()
    breaker.abandoned()
    assert breaker.wait_seconds() == 0


def test_what_the_provider_asks_for_is_obeyed_at_once_up_to_the_cap(breaker):
    breaker.wait_seconds()
    breaker.failed(stay_away=45)
    assert breaker.wait_seconds() == 45
    breaker.failed(stay_away=3600)
    assert breaker.wait_seconds() == LONGEST_SECONDS


def test_the_metric_shows_the_state(breaker, clock):
    def shown():
        return REGISTRY.get_sample_value("aiservice_breaker_state", {"model": "claude-sonnet-5-5"})

    assert shown() == 0
    fail(breaker, 3)
    assert shown() == 2
    clock.now += 30
    breaker.wait_seconds()
    assert shown() == 1
