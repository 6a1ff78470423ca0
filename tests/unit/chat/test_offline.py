"""Answers without the model: quotes that stay well-formed Markdown."""

import re

import markdown
import pytest

from chat.answering import offline
from tests.chat import hit

pytestmark = pytest.mark.unit


def test_nothing_found_is_said_plainly():
    answer = offline.compose([])

    assert answer.startswith("No encontré nada sobre eso")


def test_passages_are_quoted_under_their_titles_with_their_sources():
    answer = offline.compose(
        [
            hit(title="Folios y CAF", section="Vencimiento", content="Vencen a los 6 meses."),
            hit(document_id="boletas", title="Boletas", content="No vencen.", source=""),
        ]
    )

    assert "### Folios y CAF" in answer
    assert "**1. Vencimiento**" in answer
    assert "> Vencen a los 6 meses." in answer
    assert "*Fuente: Resolución de prueba*" in answer
    assert "### Boletas" in answer
    assert "**2. Sección**" in answer
    assert answer.count("*Fuente:") == 1


def test_the_passages_of_one_document_share_its_title_and_source():
    answer = offline.compose([hit(section="A"), hit(document_id="otro"), hit(section="B")])

    assert answer.count("### ") == answer.count("*Fuente:") == 2
    assert answer.index("**1. A**") < answer.index("**3. B**") < answer.index("**2. Sección**")


def test_only_passages_close_to_the_best_are_worth_quoting():
    hits = [hit(score=0.9), hit(score=0.8), hit(score=0.2), hit(score=0.1)]

    assert offline.worth_quoting(hits) == hits[:2]
    assert len(offline.worth_quoting([hit()] * 9)) == offline.QUOTED
    assert offline.worth_quoting([]) == []


def test_every_line_of_a_quote_is_quoted():
    quote = offline.compose([hit(content="Uno.\n\n- a\n- b\n\n| x | y |\n|---|---|\n| 1 | 2 |")])

    body = quote.split("**1. Sección**")[1].split("*Fuente")[0].strip()
    assert all(line.startswith(">") for line in body.splitlines())


def test_a_table_in_a_quote_is_still_a_table():
    html = markdown.markdown(
        offline.compose([hit(content="| Código | Qué es |\n|---|---|\n| 33 | factura |")]),
        extensions=["tables"],
    )

    assert re.search(r"<blockquote>\s*<table>", html)


def test_headings_inside_a_passage_do_not_compete_with_the_titles():
    answer = offline.compose([hit(content="# Gran título\n\nTexto.")])

    assert "> **Gran título**" in answer
    assert "> #" not in answer


def test_a_long_passage_ends_at_a_paragraph():
    paragraphs = [f"Párrafo {n} " + "palabra " * 40 for n in range(10)]

    answer = offline.compose([hit(content="\n\n".join(paragraphs))])

    assert "> …" in answer
    assert "Párrafo 0" in answer
    assert "Párrafo 9" not in answer
    assert len(answer) < 2 * offline.EXCERPT


def test_one_overlong_paragraph_ends_at_a_sentence():
    answer = offline.compose([hit(content="Esta es una oración completa. " * 100)])

    assert "completa. …" in answer
    assert len(answer) < 2 * offline.EXCERPT


def test_a_code_block_is_quoted_whole_blank_lines_included():
    code = "```xml\n<DTE>\n\n  # no es un título\n</DTE>\n```"

    answer = offline.compose([hit(content=f"Así:\n\n{code}")])

    assert "\n".join(f"> {line}".rstrip() for line in code.splitlines()) in answer


def test_a_code_block_left_open_is_closed():
    html = markdown.markdown(
        offline.compose([hit(content="```\nsin cierre"), hit(document_id="otro", title="Segundo")]),
        extensions=["fenced_code"],
    )

    assert "Segundo</h3>" in html


def test_pieces_are_the_whole_answer():
    answer = offline.compose([hit(), hit()])

    pieces = offline.pieces(answer)
    assert len(pieces) > 3
    assert "".join(pieces) == answer
