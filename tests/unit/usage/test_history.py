from itertools import pairwise

import pytest

from usage.llm import Turn, trim

pytestmark = pytest.mark.unit


def conversation(turns, size=100):
    """Return turns of `size` bytes each, the user's first and last."""
    return [
        Turn("assistant" if i % 2 else "user", f"{i:03}".ljust(size, "x")) for i in range(turns)
    ]


def test_a_short_conversation_is_sent_whole():
    turns = conversation(9)
    assert trim(turns, high=1000, low=300) == tuple(turns)


def test_the_beginning_stays_put_between_cuts():
    """Each call's turns extend those of the call before, but for a few cuts."""
    everything = conversation(201)
    calls = [trim(everything[:end], high=3000, low=1000) for end in range(1, 202, 2)]
    extended = [later[: len(earlier)] == earlier for earlier, later in pairwise(calls)]
    cuts = extended.count(False)
    assert 5 <= cuts <= 12
    assert all(sum(len(turn.text) for turn in call) <= 3000 for call in calls)


def test_what_is_sent_begins_with_the_user_and_ends_with_the_new_turn():
    everything = conversation(101)
    for end in range(1, 102, 2):
        sent = trim(everything[:end], high=2000, low=700)
        assert sent[0].role == "user"
        assert sent[-1] == everything[end - 1]


def test_a_single_turn_over_the_limit_is_sent_alone():
    turns = [*conversation(8), Turn("user", "x" * 5000)]
    assert trim(turns, high=2000, low=700) == (turns[-1],)


def test_passages_count_as_well():
    turns = [
        Turn("user", "a", ("p" * 900,)),
        Turn("assistant", "b"),
        Turn("user", "c", ("p" * 900,)),
    ]
    assert trim(turns, high=1000, low=950) == (turns[-1],)
