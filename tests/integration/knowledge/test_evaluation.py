"""The measuring stick itself, on a knowledge base small enough to compute by hand."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from knowledge import scoring
from knowledge.frontmatter import ParsedDocument
from knowledge.loading import ingest
from knowledge.models import Evaluation

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

QUESTIONS = """
- {question: folio, kind: natural, expect: [folios]}
- {question: vencimiento de la boleta, kind: natural, expect: [folios]}
- {question: plazo, kind: natural, expect: ["folios#plazo"]}
- {question: certificado, kind: natural, expect: [folios]}
- {question: receta de cazuela de vacuno, kind: off-topic, expect: []}
- {question: boleta, kind: off-topic, expect: []}
"""


@pytest.fixture
def documents() -> None:
    def document(slug: str, title: str, body: str) -> ParsedDocument:
        return ParsedDocument(slug=slug, title=title, module="dte", tags=(), body=body)

    ingest.load(
        [
            document("folios", "Folio", "Vencimiento del folio.\n\n## Plazo\n\nSeis meses."),
            document("boletas", "Boleta", "La boleta, la boleta y el vencimiento."),
        ]
    )


def evaluate(tmp_path: Path, *arguments: str) -> str:
    path = tmp_path / "q.yaml"
    path.write_text(QUESTIONS)
    out = StringIO()
    call_command("evaluate_knowledge", str(path), *arguments, stdout=out)
    return out.getvalue()


def test_computes_the_figures_one_expects_by_hand(documents: None, tmp_path: Path):
    evaluate(tmp_path)
    result = Evaluation.objects.get()
    # Ranks: 1, 2, 1, none; of the two that must find nothing one does.
    assert (result.questions, result.hit_1, result.hit_3, result.hit_5) == (6, 0.5, 0.75, 0.75)
    assert result.mrr == pytest.approx((1 + 1 / 2 + 1 + 0) / 4)
    assert result.ndcg == pytest.approx((1 + 0.6309 + 1 + 0) / 4, abs=1e-4)
    assert (result.refused, result.falsely_refused) == (0.5, 0.25)
    assert [item["question"] for item in result.worst] == [
        "certificado",
        "boleta",
        "vencimiento de la boleta",
    ]


def test_holds_floors(documents: None, tmp_path: Path):
    assert "hit@5  0.750" in evaluate(tmp_path, "--min", "hit@5=0.75")
    with pytest.raises(CommandError, match=r"hit@1 0\.500 < 0\.8"):
        evaluate(tmp_path, "--min", "hit@5=0.75", "--min", "hit@1=0.8")
    with pytest.raises(CommandError, match="No se mide"):
        evaluate(tmp_path, "--min", "hits=1")


def test_a_question_that_expects_what_does_not_exist_is_an_error(tmp_path: Path):
    with pytest.raises(CommandError, match="no existen: folios, folios#plazo"):
        evaluate(tmp_path)


@pytest.mark.parametrize(
    "text", ["a: 1", "- pregunta: x", "- {question: x, expect: y}", "- {question: x}"]
)
def test_files_that_are_not_questions_are_refused(tmp_path: Path, text: str):
    (tmp_path / "q.yaml").write_text(text)
    with pytest.raises(scoring.InvalidQuestionsError):
        scoring.read([tmp_path])
