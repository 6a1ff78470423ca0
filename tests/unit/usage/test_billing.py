"""What a call is booked at, by how it ended."""

from decimal import Decimal
from uuid import uuid4

import pytest

from usage.accounting.payer import Payer
from usage.llm import Prompt, Turn, failures
from usage.llm.billing import Bill, Ending, bill, if_lost, learn, usage_so_far
from usage.llm.estimate import Density
from usage.llm.failures import Failure
from usage.llm.plan import Plan, plan
from usage.llm.reading import Reading
from usage.models import ModelPrice, Operation, Outcome
from usage.tokens import TokenUsage

pytestmark = pytest.mark.unit

PRICE = ModelPrice(
    input=Decimal(2),
    cache_write_5m=Decimal("2.5"),
    cache_write_1h=Decimal(4),
    cache_read=Decimal("0.1"),
    output=Decimal(10),
)
REJECTED = Failure("invalid_request_error", Outcome.REJECTED, provider=False, retry=False)


@pytest.fixture
def planned() -> Plan:
    return plan(
        Prompt(("Instrucciones. " * 100,), (Turn("user", "¿Folio?"),), 500),
        model="claude-sonnet-5-5",
        payer=Payer(1, 1),
        operation=Operation.CHAT_REPLY,
        call_id=uuid4(),
        request_id="",
    )


def reading(*texts: str, began: bool = True, stop: str = "", **end: int) -> Reading:
    read = Reading()
    if began:
        usage = {"input_tokens": 100, "output_tokens": 1}
        read.feed({"type": "message_start", "message": {"usage": usage}})
    for text in texts:
        delta = {"type": "text_delta", "text": text}
        read.feed({"type": "content_block_delta", "delta": delta})
    if stop:
        read.feed({"type": "message_delta", "delta": {"stop_reason": stop}, "usage": end})
    return read


def booked(planned: Plan, read: Reading, ending: Ending, density: Density | None = None) -> Bill:
    return bill(planned, read, ending, density or Density(), PRICE)


def test_an_answer_is_booked_as_its_usage_says(planned: Plan):
    answered = booked(planned, reading("Sí.", stop="end_turn", output_tokens=7), Ending(sent=True))
    assert answered == Bill(
        Outcome.ANSWERED, TokenUsage(100, 0, 0, 0, 7), Decimal("0.000270"), True
    )


def test_of_an_answer_that_was_cut_the_output_is_estimated_from_what_arrived(planned: Plan):
    read = reading("x" * 1000)
    cut = booked(planned, read, Ending(sent=True, failure=failures.TRUNCATED))
    assert (cut.outcome, cut.complete) == (Outcome.CUT, False)
    assert cut.usage.input_tokens == 100
    assert cut.usage.output_tokens >= 500


def test_what_was_under_way_when_the_caller_left_is_counted_too(planned: Plan):
    left = Ending(sent=True, left=True, underway_bytes=200)
    cut = booked(planned, reading("x" * 1000), left)
    assert cut.outcome == Outcome.CANCELLED
    assert cut.usage.output_tokens >= 600


def test_a_call_that_was_sent_and_never_answered_costs_its_input_at_the_dearest(planned: Plan):
    density = Density()
    known = reading("Sí.", stop="end_turn", output_tokens=7)
    learn(planned, known, density)
    for ending in (
        Ending(sent=True, failure=failures.SILENT),
        Ending(sent=True, failure=failures.TIMED_OUT),
        Ending(sent=True, left=True),
    ):
        lost = booked(planned, reading(began=False), ending, density)
        assert not lost.complete
        assert 100 <= lost.usage.cache_write_5m_tokens <= 120
        assert lost.cost_usd > 0


@pytest.mark.parametrize(
    "ending",
    [
        Ending(sent=True, failure=REJECTED),
        Ending(sent=False, failure=failures.suspended(30)),
        Ending(sent=False, left=True),
    ],
)
def test_what_was_turned_down_or_never_sent_costs_nothing(planned: Plan, ending: Ending):
    free = booked(planned, reading(began=False), ending)
    assert (free.cost_usd, free.complete) == (0, True)


def test_input_that_is_not_reported_is_estimated_however_the_answer_ended(planned: Plan):
    read = reading("Sí.", began=False, stop="end_turn", output_tokens=7)
    answered = booked(planned, read, Ending(sent=True))
    assert answered.outcome == Outcome.ANSWERED
    assert not answered.complete
    assert answered.usage.cache_write_5m_tokens > 100


@pytest.mark.parametrize(("stop", "outcome"), [("refusal", "refused"), ("end_turn", "empty")])
def test_an_answer_without_text_has_an_outcome_of_its_own(planned: Plan, stop: str, outcome: str):
    read = reading(" \n", stop=stop, output_tokens=3)
    assert booked(planned, read, Ending(sent=True)).outcome == outcome


def test_what_nobody_has_a_note_of_is_booked_as_long_as_the_longest_of_the_latest(planned: Plan):
    density = Density()
    most = if_lost(planned, density, PRICE)
    for output in (40, 90, 60, 10, 30):
        learn(planned, reading("Sí.", stop="end_turn", output_tokens=output), density)
    lost = if_lost(planned, density, PRICE)
    # The one rule: the estimated input, and 90 tokens of output where nothing says how many.
    unheard = booked(planned, reading(began=False), Ending(sent=True), density)
    assert lost == unheard.cost_usd + 89 * PRICE.output / 1_000_000
    assert lost < most <= planned.cost_bound(PRICE)


def test_a_note_before_it_leaves_is_what_a_call_without_an_answer_is_booked_at(planned: Plan):
    silent = reading(began=False)
    noted = usage_so_far(planned, silent, Density())
    assert noted == booked(planned, silent, Ending(sent=True)).usage
    assert noted.cache_write_5m_tokens > 0
