"""Official texts named by a document's source."""

import re

import pytest

from knowledge.official import official_links

pytestmark = pytest.mark.unit


def test_questions_and_laws_are_linked_in_order_and_once():
    source = "SII, preguntas frecuentes 001.003.6533 y 001.380.7812; Ley 19.983, artículo 2; DL 825, 001.003.6533"

    links = official_links(source)

    assert [link["label"] for link in links] == [
        "001.003.6533",
        "001.380.7812",
        "Ley 19.983",
        "DL 825",
    ]
    assert links[0]["url"] == (
        "https://www.sii.cl/preguntas_frecuentes/factura_electronica/001_003_6533.htm"
    )
    assert links[2]["url"].endswith("idLey=19983")
    assert all(re.fullmatch(r"https://www\.(sii|bcn)\.cl/\S+", link["url"]) for link in links)


@pytest.mark.parametrize("source", ["", "Práctica general", "SII, pregunta frecuente 001.130.3753"])
def test_what_has_no_known_address_is_not_guessed(source: str):
    assert not official_links(source)
