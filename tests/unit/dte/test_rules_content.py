"""Dates, folio, header, lines, discounts, totals, taxes, boletas: each rule fires on its fault only.

Every case takes a valid document of a type, spoils it in one place and names the code that must appear,
in XML and in JSON.
"""

from datetime import timedelta

import pytest

from dte.judging.report import judge_xml
from dte.parsing.xml import read_xml
from dte.rules.registry import Context
from tests.documents import (
    AS_OF,
    DELETE,
    TYPES,
    codes,
    document,
    findings,
    from_json,
    to_xml,
)

pytestmark = pytest.mark.unit

both_forms = pytest.mark.parametrize("form", ["xml", "json"])
FAMILIES = ("FEC", "FOL", "ENC", "DET", "DRG", "TOT", "BOL")

IDDOC = "Encabezado/IdDoc"
TOTALS = "Encabezado/Totales"
DISCOUNT = {"NroLinDR": "1", "TpoMov": "D", "TpoValor": "%", "ValorDR": "10"}
TAX_24 = {"TipoImp": "24", "TasaImp": "31.5", "MontoImp": "315"}

FAULTS = [
    ("FEC-01", 33, {f"{IDDOC}/FchEmis": "2003-03-31"}),
    ("FEC-01", 33, {f"{IDDOC}/FchEmis": "2051-01-01"}),
    ("FEC-01", 33, {f"{IDDOC}/FchEmis": "2026-02-30"}),
    ("FEC-01", 33, {f"{IDDOC}/FchEmis": DELETE}),
    ("FEC-02", 33, {f"{IDDOC}/FchEmis": "2026-03-03"}),
    ("FEC-03", 33, {f"{IDDOC}/FchEmis": "2026-02-26"}),
    ("FEC-05", 33, {f"{IDDOC}/FchVenc": "2026-03-01"}),
    (
        "FEC-06",
        33,
        {f"{IDDOC}/PeriodoDesde": "2026-02-28", f"{IDDOC}/PeriodoHasta": "2026-02-01"},
    ),
    ("FEC-07", 33, {f"{IDDOC}/FchCancel": "2026-03-04"}),
    ("FEC-08", 61, {"Referencia[1]/FchRef": "2026-03-03"}),
    ("FEC-08", 61, {"Referencia[1]/FchRef": "2002-07-31"}),
    ("FOL-01", 33, {f"{IDDOC}/Folio": "0"}),
    ("FOL-01", 33, {f"{IDDOC}/Folio": "12345678901"}),
    ("FOL-01", 33, {f"{IDDOC}/Folio": "12a"}),
    ("ENC-01", 33, {"Encabezado/Emisor/RznSoc": " "}),
    ("ENC-01", 39, {"Encabezado/Emisor/RznSocEmisor": DELETE}),
    ("ENC-02", 33, {"Encabezado/Emisor/GiroEmis": DELETE}),
    ("ENC-03", 61, {"Encabezado/Emisor/Acteco": DELETE}),
    ("ENC-04", 110, {"Encabezado/Emisor/DirOrigen": DELETE}),
    ("ENC-05", 52, {"Encabezado/Emisor/CmnaOrigen": DELETE}),
    ("ENC-06", 34, {"Encabezado/Receptor/GiroRecep": DELETE}),
    ("ENC-07", 46, {"Encabezado/Receptor/DirRecep": DELETE}),
    ("ENC-07", 110, {"Encabezado/Receptor/DirRecep": DELETE}),
    ("ENC-08", 33, {"Encabezado/Receptor/CmnaRecep": DELETE}),
    ("ENC-09", 56, {"Encabezado/Receptor/RznSocRecep": DELETE}),
    ("ENC-10", 33, {f"{IDDOC}/FmaPago": DELETE}),
    ("ENC-11", 56, {f"{IDDOC}/IndNoRebaja": "1"}),
    ("ENC-12", 33, {f"{IDDOC}/MntBruto": "1", "Detalle[1]/CodImpAdic": ["24"]}),
    ("ENC-13", 33, {f"{IDDOC}/IndTraslado": "1"}),
    ("ENC-13", 61, {f"{IDDOC}/TipoDespacho": "1"}),
    ("ENC-14", 33, {f"{IDDOC}/IndServicio": "1"}),
    ("ENC-15", 33, {f"{IDDOC}/TipoFactEsp": "1"}),
    ("ENC-15", 61, {f"{IDDOC}/TipoFactEsp": "1"}),
    ("ENC-17", 33, {f"{IDDOC}/MntPagos": [{"FchPago": "2026-03-02", "MntPago": "1000"}]}),
    ("DET-01", 33, {"Detalle": []}),
    ("DET-02", 33, {"Detalle[1]/NroLinDet": "2"}),
    ("DET-03", 33, {"Detalle[1]/NmbItem": " "}),
    ("DET-04", 33, {"Detalle[1]/MontoItem": "1010"}),
    ("DET-04", 110, {"Detalle[1]/MontoItem": "1000.5"}),
    ("DET-04", 39, {"Detalle[1]/QtyItem": DELETE, "Detalle[1]/MontoItem": "1200"}),
    ("DET-05", 33, {"Detalle[1]/DescuentoPct": "10"}),
    ("DET-06", 33, {"Detalle[1]/DescuentoPct": "10", "Detalle[1]/DescuentoMonto": "50"}),
    ("DET-07", 33, {"Detalle[1]/IndExe": "4"}),
    ("DET-08", 33, {"Detalle[1]/IndExe": "5"}),
    ("DET-08", 34, {"Detalle[1]/IndExe": "3"}),
    ("DET-08", 52, {"Detalle[1]/IndExe": "4", f"{IDDOC}/IndTraslado": "5"}),
    ("DET-08", 41, {"Detalle[1]/IndExe": "4"}),
    ("DET-09", 33, {"Detalle[1]/IndExe": "1"}),
    ("DET-11", 33, {"Detalle[1]/CodImpAdic": ["19"]}),
    ("DET-12", 33, {"Detalle[1]/Subcantidad": [{"SubQty": "3", "SubCod": "A"}]}),
    ("DET-13", 52, {"Detalle[1]/QtyItem": DELETE}),
    ("DRG-01", 33, {"DscRcgGlobal": [DISCOUNT | {"NroLinDR": "2"}]}),
    ("DRG-02", 33, {"DscRcgGlobal": [DISCOUNT | {"ValorDR": "101"}]}),
    ("DRG-03", 33, {"DscRcgGlobal": [DISCOUNT | {"IndExeDR": "1"}]}),
    ("DRG-03", 34, {"DscRcgGlobal": [DISCOUNT]}),
    (
        "DRG-04",
        33,
        {
            "DscRcgGlobal": [DISCOUNT | {"TpoValor": "$", "ValorDR": "5"}],
            "Detalle[2]": {
                "NroLinDet": "2",
                "NmbItem": "Pisco",
                "CodImpAdic": ["24"],
                "MontoItem": "0",
            },
        },
    ),
    ("DRG-05", 43, {"DscRcgGlobal": [DISCOUNT]}),
    ("TOT-01", 33, {f"{TOTALS}/MntNeto": "1002"}),
    ("TOT-01", 33, {"DscRcgGlobal": [DISCOUNT]}),
    ("TOT-02", 34, {f"{TOTALS}/MntExe": "1002"}),
    ("TOT-02", 110, {f"{TOTALS}/MntExe": "1000.05"}),
    ("TOT-03", 33, {f"{TOTALS}/TasaIVA": "18"}),
    ("TOT-04", 33, {f"{TOTALS}/IVA": "192"}),
    ("TOT-05", 33, {f"{TOTALS}/IVA": DELETE}),
    ("TOT-06", 34, {f"{TOTALS}/IVA": "190"}),
    ("TOT-07", 33, {f"{TOTALS}/ImptoReten": [TAX_24 | {"TipoImp": "15"}]}),
    ("TOT-07", 46, {"Detalle[1]/CodImpAdic": ["24"]}),
    ("TOT-08", 33, {f"{TOTALS}/ImptoReten": [TAX_24 | {"TasaImp": "27"}]}),
    (
        "TOT-09",
        33,
        {
            f"{TOTALS}/ImptoReten": [TAX_24 | {"MontoImp": "330"}],
            "Detalle[1]/CodImpAdic": ["24"],
        },
    ),
    ("TOT-10", 33, {"Detalle[1]/CodImpAdic": ["24"]}),
    ("TOT-10", 33, {f"{TOTALS}/ImptoReten": [TAX_24]}),
    ("TOT-11", 46, {f"{TOTALS}/IVANoRet": "50"}),
    ("TOT-12", 33, {f"{TOTALS}/CredEC": "100"}),
    ("TOT-13", 33, {f"{TOTALS}/MntTotal": "1192"}),
    ("TOT-13", 43, {f"{TOTALS}/MntTotal": "1190"}),
    ("TOT-14", 34, {f"{TOTALS}/MontoNF": "100"}),
    ("TOT-15", 33, {f"{TOTALS}/MontoPeriodo": "1200"}),
    ("TOT-16", 33, {f"{TOTALS}/IVAProp": "100", f"{TOTALS}/IVATerc": "50"}),
    ("TOT-16", 33, {f"{TOTALS}/IVAProp": "200"}),
    ("TOT-17", 33, {f"{TOTALS}/GrntDep": "100"}),
    ("TOT-18", 33, {"Detalle[1]/MontoItem": "-1000"}),
    ("TOT-18", 33, {f"{TOTALS}/MntNeto": "-1000"}),
    ("TOT-19", 33, {f"{TOTALS}/MntTotal": "0"}),
    ("TOT-20", 33, {f"{TOTALS}/VlrPagar": "1200"}),
    ("BOL-01", 39, {f"{IDDOC}/IndServicio": DELETE}),
    ("BOL-02", 39, {f"{TOTALS}/MntTotal": "1416"}),
    ("BOL-03", 39, {f"{TOTALS}/MntNeto": "964", f"{TOTALS}/IVA": "226"}),
    ("BOL-03", 39, {f"{TOTALS}/IVA": "226"}),
    ("BOL-04", 39, {f"{IDDOC}/IndServicio": "2"}),
    ("BOL-05", 41, {f"{TOTALS}/MntTotal": "6000000"}),
]


