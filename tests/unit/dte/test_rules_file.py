"""Families XML, XSD, TIP, JSN and LEG: each rule fires on its fault and is silent without it."""

from datetime import date
from decimal import Decimal

import pytest

from dte.judging.report import judge_xml
from dte.parsing.json import read_json
from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import read_xml
from dte.rules import engine
from dte.rules.engine import judge
from dte.rules.findings import plain, spell
from dte.rules.registry import REGISTRY, Context, by_reader, rule
from tests.documents import AS_OF, TYPES, codes, document, from_json, from_xml, to_xml
from tests.factories import envelope, signed

pytestmark = pytest.mark.unit

both_forms = pytest.mark.parametrize("form", ["xml", "json"])
CONTEXT = Context(as_of=AS_OF)
FLAT = {
    "tipo_dte": "33",
    "rut_emisor": "76192083-9",
    "rut_receptor": "77120455-4",
    "fecha_emision": "2026-03-02",
    "folio": "1",
    "monto_total": "1190",
    "items": [],
}


def raised(raw):
    report = judge_xml(read_xml(raw), CONTEXT)
    return {found.code for judged in report.everything for found in judged.findings}


@pytest.mark.parametrize("tipo", TYPES)
@both_forms
def test_a_valid_document_raises_none_of_these(tipo, form):
    families = {"XML", "XSD", "TIP", "JSN", "LEG"}
    assert not {code for code in codes(document(tipo), form) if code[:3] in families}


def test_another_encoding_is_noticed_once():
    raw = to_xml(document(33)).replace(b"ISO-8859-1", b"windows-1252")
    assert "XML-03" in raised(raw)
    assert "XML-03" not in raised(to_xml(document(33)))


@pytest.mark.parametrize("name", [b"iso-8859-1", b"ISO8859-1", b"latin1"])
def test_the_siis_encoding_has_several_names(name):
    assert "XML-03" not in raised(to_xml(document(33)).replace(b"ISO-8859-1", name))


@pytest.mark.parametrize("name", [b"ISO-8859-2", b"ISO-8859-15", b"UTF-8"])
def test_another_encoding_of_plain_markup_is_read(name):
    raw = signed(33, {"Detalle[1]/NmbItem": "Harina", "Encabezado/Receptor/CmnaRecep": "Talca"})
    raw = raw.decode("iso-8859-1").encode("ascii", errors="xmlcharrefreplace")
    assert "XML-03" in raised(raw.replace(b"ISO-8859-1", name))


def test_an_encoding_no_parser_knows_is_refused():
    with pytest.raises(Unreadable, match="latin-1"):
        read_xml(to_xml(document(33)).replace(b"ISO-8859-1", b"latin-1"))


def test_the_euro_of_iso_8859_15_is_a_character_the_sii_does_not_have():
    raw = to_xml(document(33)).replace(b"ISO-8859-1", b"ISO-8859-15")
    assert "XML-06" not in raised(raw)
    assert "XML-06" in raised(raw.replace(b"Harina", b"Harina a \xa4 5"))


def test_a_document_out_of_its_namespace_is_noticed():
    raw = to_xml(document(33))
    assert "XML-04" in raised(raw.replace(b"www.sii.cl/SiiDte", b"example.cl/otro"))
    assert "XML-04" not in raised(raw)


@both_forms
@pytest.mark.parametrize(
    ("text", "severity"),
    [("Harina — 25 kg", "reject"), ("Harina 😀", "reject"), ("Harina \x85", "review")],
)
def test_characters_the_sii_does_not_have_are_found(text, severity, form):
    doc = document(33, {"Detalle[1]/NmbItem": text})
    raw = to_xml(doc) if form == "xml" else None
    dte = from_xml(raw) if raw else from_json(doc)
    (found,) = (found for found in judge(dte, CONTEXT) if found.code == "XML-06")
    assert found.path == "Detalle[1]/NmbItem"
    assert found.severity == severity


@both_forms
def test_accents_are_no_fault(form):
    assert "XML-06" not in codes(document(33, {"Detalle[1]/NmbItem": "Ñandú ½ kg «é»"}), form)


def test_two_elements_with_one_id_are_found():
    first, second = signed(33), signed(61)
    assert "XML-08" not in raised(envelope([first, second]))
    twice = envelope([first, first])
    assert "XML-08" in raised(twice)
    assert "XML-08" in raised(to_xml(document(33)).replace(b"<IdDoc>", b'<IdDoc ID="F1">'))


def test_a_text_or_a_comment_is_no_id():
    raw = to_xml(document(33, {"Detalle[1]/DscItem": 'pieza ID="F1", con ID="F1"'}))
    assert "XML-08" not in raised(raw)
    assert "XML-08" not in raised(raw.replace(b"<IdDoc>", b'<!-- ID="F1" --><IdDoc>'))


