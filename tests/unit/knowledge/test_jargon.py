"""Expressions of the trade in a question, and what they do to a search."""

import pytest

from knowledge.searching.jargon import Jargon

pytestmark = pytest.mark.unit

JARGON = Jargon(
    [("NC", "nota de crédito"), ("folio quemado", "folio anulado"), ("quemado", "roto")]
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("anular una NC", [("NC", "nota de crédito")]),
        ("nc, nc", [("nc", "nota de crédito"), ("nc", "nota de crédito")]),
        ("folios quemados", [("folios quemados", "folio anulado")]),
        ("se quemaron folios", [("quemaron", "roto")]),
        ("quemado y folio", [("quemado", "roto")]),
        ("encima de la mesa", []),
        ("", []),
    ],
)
def test_the_longest_expression_is_found_by_its_stems(text: str, found: list[tuple[str, str]]):
    assert [(text[f.start : f.end], f.meaning) for f in JARGON.find(text)] == found


def test_an_empty_list_finds_nothing():
    assert list(Jargon().find("una NC")) == []
    assert list(Jargon([("", "nada"), ("¿?", "nada")]).find("¿?")) == []
