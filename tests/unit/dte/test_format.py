"""The format table: one set of fields judges XML and JSON alike, and says what is wrong."""

import pytest

from dte.formato.outline import outline, parse_outline
from dte.formato.values import compile_check
from tests.documents import DELETE, TYPES, codes, document, findings, from_json, from_xml, to_xml

pytestmark = pytest.mark.unit

both_forms = pytest.mark.parametrize("form", ["xml", "json"])


def problems(doc, form):
    code = {"xml": "XSD-01", "json": "JSN-02"}[form]
    return {
        finding.path: finding
        for finding in findings(doc, form)
        if finding.code == code and finding.path not in {"TED", "TmstFirma"}
    }


@both_forms
@pytest.mark.parametrize("tipo", TYPES)
def test_a_valid_document_of_every_type_follows_the_format(tipo, form):
    assert not problems(document(tipo), form)


@both_forms
@pytest.mark.parametrize(
    ("tipo", "path", "value", "says"),
    [
        (33, "Encabezado/Receptor/GiroRecep", "x" * 41, "41 caracteres y el máximo es 40"),
        (33, "Encabezado/Emisor/GiroEmis", "", "está vacío"),
        (33, "Encabezado/IdDoc/TipoDespacho", "4", "los valores admitidos son 1, 2, 3"),
        (33, "Encabezado/IdDoc/MedioPago", "XX", "CH, LT, EF"),
        (33, "Encabezado/Totales/MntTotal", "mil", "debe ser un número entero"),
        (33, "Encabezado/Totales/MntTotal", "1190.5", "debe ser un número entero"),
        (33, "Encabezado/Totales/MntTotal", "-1", "el mínimo es 0"),
        (33, "Encabezado/Totales/MntTotal", "1" * 19, "más de 18 dígitos"),
        (33, "Encabezado/Totales/MntTotal", "1" * 41, "número imposible"),
        (33, "Detalle[1]/NroLinDet", "100", "el máximo es 99"),
        (33, "Detalle[1]/QtyItem", "0", "el mínimo es 0.000001"),
        (33, "Detalle[1]/QtyItem", "1.1234567", "admite 6 decimales"),
        (33, "Detalle[1]/QtyItem", "dos", "debe ser un número"),
        (33, "Detalle[1]/DescuentoPct", "1000", "el máximo es 999.99"),
        (33, "Detalle[1]/PrcItem", "1234567890123.5", "el máximo es"),
        (33, "Encabezado/IdDoc/FchVenc", "02-03-2026", "fecha AAAA-MM-DD"),
        (33, "Encabezado/IdDoc/FchVenc", "2026-02-30", "fecha AAAA-MM-DD"),
        (33, "Encabezado/IdDoc/FchVenc", "1999-12-31", "entre 2000-01-01 y 2050-12-31"),
        (52, "Encabezado/Transporte/HraSalida", "25:00:00", "una hora hh:mm:ss"),
        (52, "Encabezado/Transporte/RUTTrans", "7.777.777-7", "un RUT sin puntos"),
        (110, "Encabezado/Totales/TpoMoneda", "USD", "los de la tabla del SII"),
        (46, "Detalle[1]/CodImpAdic", "99", "los de la tabla del SII"),
        (39, "Encabezado/IdDoc/IndServicio", "7", "los valores admitidos son 1, 2, 3, 4"),
        (39, "Encabezado/IdDoc/FchEmis", "ayer", "fecha AAAA-MM-DD"),
    ],
)
def test_a_value_that_does_not_fit_is_explained(tipo, path, value, says, form):
    found = problems(document(tipo, {path: value}), form)
    place = path if path != "Detalle[1]/CodImpAdic" else "Detalle[1]/CodImpAdic[1]"
    assert says in found[place].message
    if form == "xml":
        assert found[place].line


@both_forms
def test_a_missing_field_is_named(form):
    found = problems(document(33, {"Encabezado/Receptor/RUTRecep": DELETE}), form)
    assert "es obligatorio y no viene" in found["Encabezado/Receptor/RUTRecep"].message