@both_forms
@pytest.mark.parametrize("tipo", TYPES)
def test_a_valid_document_breaks_none_of_them(tipo, form):
    assert not {code for code in codes(document(tipo), form) if code.startswith(FAMILIES)}


@both_forms
@pytest.mark.parametrize(("code", "tipo", "changes"), FAULTS)
def test_the_fault_is_found(code, tipo, changes, form):
    assert code in codes(document(tipo, changes), form)


@both_forms
@pytest.mark.parametrize(
    ("code", "tipo", "changes"),
    [
        ("FEC-01", 33, {f"{IDDOC}/FchEmis": "2003-04-01"}),
        ("FEC-03", 33, {f"{IDDOC}/FchEmis": "2026-02-27"}),
        ("FEC-05", 33, {f"{IDDOC}/FchVenc": "2026-03-02"}),
        ("FEC-08", 112, {"Referencia[1]/FchRef": "1950-01-01"}),
        ("FOL-01", 33, {f"{IDDOC}/Folio": "9999999999"}),
        ("ENC-14", 33, {f"{IDDOC}/IndServicio": "1", f"{IDDOC}/FchVenc": "2026-03-20"}),
        ("ENC-17", 33, {f"{IDDOC}/MntPagos": [{"FchPago": "2026-03-02", "MntPago": "1190"}]}),
        # Half a peso rounds up: 1,5 × 333 = 499,5.
        (
            "DET-04",
            33,
            {
                "Detalle[1]/QtyItem": "1.5",
                "Detalle[1]/PrcItem": "333",
                "Detalle[1]/MontoItem": "500",
            },
        ),
        ("DET-06", 33, {"Detalle[1]/DescuentoPct": "10", "Detalle[1]/DescuentoMonto": "100"}),
        ("DET-08", 52, {"Detalle[1]/IndExe": "4"}),
        ("DET-11", 33, {"Detalle[1]/CodImpAdic": ["24"]}),
        ("DRG-02", 33, {"DscRcgGlobal": [DISCOUNT | {"TpoMov": "R", "ValorDR": "150"}]}),
        ("TOT-01", 33, {f"{TOTALS}/MntNeto": "1001"}),
        ("TOT-03", 33, {f"{TOTALS}/TasaIVA": "18", f"{IDDOC}/FchEmis": "2003-09-30"}),
        ("TOT-04", 33, {f"{TOTALS}/IVA": "191"}),
        ("TOT-08", 33, {f"{TOTALS}/ImptoReten": [TAX_24]}),
        ("TOT-16", 33, {f"{TOTALS}/IVAProp": "100", f"{TOTALS}/IVATerc": "90"}),
        ("TOT-19", 33, {f"{TOTALS}/MntTotal": "0", f"{IDDOC}/FmaPago": "3"}),
        ("TOT-20", 33, {f"{TOTALS}/VlrPagar": "1300", f"{TOTALS}/SaldoAnterior": "110"}),
        ("BOL-03", 39, {f"{TOTALS}/MntNeto": DELETE, f"{TOTALS}/IVA": DELETE}),
        ("BOL-05", 41, {f"{TOTALS}/MntTotal": "5186252"}),
    ],
)
def test_what_is_right_is_left_alone(code, tipo, changes, form):
    assert code not in codes(document(tipo, changes), form)


