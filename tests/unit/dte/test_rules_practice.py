"""What the SII was seen to do beyond its documents: each kind of report in several instances.

Every case is a signed document or envelope of the factory; ``test_..._left_alone`` is what looks alike
and is right.
"""

import pytest

from dte.judging.report import judge_xml
from dte.parsing.xml import read_xml
from dte.rules.registry import Context
from tests.documents import AS_OF, BUYER, DELETE, document, findings
from tests.factories import DECLARATION, envelope, signed
from tests.factories.judged import codes, finding

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("caf_authority")]

TOTALS = "Encabezado/Totales"
IDDOC = "Encabezado/IdDoc"
SII = "http://www.sii.cl/SiiDte"
both_forms = pytest.mark.parametrize("form", ["xml", "json"])


def json_codes(tipo, changes, form="json", **context):
    return {found.code: found for found in findings(document(tipo, changes), form, **context)}


def verdict(raw, **context):
    return judge_xml(read_xml(raw), Context(**{"as_of": AS_OF, **context})).recommendation


# --- The file -------------------------------------------------------------------------------------


def one_line(raw):
    """A file without line breaks but the first."""
    head, _, rest = raw.partition(b"\n")
    return head + b"\n" + b"".join(line.strip() for line in rest.split(b"\n"))


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (one_line(signed(33, {"Detalle[1]/DscItem": "x" * 900})), 2),
        (one_line(envelope([signed(33)])), 2),
        (one_line(envelope([signed(39)], kind="EnvioBOLETA")), 2),
        (one_line(envelope([signed(33)])).replace(b"\n", b"\r\n"), 2),
        (envelope([signed(33)]).replace(b"<SetDTE", b"<!--" + b"-x" * 2100 + b"--><SetDTE"), 3),
        (
            envelope([signed(33, {"Detalle[1]/DscItem": "x" * 900}), one_line(signed(61))]),
            None,
        ),
    ],
)
def test_a_line_longer_than_the_sii_reads_is_found(raw, line):
    found = finding(raw, "XML-09")
    assert found.severity == "reject"
    shown = raw.split(b"\n")[found.values["linea"] - 1].rstrip(b"\r")
    assert found.values["largo"] == len(shown) > 4090
    assert found.line == found.values["linea"]
    assert line is None or found.line == line


def padded(length):
    """An envelope with a line of exactly that many characters."""
    raw = envelope([signed(33)])
    return raw.replace(b"\n<SetDTE", b"\n<!--" + b"x" * (length - 7) + b"-->\n<SetDTE")


@pytest.mark.parametrize(("length", "found"), [(4090, False), (4091, True)])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_a_line_may_have_4090_characters(length, found, ends):
    assert ("XML-09" in codes(padded(length).replace(b"\n", ends))) is found


def test_a_long_line_of_what_was_received_is_left_alone():
    assert "XML-09" not in codes(one_line(envelope([signed(33)])), mode="reception")


@pytest.mark.parametrize(
    ("kind", "schema", "severity"),
    [
        ("EnvioDTE", None, "reject"),
        ("EnvioBOLETA", None, "reject"),
        ("EnvioBOLETA", f"{SII} EnvioDTE_v10.xsd", "reject"),
        ("EnvioBOLETA", f"{SII} EnvioBOLETA_v10.xsd", "reject"),
        ("EnvioDTE", f"{SII} EnvioBOLETA_v11.xsd", "reject"),
        ("EnvioDTE", f"{SII} DTE_v10.xsd", "reject"),
        ("EnvioDTE", SII, "reject"),
        ("EnvioDTE", "EnvioDTE_v10.xsd", "reject"),
        ("EnvioDTE", "http://www.sii.cl/Otro EnvioDTE_v10.xsd", "reject"),
        ("EnvioDTE", f"{SII} EnvioDTE_v10.xsd", None),
        ("EnvioDTE", f"{SII}\n  EnvioDTE_v10.xsd", None),
        ("EnvioDTE", f"{SII} http://www.sii.cl/schema/EnvioDTE_v10.xsd", None),
        ("EnvioBOLETA", f"{SII} EnvioBOLETA_v11.xsd", None),
    ],
)
def test_an_envelope_names_its_own_schema(kind, schema, severity):
    raw = envelope([signed(39 if kind == "EnvioBOLETA" else 33)], kind=kind, schema=schema)
    found = finding(raw, "ENV-10")
    assert (found.severity if found else None) == severity
    assert "ENV-10" not in codes(raw, mode="reception")


