"""Citations and the confidence that follows from them."""

import pytest

from chat.answering.citations import CitationFilter, cite
from chat.answering.confidence import confidence
from tests.chat import hit

pytestmark = pytest.mark.unit


def test_citations_are_numbered_as_the_model_saw_them():
    citations = cite([hit(title="A"), hit(title="B")], "Vence a los seis meses [2].")

    assert [(c["number"], c["title"], c["cited"]) for c in citations] == [
        (1, "A", False),
        (2, "B", True),
    ]


def test_a_number_that_is_no_passage_cites_nothing():
    assert [c["cited"] for c in cite([hit()], "Según [7] y [0].")] == [False]


def test_quoted_passages_count_as_cited():
    assert all(c["cited"] for c in cite([hit(), hit()]))


def test_citations_leave_the_text_out():
    assert "content" not in cite([hit()])[0]


def test_nothing_found_offline_is_no_confidence():
    assert confidence([], llm_used="offline") == 0


def test_grounds_order_the_confidence():
    cited = confidence(cite([hit()], "sí [1]"), llm_used="anthropic")
    uncited = confidence(cite([hit()], "sí"), llm_used="anthropic")
    groundless = confidence([], llm_used="anthropic")

    assert 100 >= cited > uncited > groundless > 0


@pytest.mark.parametrize("llm_used", ["anthropic", "offline"])
def test_a_better_passage_gives_more_confidence(llm_used: str):
    weak = confidence(cite([hit(score=0.1)], "[1]"), llm_used=llm_used)
    strong = confidence(cite([hit(score=0.1), hit(score=1.0)], "[1]"), llm_used=llm_used)

    assert 0 < weak < strong <= 100


def filtered(pieces: list[str], passages: int = 3) -> str:
    citations = CitationFilter(passages)
    return "".join([*map(citations.feed, pieces), citations.flush()])


TEXTS = [
    ("Dura seis meses [1][3].", "Dura seis meses [1][3]."),
    ("Dura seis meses [4].", "Dura seis meses."),
    ("Dura [9] seis [2] meses [0][1][7].", "Dura seis [2] meses [1]."),
    ("El código DET L[7]-2-200 es un reparo [2].", "El código DET L[7]-2-200 es un reparo [2]."),
    ("Una lista [ 1 ] y [x] y [123] quedan [", "Una lista [ 1 ] y [x] y [123] quedan ["),
    ("fin [12", "fin [12"),
    ("", ""),
]


@pytest.mark.parametrize(("said", "passed_on"), TEXTS)
def test_invented_citations_are_taken_out_however_the_text_is_cut(said: str, passed_on: str):
    assert filtered([said]) == passed_on
    assert filtered(list(said)) == passed_on
    for at in range(len(said)):
        assert filtered([said[:at], said[at:]]) == passed_on


def test_invented_citations_are_counted():
    citations = CitationFilter(1)

    citations.feed("[1] [2] [3] ")

    assert citations.removed == 2


def test_text_is_held_back_only_while_it_may_be_a_citation():
    citations = CitationFilter(1)

    assert citations.feed("Hola [") == "Hola"
    assert citations.feed("1") == ""
    assert citations.feed("] sí") == " [1] sí"


def test_the_line_number_in_a_code_of_the_sii_is_no_citation():
    assert [c["cited"] for c in cite([hit()], "DET L[1]-2-200")] == [False]
