"""Citations and the confidence that follows from them."""

import pytest

from chat.answering import offline
from chat.answering.citations import CitationFilter, cite
from chat.answering.confidence import _calculate_confidence, confidence, grounding
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


@pytest.mark.parametrize(
    ("text", "sources", "llm", "plugin", "expected"),
    [
        ("x" * 200, 5, "anthropic", None, 92.5),
        ("short", 0, "anthropic", None, 70),
        ("x" * 99, 0, "anthropic", None, 80),
        ("x" * 100, 0, "offline", None, 75),
        ("x" * 200, 99, "anthropic", "dte", 100),
        ("", 0, "offline", None, 60),
        ("x" * 50, 10, "offline", "dte", 90),
    ],
)
def test_the_promised_formula(text, sources, llm, plugin, expected):
    assert _calculate_confidence(text, sources, llm, plugin) == expected


@pytest.mark.parametrize(
    "answer",
    [
        offline.NOTHING_FOUND,
        offline.compose([hit(score=0.51)]),
        "No encontré información sobre eso en los pasajes.",
        "La base de conocimiento no lo detalla. En general, se usa otro plazo.",
        "Lo siento, no puedo ayudarle con recetas; sí con facturas.",
        "Esa consulta está fuera de mi alcance.",
        "Los pasajes no mencionan ese plazo.",
        "No lo sé con certeza.",
    ],
)
def test_an_answer_that_does_not_know_is_no_confidence(answer: str):
    assert confidence(answer, cite([hit()]), llm_used="anthropic", plugin_used="dte") == 0


@pytest.mark.parametrize(
    "answer",
    [
        "No hay plazo para emitirla, pero el IVA se rebaja solo en el período siguiente [1].",
        "No: una factura aceptada no se borra, se anula con una nota de crédito [1].",
        "La boleta no da crédito fiscal [1].",
        "No tiene que enviar el RCOF: se eliminó en 2022 [1].",
        "Los documentos sin firma se rechazan [1]. No se puede usar el mismo folio.",
    ],
)
def test_a_no_is_an_answer(answer: str):
    assert confidence(answer, cite([hit()]), llm_used="anthropic", plugin_used="dte") > 70


FOLIOS = hit(content="Los folios autorizados vencen a los 6 meses desde la fecha de autorización.")


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ("Los folios autorizados vencen a los 6 meses [1].", 1.0),
        ("Los folios autorizados vencen a los 8 meses [1].", 0.0),
        (
            "Los folios autorizados vencen a los 6 meses [1]. Compre además otro certificado nuevo.",
            0.5,
        ),
        ("Los folios autorizados vencen a los 6 meses.", 0.0),  # nothing is cited
        ("Sí [1].", None),
        ("No encontré información sobre eso.", None),
    ],
)
def test_grounding_is_the_share_of_sentences_that_a_cited_passage_supports(answer, share):
    hits = [FOLIOS, hit(content="Otra cosa.")]
    assert grounding(answer, hits, cite(hits, answer), llm_used="anthropic") == share


def test_a_quotation_supports_itself():
    assert grounding(offline.compose([FOLIOS]), [hit(score=0.9)], [], llm_used="offline") is None
    sure = [hit(score=0.9)]
    assert grounding(offline.compose(sure), sure, cite(sure), llm_used="offline") == 1


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