def test_an_envelope_for_the_customer_is_only_warned_of_its_schema():
    raw = envelope([signed(33)], schema=None, caratula={"RutReceptor": BUYER})
    assert finding(raw, "ENV-10").severity == "warn"


@pytest.mark.parametrize(
    ("declaration", "found"),
    [
        ('<?xml version="1.0" encoding="ISO-8859-1" standalone="no"?>', True),
        ("<?xml version='1.0' encoding='ISO-8859-1' standalone='no' ?>", True),
        ('<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>', False),
        (DECLARATION.strip(), False),
    ],
)
def test_a_declaration_that_says_standalone_no_is_found(declaration, found):
    for raw in (
        envelope([signed(33), signed(61)], declaration=f"{declaration}\n"),
        signed(33).replace(DECLARATION.encode(), f"{declaration}\n".encode()),
    ):
        shown = [one for one in [finding(raw, "XML-10")] if one]
        assert [one.severity for one in shown] == (["review"] if found else [])
        assert "XML-10" not in codes(raw, mode="reception")


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("Encabezado/Receptor/CmnaRecep", "CuricÃ³", "Curicó"),
        ("Encabezado/Emisor/CmnaOrigen", "ChillÃ¡n", "Chillán"),
        ("Encabezado/Emisor/DirOrigen", "Ã\x91uble NÂ° 5", "Ñuble N° 5"),
        ("Detalle[1]/DscItem", "PiÃ±a en almÃ­bar", "Piña en almíbar"),
        ("Detalle[1]/NmbItem", "AzÃºcar", "Azúcar"),
    ],
)
@both_forms
def test_text_that_was_encoded_twice_is_found(path, text, expected, form):
    found = json_codes(33, {path: text}, form)
    assert found["XML-11"].severity == "warn"
    assert found["XML-11"].values["esperado"] == expected
    assert "XML-06" not in found


def test_text_encoded_twice_in_utf_8_is_found():
    raw = signed(33, {"Encabezado/Receptor/CmnaRecep": "CuricÃ³"})
    raw = raw.decode("iso-8859-1").replace("ISO-8859-1", "UTF-8").encode()
    assert finding(raw, "XML-11").values["texto"] == "CuricÃ³"


@pytest.mark.parametrize("text", ["SÃO PAULO", "Ñandú «Ó»", "Âncora", "café ½ ³", "A ± 5"])
@both_forms
def test_text_that_only_looks_so_is_left_alone(text, form):
    assert "XML-11" not in json_codes(33, {"Detalle[1]/NmbItem": text}, form)


# --- What the document says -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tipo", "referred", "code", "severity"),
    [
        (61, "34", "1", "reject"),
        (61, "41", "1", "reject"),
        (61, "32", "1", "reject"),
        (61, "38", "1", "reject"),
        (61, "34", "3", "review"),
        (56, "34", "3", "review"),
        (61, "33", "1", None),
        (61, "39", "1", None),
        (61, "34", DELETE, None),
    ],
)
@both_forms
def test_a_note_on_an_exempt_document_is_exempt(tipo, referred, code, severity, form):
    changes = {"Referencia[1]/TpoDocRef": referred, "Referencia[1]/CodRef": code}
    found = json_codes(tipo, changes, form).get("REF-16")
    assert (found.severity if found else None) == severity


@both_forms
def test_an_exempt_note_on_an_exempt_document_is_left_alone(form):
    totals = {"MntExe": "1000", "MntTotal": "1000"}
    changes = {
        "Referencia[1]/TpoDocRef": "34",
        TOTALS: totals,
        "Detalle[1]/IndExe": "1",
    }
    assert "REF-16" not in json_codes(61, changes, form)