@both_forms
@pytest.mark.parametrize("tipo", ["30", "914", ""])
def test_a_type_that_is_no_dte_is_rejected(tipo, form):
    assert "TIP-01" in codes(document(33, {"Encabezado/IdDoc/TipoDTE": tipo}), form)


def test_a_version_other_than_1_0_is_rejected():
    raw = to_xml(document(33))
    assert "TIP-02" not in raised(raw)
    assert "TIP-02" in raised(raw.replace(b'version="1.0"', b'version="2.0"'))
    assert "TIP-02" in raised(raw.replace(b' version="1.0"', b""))


def test_a_field_that_does_not_exist_is_a_warning_in_json():
    doc = document(33)
    doc["Encabezado"]["IdDoc"]["FormaPago"] = "1"
    assert "JSN-03" in codes(doc, "json")


def test_the_flat_form_says_that_it_is_partial_and_what_it_lacks():
    whole = {found.code for found in judge(read_json(FLAT), CONTEXT)}
    assert "LEG-02" in whole
    assert "LEG-01" not in whole
    lacking = {name: value for name, value in FLAT.items() if name != "tipo_dte"}
    assert "LEG-01" in {found.code for found in judge(read_json(lacking), CONTEXT)}


def test_a_broken_rule_is_a_finding_to_review_and_hides_no_other(monkeypatch):
    def broken(dte, ctx):
        raise RuntimeError

    spoiled = REGISTRY["RUT-01"]
    monkeypatch.setitem(
        REGISTRY, "RUT-01", type(spoiled)(**{**_fields(spoiled), "function": broken})
    )
    engine.plan.cache_clear()
    try:
        findings = judge(from_json(document(33, {"Encabezado/Receptor/RUTRecep": "1-1"})), CONTEXT)
    finally:
        engine.plan.cache_clear()
    assert next(found for found in findings if found.code == "RUT-01").severity == "review"
    assert "RUT-02" in {found.code for found in findings}


def _fields(unit):
    return {name: getattr(unit, name) for name in type(unit).__slots__}


@pytest.mark.parametrize("code", [unit.code for unit in REGISTRY.values() if unit.given])
def test_a_rule_about_optional_data_has_nothing_to_say_without_it(code):
    unit = REGISTRY[code]
    for tipo in sorted(unit.types):
        for doc in (document(tipo), document(tipo, {"Encabezado/Totales": {"MntTotal": "7"}})):
            dte = from_json(_without(doc, unit.given))
            assert unit.given.isdisjoint(dte.present)
            assert list(unit.function(dte, CONTEXT)) == []


def _without(doc, paths):
    """Take paths away; a field of a repeated zone from each of its rows."""
    for path in paths:
        *groups, name = path.split("/")
        nodes = [doc]
        for group in groups:
            found = [node.get(group, {}) for node in nodes]
            nodes = [row for one in found for row in (one if isinstance(one, list) else [one])]
        for node in nodes:
            node.pop(name, None)
    return doc


def test_a_code_is_registered_once():
    with pytest.raises(ValueError, match="twice"):
        rule("RUT-01", title="x", fix="x", source="x", sii="aviso", severity="warn")(by_reader)


def test_a_document_of_many_faults_is_shown_a_few_of_each():
    line = document(33)["Detalle"][0]
    doc = document(33, {"Detalle": [{**line, "NroLinDet": str(n)} for n in range(2, 50)]})
    findings = [found for found in judge(from_json(doc), CONTEXT) if found.code == "DET-02"]
    assert len(findings) == engine.MAX_FINDINGS_PER_RULE


def test_an_envelope_answers_with_each_document_and_texts_that_say_which():
    bad = signed(33, {"Encabezado/Receptor/RUTRecep": "1-1"})
    report = judge_xml(read_xml(envelope([signed(33), bad])), CONTEXT)
    answer = report.as_dict()
    assert answer["recommendation"] == "reject"
    assert [one["number"] for one in answer["documents"]] == [1, 2]
    assert any(text.startswith("Documento 2: [RUT-02]") for text in answer["errors"])
    assert answer["document"]["documents"] == 2
    many = judge_xml(read_xml(envelope([bad] * 60)), CONTEXT).as_dict()
    assert len(many["errors"]) == 51


@pytest.mark.parametrize(
    ("value", "words", "json"),
    [
        (Decimal("1234567.50"), "1.234.567,5", "1234567.50"),
        (Decimal("1190.00"), "1.190", 1190),
        (1190, "1.190", 1190),
        (None, "nada", None),
        (True, "sí", True),
        (date(2026, 3, 2), "2026-03-02", "2026-03-02"),
        ((Decimal(1), "a"), "1, a", [1, "a"]),
    ],
)
def test_values_are_written_as_chileans_read_them_and_kept_exact(value, words, json):
    assert spell(value) == words
    assert plain(value) == json