@both_forms
def test_gross_lines_are_divided_by_the_rate(form):
    gross = document(
        33,
        {
            f"{IDDOC}/MntBruto": "1",
            "Detalle[1]/PrcItem": "595",
            "Detalle[1]/MontoItem": "1190",
        },
    )
    assert not {code for code in codes(gross, form) if code.startswith("TOT")}


@both_forms
def test_global_discounts_reach_net_and_exempt_by_their_indicator(form):
    mixed = document(
        33,
        {
            "Detalle[2]": {
                "NroLinDet": "2",
                "NmbItem": "Libro de recetas",
                "IndExe": "1",
                "MontoItem": "500",
            },
            "DscRcgGlobal": [
                DISCOUNT,
                DISCOUNT | {"NroLinDR": "2", "TpoValor": "$", "ValorDR": "100", "IndExeDR": "1"},
            ],
            f"{TOTALS}/MntNeto": "900",
            f"{TOTALS}/MntExe": "400",
            f"{TOTALS}/IVA": "171",
            f"{TOTALS}/MntTotal": "1471",
        },
    )
    assert not {code for code in codes(mixed, form) if code.startswith(("TOT", "DRG"))}


@both_forms
def test_retained_iva_is_subtracted_and_additional_tax_added(form):
    spirits = document(
        33,
        {
            "Detalle[1]/CodImpAdic": ["24"],
            f"{TOTALS}/ImptoReten": [TAX_24],
            f"{TOTALS}/MntTotal": "1505",
        },
    )
    assert not {code for code in codes(spirits, form) if code.startswith("TOT")}
    # The valid factura de compra retains all of its IVA: 1000 + 190 - 190.
    assert "TOT-13" in codes(document(46, {f"{TOTALS}/MntTotal": "1190"}), form)