@pytest.mark.parametrize(
    ("tipo", "totals", "fields"),
    [
        (34, {"MntNeto": "0", "TasaIVA": "19", "IVA": "0"}, {"MntNeto", "TasaIVA", "IVA"}),
        (34, {"TasaIVA": "19"}, {"TasaIVA"}),
        (34, {"IVA": "0"}, {"IVA"}),
        (41, {"MntNeto": "0"}, {"MntNeto"}),
        (41, {"IVA": "0"}, {"IVA"}),
        (34, {}, set()),
    ],
)
@both_forms
def test_an_exempt_document_has_no_place_for_iva(tipo, totals, fields, form):
    changes = {f"{TOTALS}/{name}": amount for name, amount in totals.items()}
    found = [f for f in findings(document(tipo, changes), form) if f.code == "TOT-06"]
    assert {f.path.rpartition("/")[2] for f in found} == fields
    assert {f.severity for f in found} <= {"review"}


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"Encabezado/Transporte": {"Aduana": {"CodModVenta": "1"}}}, "warn"),
        ({"Encabezado/Transporte": {"Aduana": {"CodModVenta": "2"}}}, "warn"),
        (
            {"Encabezado/Transporte": {"Aduana": {"CodModVenta": "1", "CodClauVenta": "5"}}},
            "review",
        ),
        ({}, "review"),
    ],
)
@both_forms
def test_goods_with_their_kind_of_sale_alone_are_sent(changes, severity, form):
    doc = document(110, {f"{IDDOC}/IndServicio": DELETE, **changes})
    found = [f for f in findings(doc, form) if f.code == "EXP-07"]
    assert [f.severity for f in found] == [severity]


PAID_NOTHING = {f"{IDDOC}/FmaPagExp": "21"}
OTHER = "Encabezado/OtraMoneda"


@pytest.mark.parametrize("tipo", [110, 111, 112])
@pytest.mark.parametrize(
    ("total", "exempt", "found"),
    [("0", "0", None), ("950000", "950000", "MntTotOtrMnda"), ("0", "950000", "MntExeOtrMnda"),
     ("0.00", DELETE, None)],
)  # fmt: skip
@both_forms
def test_without_payment_the_other_currency_is_zero(tipo, total, exempt, found, form):
    changes = {f"{OTHER}/MntTotOtrMnda": total, f"{OTHER}/MntExeOtrMnda": exempt}
    raised = json_codes(tipo, PAID_NOTHING | changes, form)
    assert "EXP-05" not in raised
    assert (raised["EXP-06"].values["campo"] if "EXP-06" in raised else None) == found
    assert found is None or raised["EXP-06"].severity == "warn"


@pytest.mark.parametrize(("pesos", "found"), [("950001", False), ("949998", True), ("95000", True)])
def test_the_other_currency_agrees_to_the_peso(pesos, found):
    assert ("EXP-05" in json_codes(110, {f"{OTHER}/MntTotOtrMnda": pesos})) is found


@pytest.mark.parametrize("dispatch", ["1", "2", "3"])
@both_forms
def test_an_internal_transfer_has_no_dispatch(dispatch, form):
    changes = {
        f"{IDDOC}/IndTraslado": "5",
        f"{IDDOC}/TipoDespacho": dispatch,
        "Encabezado/Receptor/RUTRecep": "76192083-9",
    }
    found = json_codes(52, changes, form)
    assert found["GUI-11"].severity == "warn"
    assert "GUI-08" not in found
    assert "GUI-11" not in json_codes(52, {f"{IDDOC}/TipoDespacho": dispatch}, form)
    assert "GUI-11" not in json_codes(52, changes | {f"{IDDOC}/TipoDespacho": DELETE}, form)


@pytest.mark.parametrize(
    ("tipo", "referred", "severity"),
    [(56, "33", "reject"), (56, "34", "reject"), (56, "39", "reject"), (56, "56", "reject"),
     (56, "61", None), (56, "60", None), (61, "61", "review"), (61, "33", None)],
)  # fmt: skip
@both_forms
def test_a_debit_note_annuls_credit_notes_alone(tipo, referred, severity, form):
    found = json_codes(tipo, {"Referencia[1]/TpoDocRef": referred}, form).get("REF-15")
    assert (found.severity if found else None) == severity