@both_forms
def test_a_zone_of_another_type_does_not_exist(form):
    doc = document(43, {"DscRcgGlobal": [{"NroLinDR": "1", "TpoMov": "D"}]})
    unknown = {"xml": "XSD-01", "json": "JSN-03"}[form]
    assert unknown in codes(doc, form)


@both_forms
def test_too_many_rows_are_one_problem(form):
    line = document(33)["Detalle"][0]
    doc = document(33, {"Detalle": [{**line, "NroLinDet": str(n)} for n in range(1, 66)]})
    found = problems(doc, form)
    assert len(found) == 1
    assert "más de 60 veces" in next(iter(found.values())).message


def test_xml_fields_keep_their_order():
    raw = to_xml(document(33))
    swapped = raw.replace(
        b"<Folio>123</Folio>\n        <FchEmis>2026-03-02</FchEmis>",
        b"<FchEmis>2026-03-02</FchEmis><Folio>123</Folio>",
    )
    assert swapped != raw
    (problem,) = (p for p in from_xml(swapped).problems if "orden" in p.text)
    assert problem.path == "Encabezado/IdDoc/Folio"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"<Folio>123</Folio>", b"<Folio>123</Folio><Folio>124</Folio>", "viene repetido"),
        (b"<Folio>123</Folio>", b"<Folio><b>123</b></Folio>", "contiene etiquetas"),
        (b"<Folio>123</Folio>", b"<Folio>123</Folio><Otro>1</Otro>", "no existe en el formato"),
        (b"<Folio>123</Folio>", b"<Folio>123</Folio>suelto", "texto suelto"),
        (b"<IdDoc>", b"<IdDoc>suelto", "texto suelto"),
        (b' ID="F1"', b"", "es obligatorio"),
        (b"<Documento ", b'<Documento xmlns="http://example.cl/" ', "otro espacio de nombres"),
        (b"<Totales>", b'<Totales xmlns="http://example.cl/">', "otro espacio de nombres"),
    ],
)
def test_xml_structure_is_judged(old, new, says):
    raw = to_xml(document(33)).replace(old, new, 1)
    assert any(says in problem.text for problem in from_xml(raw).problems)


def test_comments_and_character_data_are_not_structure():
    raw = to_xml(document(33)).replace(b"<Folio>123", b"<!-- x --><Folio><![CDATA[123]]>")
    dte = from_xml(raw)
    assert dte.folio == "123"
    assert {problem.path for problem in dte.problems} == {"TED", "TmstFirma"}


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("Encabezado/Emisor", "x", "debe ser un objeto"),
        ("Encabezado/IdDoc/Folio", {"a": 1}, "debe ser un texto o un número"),
        ("Encabezado/IdDoc/FchEmis", 20260302, "fecha AAAA-MM-DD"),
        ("Detalle", [1], "debe ser un objeto"),
    ],
)
def test_json_structure_is_judged(path, value, says):
    found = problems(document(33, {path: value}), "json")
    assert any(says in finding.message for finding in found.values())


def test_json_numbers_may_be_numbers_or_texts_and_floats_of_an_erp_are_whole():
    doc = document(33)
    doc["Encabezado"]["Totales"]["MntTotal"] = 1190.0
    doc["Encabezado"]["IdDoc"]["Folio"] = 123
    doc["Detalle"][0]["QtyItem"] = 2e0
    dte = from_json(doc)
    assert not dte.problems
    assert dte.text("Encabezado/Totales/MntTotal") == "1190"


def test_json_null_is_absent_and_one_row_is_a_list():
    doc = document(33, {"Encabezado/IdDoc/FchVenc": None})
    doc["Encabezado"]["IdDoc"]["TermPagoGlosa"] = None
    doc["Detalle"] = doc["Detalle"][0]
    dte = from_json(doc)
    assert not dte.problems
    assert len(dte.lines) == 1


