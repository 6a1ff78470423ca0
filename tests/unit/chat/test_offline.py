"""Answers without the model: short, the sentence that answers first, Markdown that stays well-formed."""

import re

import markdown
import pytest

from chat.answering import excerpt, offline
from tests.chat import hit

pytestmark = pytest.mark.unit


def test_nothing_found_is_said_plainly():
    assert offline.compose([]).startswith("No encontré nada sobre eso")


def test_the_best_passage_is_quoted_and_the_others_are_named():
    answer = offline.compose(
        [
            hit(title="Folios y CAF", section="Plazo", content="A los 6 meses.", score=0.9),
            hit(title="Boletas", section="Copias", content="No vencen.", score=0.8),
        ]
    )
    assert answer.startswith("> A los 6 meses.")
    assert "**Folios y CAF**, Plazo [1]" in answer
    assert "*Fuente: Resolución de prueba*" in answer
    assert "- **Boletas**, Copias [2]" in answer
    assert "No vencen" not in answer


def test_a_passage_that_clearly_leads_stands_alone():
    hits = [hit(score=0.9), hit(score=0.8), hit(score=0.7), hit(score=0.1)]
    assert offline.worth_quoting(hits) == hits[:2]
    assert len(offline.worth_quoting([hit()] * 9)) == offline.NAMED
    assert offline.worth_quoting([]) == []


def test_doubt_is_said_first():
    assert offline.compose([hit(score=0.55)]).startswith(offline.IN_DOUBT)
    assert offline.IN_DOUBT not in offline.compose([hit(score=0.9)])


def test_a_long_list_of_sources_is_shortened_between_two_of_them():
    source = "; ".join(f"SII, Circular {n} de 2020" for n in range(10))
    answer = offline.compose([hit(score=0.9, source=source)])
    assert re.search(r"\*Fuente: SII, Circular 0 .* Circular 3 de 2020 y otras\*", answer)


def test_the_sentence_that_answers_comes_first():
    content = (
        "Es un archivo del SII. Trae un rango de folios. La llave RSASK nunca se copia al DTE."
    )
    assert excerpt.answering(content, "que es el archivo").startswith("> Es un archivo")
    assert excerpt.answering(content, "RSASK").startswith("> La llave RSASK")
    assert "> Es un archivo" in excerpt.answering(content, "RSASK")


def test_a_procedure_is_told_from_its_first_step():
    steps = "1. Abra el folio.\n2. Emita la nota con `CodRef` 1 y la razón social.\n3. Espere."
    text = excerpt.answering(f"Antes lea.\n\n{steps}", "CodRef razón nota")
    assert text.splitlines()[-3:] == [f"> {step}" for step in steps.splitlines()]


def test_the_row_that_answers_comes_with_the_head_of_its_table():
    rows = "\n".join(f"| {code} | acción número {code} del receptor |" for code in range(40))
    text = excerpt.answering(f"| Código | Qué es |\n|---|---|\n{rows}", "código 27")
    html = markdown.markdown(text, extensions=["tables"])
    assert re.search(r"<blockquote>\s*<table>", html)
    assert text.splitlines()[2].startswith("> | 27 |")
    assert html.count("<tr>") <= 1 + excerpt.ROWS
    assert excerpt.ELLIPSIS in text


def test_every_line_is_quoted():
    text = excerpt.answering("Uno.\n\n- a\n- b\n\n| x | y |\n|---|---|\n| 1 | 2 |", "")
    assert all(line.startswith(">") for line in text.splitlines())
    assert "> - a\n> - b" in text


def test_headings_inside_a_passage_do_not_compete_with_the_titles():
    text = excerpt.answering("# Gran título\n\nTexto.", "")
    assert "**Gran título**" in text
    assert "> #" not in text


@pytest.mark.parametrize("content", ["Una oración de cinco palabras. " * 100, "palabra " * 500])
def test_a_long_passage_is_short_here(content: str):
    text = excerpt.answering(content, "palabra")
    assert len(text.split()) <= max(excerpt.WORDS + 20, 510 if "oración" not in content else 0)


def test_a_code_block_is_quoted_whole_blank_lines_included():
    code = "```xml\n<DTE>\n\n  # no es un título\n</DTE>\n```"
    text = excerpt.answering(f"Así:\n\n{code}\n\nFin.", "")
    assert "\n".join(f"> {line}".rstrip() for line in code.splitlines()) in text


def test_a_code_block_left_open_is_closed():
    answer = offline.compose([hit(content="```\nsin cierre", score=0.9)])
    assert "Respuesta sin IA" in markdown.markdown(answer, extensions=["fenced_code"])
    assert answer.count("```") == 2


def test_pieces_are_the_whole_answer():
    answer = offline.compose([hit(score=0.9), hit(score=0.9)])
    pieces = offline.pieces(answer)
    assert len(pieces) > 3
    assert "".join(pieces) == answer