@pytest.mark.parametrize(
    ("indicators", "severity"),
    [(["1"], "reject"), (["1", "1"], "reject"), (["1", "2"], "review"), (["1", None], None)],
)
@both_forms
def test_an_invoice_has_a_taxed_line(indicators, severity, form):
    line = {"NmbItem": "Harina", "MontoItem": "500"}
    lines = [
        {"NroLinDet": str(n), **line, **({"IndExe": indicator} if indicator else {})}
        for n, indicator in enumerate(indicators, 1)
    ]
    found = json_codes(33, {"Detalle": lines}, form).get("DET-09")
    assert (found.severity if found else None) == severity


@pytest.mark.parametrize(
    ("code", "rate", "found"),
    [("15", None, True), ("30", None, True), ("41", None, True), ("15", "19", False),
     ("49", None, False), ("24", None, False), ("28", None, False)],
)  # fmt: skip
@pytest.mark.parametrize("tipo", [46, 56, 61])
@both_forms
def test_a_retention_states_its_rate(tipo, code, rate, found, form):
    row = {"TipoImp": code, "MontoImp": "190"} | ({"TasaImp": rate} if rate else {})
    raised = json_codes(tipo, {f"{TOTALS}/ImptoReten": [row]}, form)
    assert ("TOT-08" in raised) is found
    assert not found or raised["TOT-08"].fix.startswith("Agregue TasaImp 1")


def discounted(tipo, kind, move, value, total):
    row = {"NroLinDR": "1", "TpoMov": move, "TpoValor": kind, "ValorDR": value}
    net = round(int(total) / 1.19)
    amounts = (
        {"MntNeto": str(net), "IVA": str(int(total) - net)} if tipo == 39 else {"MntExe": total}
    )
    return {"DscRcgGlobal": [row], TOTALS: amounts | {"MntTotal": total}}


@pytest.mark.parametrize("tipo", [39, 41])
@pytest.mark.parametrize(
    ("kind", "move", "value", "total"),
    [("$", "D", "119", "1071"), ("%", "D", "10", "1071"), ("$", "R", "100", "1290"),
     ("%", "R", "5", "1250")],
)  # fmt: skip
@both_forms
def test_a_boleta_has_no_global_discount(tipo, kind, move, value, total, form):
    found = json_codes(tipo, discounted(tipo, kind, move, value, total), form)["BOL-02"]
    assert found.severity == "review"
    assert found.values == {"declarado": int(total), "calculado": 1190}
    assert "Reparta" in found.fix


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({TOTALS: {"MntTotal": "1190"}}, "review"),
        ({TOTALS: {"MntTotal": "1190", "IVA": "190"}}, "review"),
        ({TOTALS: {"MntTotal": "1190", "MntNeto": "0", "IVA": "0"}}, "review"),
        ({TOTALS: {"MntTotal": "1190"}, f"{IDDOC}/FchEmis": "2020-12-31"}, None),
        ({TOTALS: {"MntTotal": "1190", "MntExe": "1190"}, "Detalle[1]/IndExe": "1"}, None),
        ({}, None),
    ],
)
@both_forms
def test_a_taxed_boleta_states_net_and_iva(changes, severity, form):
    found = json_codes(39, changes, form).get("BOL-07")
    assert (found.severity if found else None) == severity


@pytest.mark.parametrize(
    ("path", "code", "found"),
    [
        ("CodPaisRecep", "225", False),
        ("CodPaisRecep", "800", True),
        ("CodPtoEmbarque", "905", False),
        ("CodPtoDesemb", "999", True),
        ("CodClauVenta", "5", False),
        ("CodClauVenta", "19", True),
        ("CodModVenta", "01", False),
        ("CodModVenta", "7", True),
        ("CodViaTransp", "2", True),
        ("CodUnidPesoBruto", "6", False),
        ("CodUnidPesoNeto", "50", True),
    ],
)
@both_forms
def test_customs_codes_are_of_their_tables(path, code, found, form):
    customs = {"Encabezado/Transporte": {"Aduana": {path: code}}}
    assert ("EXP-11" in json_codes(110, customs, form)) is found


def test_a_package_of_no_table_is_found():
    row = {"CodTpoBultos": "14", "CantBultos": "1", "Marcas": "X"}
    found = json_codes(110, {"Encabezado/Transporte": {"Aduana": {"TipoBultos": [row]}}})["EXP-11"]
    assert (
        found.message
        == "CodTpoBultos vale 14, que no está en la tabla de tipos de bulto de Aduanas."
    )