@pytest.mark.parametrize(
    ("code", "tipo", "changes"),
    [
        ("ENC-11", 43, {"Encabezado/IdDoc/IndNoRebaja": "1"}),
        ("ENC-11", 110, {"Encabezado/IdDoc/IndNoRebaja": 1}),
        ("ENC-13", 43, {"Encabezado/IdDoc/TipoDespacho": "1"}),
        ("ENC-13", 112, {"Encabezado/IdDoc/IndTraslado": "1"}),
        (
            "REF-11",
            43,
            {
                "Referencia": [
                    {
                        "NroLinRef": "1",
                        "TpoDocRef": "801",
                        "FolioRef": "1",
                        "FchRef": "2026-03-01",
                        "RUTOtr": "77120455-4",
                    }
                ]
            },
        ),
    ],
)
def test_a_field_of_another_type_is_judged_in_json_too(code, tipo, changes):
    raised = codes(document(tipo, changes))
    assert {code, "JSN-03"} <= raised
    assert code not in codes(document(tipo))


def test_a_field_that_no_type_has_is_not_read():
    doc = document(33, {"Comentario": "❤", "Encabezado/IdDoc/FchVenc": DELETE})
    assert codes(doc) == {"JSN-03"}


def test_what_a_converter_from_xml_writes_is_no_field():
    mark = {"@algoritmo": "SHA1withRSA", "#text": "QUJD"}
    doc = document(33, {"@ID": "F1"})
    doc["TED"] = {
        "@version": "1.0",
        "DD": {
            "RE": "76192083-9",
            "TD": "33",
            "F": "123",
            "FE": "2026-03-02",
            "RR": "77120455-4",
            "RSR": "Panificadora",
            "MNT": "1190",
            "IT1": "Harina",
            "CAF": {
                "@version": "1.0",
                "DA": {
                    "RE": "76192083-9",
                    "RS": "Molinos",
                    "TD": "33",
                    "FA": "2026-01-10",
                    "RNG": {"D": "1", "H": "500"},
                    "RSAPK": {"M": "QUJD", "E": "QUJD"},
                    "IDK": "300",
                },
                "FRMA": mark,
            },
            "TSTED": "2026-03-02T10:15:00",
        },
        "FRMT": mark,
    }
    doc["TmstFirma"] = "2026-03-02T10:15:02"
    assert codes({"DTE": {"@version": "1.0", "Documento": doc, "Signature": {}}}) == set()


def test_true_is_not_a_number():
    assert "JSN-04" in codes(document(33, {"Encabezado/Totales/MntTotal": True}))


@pytest.mark.parametrize(
    ("spec", "right", "wrong"),
    [
        ("opcion 1 2", ["1", "01", " 2 ", "+1"], ["3", "", "a", "1.0"]),
        ("codigo N T", ["N"], [" N", "n"]),
        ("entero ..", ["-5", "+5", "05"], ["5.0", "", "٣"]),
        ("decimal 0.01..10 4.2", ["10", "0.10", ".5", "5.", "10.000"], ["0", "10.001", "1e1", "."]),
        ("decimal .. 4.2", ["-99.99"], ["123.45", "12345"]),
        ("fecha", ["2026-03-02", "2026-03-02Z"], ["2026-3-2", "2051-01-01"]),
        (
            "fecha-hora",
            ["2026-03-02T10:00:00", "2026-03-02T10:00:00-03:00"],
            ["2026-03-02", "2026-03-02T24:00:00", "1999-03-02T10:00:00"],
        ),
        ("base64", ["QUJD", "QU\nJD", "QQ=="], ["", "ñ", "Q"]),
        ("rut", ["1-9", "76192083-9"], ["76192083-k", "123456789-1"]),
        ("texto", ["", "x" * 5000], []),
    ],
)
def test_values_are_read_as_xml_schema_does(spec, right, wrong):
    check = compile_check(spec)
    assert [text for text in right if check(text)] == []
    assert [text for text in wrong if not check(text)] == []


@pytest.mark.parametrize(
    "name", ["documento", "boleta", "liquidacion", "exportaciones", "caratula"]
)
def test_outlines_are_well_formed(name):
    assert outline(name).children


def test_a_line_that_is_not_an_outline_is_refused():
    with pytest.raises(ValueError, match="not an outline line"):
        parse_outline("x", ["Encabezado ¿"[:10] + "!"])
