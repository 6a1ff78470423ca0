"""What of a conversation goes with the next question."""

import pytest

from chat.answering.exchange import HISTORY_KEPT, HISTORY_MAX, Answered, trimmed

pytestmark = pytest.mark.unit


def conversation(exchanges: int, size: int) -> list[Answered]:
    return [Answered(n, "¿?", "p" * (size // 2), "r" * (size // 2)) for n in range(exchanges)]


def test_a_conversation_of_usual_length_goes_whole():
    answered = conversation(20, 6_000)

    assert trimmed(answered) == answered


def test_a_long_one_is_cut_far_back_so_that_it_grows_again_for_long():
    answered = conversation(HISTORY_MAX // 1_000 + 1, 1_000)

    kept = trimmed(answered)

    assert kept == answered[-len(kept) :]
    assert HISTORY_KEPT - 1_000 < sum(item.size for item in kept) <= HISTORY_KEPT


def test_the_beginning_changes_rarely_while_a_conversation_grows():
    answered: list[Answered] = []
    beginnings = set()
    for exchange in conversation(400, 2_000):
        answered = trimmed([*answered, exchange])
        beginnings.add(answered[0].pk)

    assert len(beginnings) <= 1 + 400 * 2_000 // (HISTORY_MAX - HISTORY_KEPT)


def test_the_latest_exchange_stays_however_long_it_is():
    answered = conversation(3, HISTORY_MAX)

    assert trimmed(answered) == answered[-1:]


def test_nothing_is_no_history():
    assert trimmed([]) == []
