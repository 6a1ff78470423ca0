"""The readers: whatever form a document comes in, the rules see the same."""

import json
from datetime import date, datetime
from decimal import Decimal

import pytest

from dte.documents.document import Values, to_amount, to_moment, to_type
from dte.documents.envelope import Summary
from dte.judging.report import judge_xml
from dte.parsing.json import parse_json, read_json
from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import read_xml
from dte.rules.registry import Context
from tests.documents import AS_OF, TYPES, document, from_json, from_xml, to_xml
from tests.factories import envelope, signed

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("tipo", TYPES)
def test_xml_and_json_of_one_document_read_the_same(tipo):
    assert from_xml(to_xml(document(tipo))).data == from_json(document(tipo)).data


def test_a_document_is_read_by_paths():
    dte = from_xml(to_xml(document(33)))
    assert dte.tipo == 33
    assert dte.issued == date(2026, 3, 2)
    assert dte.amount("Detalle[1]/QtyItem") == Decimal(2)
    assert dte.texts("Encabezado/Emisor/Acteco") == ("463020",)
    assert dte.text("Encabezado/Nada/Nunca") == ""
    assert dte.amount("Encabezado/Emisor/RznSoc") is None
    assert dte.find("Detalle[9]/NmbItem") is None
    assert dte.has("Encabezado/Emisor")
    assert not dte.has("Referencia")
    (line,) = dte.lines
    assert line.path("NmbItem") == "Detalle[1]/NmbItem"


def test_lines_of_the_file_are_found_for_any_path():
    raw = to_xml(document(61))
    dte = from_xml(raw)
    lines = raw.splitlines()
    for path in ("Encabezado/Totales/IVA", "Detalle[1]/MontoItem", "Referencia[1]/CodRef"):
        assert path.rpartition("/")[2].encode() in lines[dte.line_of(path) - 1]
    assert b"<Totales>" in lines[dte.line_of("Encabezado/Totales/MntExe") - 1]


def test_rows_of_rows_know_their_place():
    doc = document(33, {"Detalle[1]/CdgItem": [{"TpoCodigo": "INT", "VlrCodigo": "7"}]})
    (line,) = from_json(doc).lines
    (row,) = line.rows("CdgItem")
    assert row.path("VlrCodigo") == "Detalle[1]/CdgItem[1]/VlrCodigo"


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "windows-1252", "UTF-16"])
def test_the_declared_encoding_is_the_one_read(encoding):
    text = to_xml(document(33)).decode("iso-8859-1").partition("?>")[2]
    raw = f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding)
    assert from_xml(raw).text("Encabezado/Emisor/CmnaOrigen") == "Chillán"


def test_a_byte_order_mark_is_no_fault():
    raw = (
        b"\xef\xbb\xbf"
        + to_xml(document(33)).partition(b"?>")[2].lstrip().decode("iso-8859-1").encode()
    )
    assert from_xml(raw).tipo == 33


def test_a_document_without_namespace_is_read_and_noticed():
    raw = signed(33, namespace=False)
    report = judge_xml(read_xml(raw), Context(as_of=AS_OF))
    assert "XML-04" in {found.code for found in report.documents[0].findings}
    assert report.documents[0].summary["type"] == 33


def test_prefixes_declared_outside_a_document_are_known_inside():
    inner = to_xml(document(33)).partition(b"?>")[2].decode("iso-8859-1")
    inner = inner.replace(' xmlns="http://www.sii.cl/SiiDte"', "").strip()
    inner = inner.replace("</", "</s:").replace("<", "<s:").replace("<s:/s:", "</s:")
    raw = (
        f'<s:EnvioDTE xmlns:s="http://www.sii.cl/SiiDte"><s:SetDTE ID="a">{inner}'
        "</s:SetDTE></s:EnvioDTE>"
    ).encode()
    dte = next(read_xml(raw).documents())
    assert dte.tipo == 33
    assert dte.xml.namespace == "http://www.sii.cl/SiiDte"


@pytest.mark.parametrize(
    "around",
    [
        "<!-- <DTE> -->{}<!-- </DTE> -->",
        "<?nota <DTE> ?>{}",
        "{}<!-- <![CDATA[ </DTE> ]]> -->",
    ],
)
def test_tags_inside_comments_are_no_documents(around):
    inner = to_xml(document(33)).partition(b"?>")[2].decode("iso-8859-1").strip()
    file = read_xml(around.format(inner).encode())
    assert len(file.fragments) == 1
    assert next(file.documents()).tipo == 33


