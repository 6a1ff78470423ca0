"""The one number that says how far an answer can be trusted."""

import pytest

from knowledge.searching.relevance import FLOOR, SURE, Evidence

pytestmark = pytest.mark.unit


def test_what_matches_in_words_and_meaning_is_sure():
    assert Evidence(words=0.6, words_outside=0.1, cosine=0.91, cosine_outside=0.83).relevance > SURE
    assert Evidence(words=0.6, words_outside=0.1).relevance > SURE


def test_what_lies_nearer_to_what_is_not_ours_is_refused():
    assert Evidence(words=0.4, words_outside=0.6, cosine=0.86, cosine_outside=0.9).relevance < FLOOR
    assert Evidence(words=0.4, words_outside=0.6).relevance < FLOOR


@pytest.mark.parametrize("cosine", [None, 0.80])
def test_without_passages_on_what_is_not_ours_there_is_still_a_floor(cosine: float | None):
    assert Evidence(words=0.09, cosine=cosine).relevance < FLOOR
    assert Evidence(words=0.3, cosine=cosine and 0.87).relevance > FLOOR


def test_each_engine_can_outvote_the_other():
    by_words = Evidence(words=0.7, words_outside=0.0, cosine=0.84, cosine_outside=0.84)
    by_meaning = Evidence(words=0.12, words_outside=0.1, cosine=0.92, cosine_outside=0.83)
    assert by_words.relevance > FLOOR
    assert by_meaning.relevance > FLOOR


def test_more_of_either_is_more():
    values = [Evidence(words=w, words_outside=0.2).relevance for w in (0.0, 0.3, 0.6, 1.0)]
    assert values == sorted(values)
    assert 0 <= values[0] < values[-1] <= 1