@both_forms
def test_a_boleta_with_net_lines_adds_the_iva(form):
    net = document(
        39,
        {
            f"{IDDOC}/IndMntNeto": "2",
            "Detalle[1]/PrcItem": "1000",
            "Detalle[1]/MontoItem": "1000",
        },
    )
    assert "BOL-02" not in codes(net, form)


def test_the_message_carries_the_values():
    found = findings(document(33, {f"{TOTALS}/MntTotal": "1192"}))
    total = next(finding for finding in found if finding.code == "TOT-13")

    assert "1.192" in total.message
    assert "1.190" in total.message
    assert total.values == {"declarado": 1192, "calculado": 1190}


def test_a_milder_case_is_milder():
    export = findings(document(110, {"Encabezado/Receptor/DirRecep": DELETE}))
    assert next(f.severity for f in export if f.code == "ENC-07") == "warn"


def test_lateness_is_judged_before_sending_only():
    assert "FEC-03" not in codes(document(33), mode="reception", as_of=AS_OF + timedelta(days=20))
    assert "FEC-03" in codes(document(33), mode="emission", as_of=AS_OF + timedelta(days=20))


def test_the_flat_form_is_summed_by_quantity_and_price():
    from dte.rules.engine import judge

    flat = {
        "tipo_dte": "33",
        "folio": 5,
        "fecha_emision": "2026-03-02",
        "rut_emisor": "76192083-9",
        "rut_receptor": "77120455-4",
        "monto_neto": 1100,
        "monto_iva": 209,
        "monto_total": 1309,
        "items": [{"nombre": "Harina", "cantidad": 2, "precio_unitario": 500, "monto": 1100}],
    }
    found = {finding.code for finding in judge(from_json(flat), Context(as_of=AS_OF))}

    assert {"TOT-01", "DET-04"} <= found
    assert not {"TOT-04", "TOT-13"} & found


