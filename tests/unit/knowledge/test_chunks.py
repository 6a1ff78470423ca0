"""Cutting documents into passages."""

import pytest

from knowledge.chunks import MAX_WORDS, cut

pytestmark = pytest.mark.unit


def test_cuts_at_headings_and_keeps_their_path():
    body = "# Guía\n\nIntro.\n\n## Tipos\n\nUno.\n\n### Traslado\n\nDos.\n\n## Plazos\n\nTres."
    chunks = cut(body, title="guia")
    assert [(c.section, c.content) for c in chunks] == [
        ("", "Intro."),
        ("Tipos", "Uno."),
        ("Tipos › Traslado", "Dos."),
        ("Plazos", "Tres."),
    ]
    assert [c.anchor for c in chunks] == ["inicio", "tipos", "tipos-traslado", "plazos"]


def test_a_first_heading_other_than_the_title_is_a_section():
    assert [c.section for c in cut("# Otro\n\nTexto.", title="Guía")] == ["Otro"]


def test_underlined_headings_count_but_a_rule_or_a_list_does_not():
    body = "Plazos\n------\n\nUno.\n\n---\n\n- a\n- b\n---\nDos."
    assert [(c.section, c.content.split()[0]) for c in cut(body, title="x")] == [("Plazos", "Uno.")]


def test_a_comment_in_code_is_no_heading():
    body = "## Ejemplo\n\n```python\n# no es un título\n\nx = 1\n```\n\nFin."
    (chunk,) = cut(body, title="x")
    assert "# no es un título\n\nx = 1" in chunk.content


def test_a_heading_without_text_below_makes_no_passage():
    assert [c.section for c in cut("# A\n\n## B\n\nTexto.", title="x")] == ["A › B"]


def test_splits_long_sections_between_blocks_and_loses_nothing():
    paragraphs = [f"p{i} " + "palabra " * 99 + f"fin{i}." for i in range(6)]
    chunks = cut("## Larga\n\n" + "\n\n".join(paragraphs), title="x")
    assert len(chunks) == 3
    assert all(len(c.content.split()) <= MAX_WORDS for c in chunks)
    assert [c.anchor for c in chunks] == ["larga", "larga~2", "larga~3"]
    assert " ".join(c.content for c in chunks).split() == " ".join(paragraphs).split()


@pytest.mark.parametrize(
    "block",
    [
        "| a | b |\n|---|---|\n" + "\n".join(f"| fila {i} | dato |" for i in range(200)),
        "```xml\n" + "\n\n".join(f"<DTE>{i} x</DTE>" for i in range(300)) + "\n```",
        "```\nsin cierre\n\n" + "palabra " * 400,
    ],
    ids=["table", "code", "open fence"],
)
def test_tables_and_code_stay_whole(block: str):
    chunks = cut(f"## T\n\nAntes.\n\n{block}", title="x")
    assert sum(block.strip() in c.content for c in chunks) == 1


@pytest.mark.parametrize(
    "text",
    ["palabra " * 1_000, "Una frase corta. " * 300, "- punto de lista\n" * 300],
    ids=["no stops", "sentences", "list"],
)
def test_one_endless_block_is_cut_to_size(text: str):
    chunks = cut(text, title="x")
    assert all(len(c.content.split()) <= MAX_WORDS for c in chunks)
    assert " ".join(c.content for c in chunks).split() == text.split()


def test_equal_headings_get_different_anchors_that_depend_on_nothing_else():
    body = "## Nota\n\nUno.\n\n## Nota\n\nDos.\n\n## Otra\n\nTres."
    anchors = [c.anchor for c in cut(body, title="x")]
    assert anchors == ["nota", "nota~2", "otra"]
    assert cut("## Nueva\n\nCero.\n\n" + body, title="x")[1].anchor == "nota"
