"""Citations are readable by whoever gets the finding."""

import re

import pytest

from dte.rules import REGISTRY
from dte.rules.catalogue import render
from dte.rules.registry import FAMILIES
from dte.rules.sources import SOURCES, spell_out

pytestmark = pytest.mark.unit


def test_short_names_are_written_out():
    assert spell_out("F2.2 p.27 campo 124; LAPP REF-3-415") == (
        "Formato DTE v2.2 del SII (2019) p.27 campo 124; "
        "respuestas del SII publicadas por LibreDTE (app community) REF-3-415"
    )


def test_what_only_looks_like_one_is_left_alone():
    assert spell_out("campo FE-1, SIFE y ODOO17") == "campo FE-1, SIFE y ODOO17"


@pytest.mark.parametrize("code", sorted(REGISTRY))
def test_no_rule_answers_with_a_short_name(code):
    source = REGISTRY[code].source
    assert source
    assert not set(re.findall(r"[\w.]+", source)) & set(SOURCES)


@pytest.mark.parametrize("code", sorted(REGISTRY))
def test_every_family_says_what_it_is_about(code):
    assert FAMILIES[REGISTRY[code].family]


def test_the_catalogue_marks_what_only_practice_tells():
    page = render()
    told = [unit for unit in REGISTRY.values() if unit.from_practice]
    assert {"XML-09", "ENV-10", "REF-16"} <= {unit.code for unit in told}
    assert f"Las {len(told)} marcadas" in page
    for unit in told:
        assert f"### {unit.code} (práctica): " in page
        assert re.match(r"práctica: \d+ informes?", unit.source)
        assert unit.confidence != "n/a"


PLACEHOLDER = re.compile(r"\{([^}]*)\}")
ENGLISH = {
    "name",
    "number",
    "reason",
    "problem",
    "field",
    "first",
    "last",
    "issuer",
    "count",
    "stamp",
}


@pytest.mark.parametrize("code", sorted(REGISTRY))
def test_the_values_of_a_message_are_named_in_spanish(code):
    assert not ENGLISH & set(PLACEHOLDER.findall(REGISTRY[code].message))