def _stamped(folio: str = "123", *, stamp: str = "", signed: str = "") -> bytes:
    xml = to_xml(document(33, {f"{IDDOC}/Folio": folio}))
    ted = (
        "<TED><DD><CAF><DA><RNG><D>100</D><H>200</H></RNG><FA>2026-02-01</FA></DA></CAF>"
        f"<TSTED>{stamp}</TSTED></DD></TED><TmstFirma>{signed}</TmstFirma>"
    )
    return xml.replace(b"</Documento>", ted.encode() + b"</Documento>")


@pytest.mark.parametrize(
    ("stamp", "signed", "found"),
    [
        ("2026-01-31T23:59:59", "2026-03-02T10:00:00", {"FEC-04"}),
        ("2026-03-02T10:00:01", "2026-03-02T10:00:00", {"FEC-09"}),
        ("2026-02-01T00:00:00", "2026-02-01T00:00:00", set()),
        ("ayer", "hoy", set()),
    ],
)
def test_caf_stamp_and_signature_come_in_that_order(stamp, signed, found):
    report = judge_xml(read_xml(_stamped(stamp=stamp, signed=signed)), Context(as_of=AS_OF))
    codes_found = {finding.code for finding in report.documents[0].findings}
    assert codes_found & {"FEC-04", "FEC-09"} == found


@pytest.mark.parametrize(("folio", "found"), [("99", True), ("100", False), ("201", True)])
def test_the_folio_must_be_in_the_range_of_its_caf(folio, found):
    report = judge_xml(read_xml(_stamped(folio)), Context(as_of=AS_OF))
    assert ("FOL-02" in {finding.code for finding in report.documents[0].findings}) is found


def _envelope(kind: str, *documents: bytes, caratula: bytes = b"") -> bytes:
    inside = b"".join(xml.split(b"?>", 1)[1] for xml in documents)
    root = kind.encode()
    return (
        b'<?xml version="1.0" encoding="ISO-8859-1"?><'
        + root
        + b' xmlns="http://www.sii.cl/SiiDte" version="1.0"><SetDTE ID="S"><Caratula>'
        + caratula
        + b"</Caratula>"
        + inside
        + b"</SetDTE></"
        + root
        + b">"
    )


@pytest.mark.parametrize(
    ("kind", "tipos", "found"),
    [
        ("EnvioDTE", (33, 33), "FOL-03"),
        ("EnvioDTE", (33, 39), "BOL-06"),
        ("EnvioBOLETA", (39, 33), "BOL-06"),
    ],
)
def test_an_envelope_holds_each_document_once_and_only_its_own_kind(kind, tipos, found):
    xml = _envelope(kind, *(to_xml(document(tipo)) for tipo in tipos))
    report = judge_xml(read_xml(xml), Context(as_of=AS_OF))
    assert found in {finding.code for judged in report.everything for finding in judged.findings}


class OneEarlier:
    def __init__(self, outcome="", *, same_content=True):
        from dte.rules.registry import Earlier

        self.earlier_one = Earlier(same_content, outcome, total=None, received_same=same_content)

    def earlier(self, issuer, tipo, folio):
        return self.earlier_one


@pytest.mark.parametrize(
    ("outcome", "mode", "code"),
    [
        ("accepted", "emission", "FOL-04"),
        ("objected", "emission", "FOL-04"),
        ("annulled", "emission", "FOL-05"),
        ("", "reception", "FOL-04"),
        ("rejected", "emission", None),
        ("", "emission", None),
    ],
)
def test_history_tells_a_used_folio_from_a_second_look(outcome, mode, code):
    found = codes(document(33), mode=mode, history=OneEarlier(outcome))
    assert {c for c in found if c in {"FOL-04", "FOL-05"}} == ({code} if code else set())


@pytest.mark.parametrize(("resolution", "found"), [("2026-03-02", False), ("2026-03-03", True)])
def test_a_document_is_not_older_than_the_resolution_of_its_envelope(resolution, found):
    caratula = f"<FchResol>{resolution}</FchResol>".encode()
    xml = _envelope("EnvioDTE", to_xml(document(33)), caratula=caratula)
    report = judge_xml(read_xml(xml), Context(as_of=AS_OF))
    assert ("FEC-10" in {finding.code for finding in report.documents[0].findings}) is found