def test_an_envelope_gives_its_documents_with_the_lines_of_the_file():
    raw = envelope([signed(33), signed(61)])
    file = read_xml(raw)
    first, second = file.documents()
    assert (first.tipo, second.tipo) == (33, 61)
    line = raw.splitlines()[second.line_of("Encabezado/IdDoc/TipoDTE") - 1]
    assert b"<TipoDTE>61" in line
    assert file.envelope.caratula.text("RutReceptor") == "60803000-K"
    assert Summary.of(second, 2).references == (("33", "77", "1", ""),)


def test_a_document_without_body_is_a_finding_not_a_failure():
    report = judge_xml(read_xml(b'<DTE version="1.0"/>'), Context(as_of=AS_OF))
    assert {"XSD-01", "TIP-01"} <= {found.code for found in report.documents[0].findings}


def test_a_wrapped_json_document_is_unwrapped():
    assert from_json({"DTE": {"Documento": document(33)}}).tipo == 33
    assert from_json({"Exportaciones": document(110)}).kind == "Exportaciones"


@pytest.mark.parametrize("wrapper", ["dte", "DTE", "documento"])
def test_what_other_services_wrap_documents_in_is_stepped_into(wrapper):
    others = {"response": ["PDF", "FOLIO"], "custom": {"x": 1}}
    dte = from_json({wrapper: document(33)} | others)
    assert (dte.form, dte.tipo) == ("json", 33)
    assert not dte.problems
    assert from_json({wrapper: {"tipo_dte": 33, "monto_total": 1}} | others).form == "legacy"


@pytest.mark.parametrize(
    ("given", "iva"),
    [
        ({"iva": 190}, "190"),
        ({"monto_iva": 190}, "190"),
        ({"monto_iva": 190, "iva": 7}, "190"),
        ({"monto_iva": None, "iva": 190}, "190"),
    ],
)
def test_the_flat_form_may_call_its_iva_so(given, iva):
    dte = from_json({"tipo_dte": 33, "monto_total": 1190, **given})
    assert dte.text("Encabezado/Totales/IVA") == iva


def test_the_flat_form_becomes_the_sii_structure():
    flat = {
        "tipo_dte": 33,
        "folio": "7",
        "rut_emisor": "CL76.192.083-9",
        "monto_total": 1190.0,
        "items": [{"nombre": "Pan", "monto": 10, "exento": True}],
        "otra_cosa": {"x": 1},
    }
    dte = read_json(parse_json(json.dumps(flat).encode()))
    assert dte.form == "legacy"
    assert dte.issuer == "76192083-9"
    assert dte.text("Encabezado/Totales/MntTotal") == "1190"
    assert dte.text("Detalle[1]/IndExe") == "1"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"monto_total": "mil"}, "monto_total"),
        ({"monto_total": 0}, "monto_total"),
        ({"monto_total": 10**12}, "monto_total"),
        ({"fecha_emision": "ayer"}, "fecha_emision"),
        ({"items": "pan"}, "items"),
        ({"items": ["pan"]}, "items[1]"),
        ({"tipo_dte": [33]}, "tipo_dte"),
        ({"tipo_dte": None}, "tipo_dte"),
    ],
)
def test_a_flat_form_with_wrong_types_is_explained(change, path):
    flat = {"tipo_dte": 33, "monto_total": 1190, "fecha_emision": "2026-03-02", "items": []}
    dte = read_json(parse_json(json.dumps(flat | change).encode()))
    assert path in {problem.path for problem in dte.problems}
    assert {problem.code for problem in dte.problems} == {"LEG-01"}


@pytest.mark.parametrize("value", [{}, {"DTE": {}}, {"Documento": {"TED": {}}}, {"factura": 1}])
def test_an_object_of_neither_form_has_no_structure(value):
    with pytest.raises(Unreadable) as refused:
        read_json(value)
    assert refused.value.code == "JSN-01"


def test_every_digit_of_a_number_survives():
    value = parse_json(b'{"a": 12345678901234567890.10, "b": 1E2, "c": -0}')
    assert value["a"] == "12345678901234567890.10"
    assert value["b"].plain() == "100"


def test_a_repeated_key_is_named():
    with pytest.raises(Unreadable, match="folio"):
        parse_json(b'{"x": {"folio": 1, "folio": 2}}')


def test_accessors_forgive_what_is_not_there():
    values = Values({"a": "x", "b": [{"c": "1"}, "no"], "d": {"e": "2026-03-02T10:00:00"}})
    assert values.amount("a") is None
    assert values.rows("a") == ()
    assert values.texts("d") == ()
    assert [row.text("c") for row in values.rows("b")] == ["1", ""]
    assert values.date("d/e") == date(2026, 3, 2)
    assert values.moment("d/e") == datetime.fromisoformat("2026-03-02T10:00:00-03:00")
    assert to_moment("x") is None
    assert to_type("33") == 33
    assert to_type("treinta") == to_type("99999") == 0
    assert to_amount(" 1.50 ") == Decimal("1.50")
    assert to_amount("1e5") is None
