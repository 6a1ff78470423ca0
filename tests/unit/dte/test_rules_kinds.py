"""References, guías, exports, liquidaciones and facturas de compra: each rule fires on its fault only."""

from decimal import Decimal

import pytest

from dte.judging.report import judge_xml
from dte.parsing.xml import read_xml
from dte.rules.registry import Context, Earlier
from tests.documents import AS_OF, DELETE, TYPES, codes, document, to_xml

pytestmark = pytest.mark.unit

both_forms = pytest.mark.parametrize("form", ["xml", "json"])
FAMILIES = ("REF", "GUI", "EXP", "LIQ", "FCO")

IDDOC = "Encabezado/IdDoc"
TOTALS = "Encabezado/Totales"
TRANSPORT = "Encabezado/Transporte"
CUSTOMS = f"{TRANSPORT}/Aduana"
GOODS = {
    f"{IDDOC}/IndServicio": DELETE,
    f"{CUSTOMS}/CodModVenta": "1",
    f"{CUSTOMS}/CodClauVenta": "5",
    f"{CUSTOMS}/TotClauVenta": "1000",
    f"{CUSTOMS}/CodViaTransp": "1",
    f"{CUSTOMS}/CodPtoEmbarque": "905",
    f"{CUSTOMS}/CodPtoDesemb": "561",
    f"{CUSTOMS}/TotBultos": "3",
    f"{CUSTOMS}/TipoBultos": [{"CodTpoBultos": "10", "CantBultos": "3", "Marcas": "NF-1"}],
    f"{CUSTOMS}/CodPaisRecep": "225",
    f"{CUSTOMS}/CodPaisDestin": "225",
}
SECOND = {"NroLinRef": "2", "TpoDocRef": "33", "FolioRef": "78", "FchRef": "2026-03-01"}
ORDER = {"NroLinRef": "1", "TpoDocRef": "801", "FolioRef": "OC-9", "FchRef": "2026-03-01"}
CONTAINER = {"CodTpoBultos": "75", "CantBultos": "3", "IdContainer": "MSKU1"}

FAULTS = [
    ("REF-01", 61, {"Referencia": []}),
    ("REF-02", 61, {"Referencia[1]/CodRef": DELETE}),
    ("REF-03", 61, {"Referencia[2]": SECOND}),
    ("REF-04", 61, {"Referencia[1]/CodRef": "2"}),
    ("REF-06", 61, {"Referencia[1]/TpoDocRef": "52"}),
    ("REF-06", 56, {"Referencia[1]/TpoDocRef": "801"}),
    ("REF-07", 112, {"Referencia[1]/TpoDocRef": "33"}),
    ("REF-08", 61, {"Referencia[1]/NroLinRef": "2"}),
    ("REF-09", 33, {"Referencia": [ORDER | {"TpoDocRef": "77", "FolioRef": "9"}]}),
    ("REF-09", 33, {"Referencia": [ORDER | {"TpoDocRef": "52"}]}),
    ("REF-10", 33, {"Referencia": [ORDER | {"FolioRef": "0"}]}),
    ("REF-10", 33, {"Referencia": [ORDER | {"IndGlobal": "1"}]}),
    ("REF-11", 33, {"Referencia": [ORDER | {"RUTOtr": "77120455-4"}]}),
    ("REF-11", 61, {"Referencia[1]/RUTOtr": "76192083-9"}),
    ("REF-12", 61, {"Referencia[1]/RazonRef": DELETE}),
    ("REF-13", 61, {"Referencia[1]/TpoDocRef": "61", "Referencia[1]/FolioRef": "0123"}),
    ("REF-14", 33, {"Referencia": [ORDER | {"NroLinRef": str(n)} for n in range(1, 42)]}),
    ("REF-15", 61, {"Referencia[1]/TpoDocRef": "61"}),
    ("REF-15", 56, {"Referencia[1]/TpoDocRef": "33"}),
    ("REF-15", 112, {"Referencia[1]/TpoDocRef": "112"}),
    ("REF-15", 111, {"Referencia[1]/TpoDocRef": "110"}),
    ("GUI-01", 52, {f"{IDDOC}/IndTraslado": DELETE}),
    ("GUI-02", 52, {f"{TOTALS}/MntTotal": "0"}),
    ("GUI-03", 52, {f"{IDDOC}/IndTraslado": "5"}),
    ("GUI-04", 52, {f"{IDDOC}/IndTraslado": "8"}),
    ("GUI-05", 52, {"Encabezado/Emisor/GuiaExport": {"CdgTraslado": "4"}}),
    ("GUI-06", 52, {f"{TRANSPORT}/CmnaDest": DELETE}),
    ("GUI-08", 52, {f"{IDDOC}/TipoDespacho": "2"}),
    ("GUI-09", 52, {f"{TRANSPORT}/Chofer": {"RUTChofer": "11111111-1"}}),
    ("GUI-10", 52, {f"{IDDOC}/FchEmis": "2026-05-01"}),
    ("EXP-01", 110, {f"{TOTALS}/TpoMoneda": "USD"}),
    ("EXP-02", 110, {f"{TOTALS}/MntTotal": "1000.02"}),
    ("EXP-03", 110, {"Encabezado/Receptor/RUTRecep": "77120455-4"}),
    ("EXP-04", 110, {"Encabezado/OtraMoneda": DELETE}),
    ("EXP-05", 110, {"Encabezado/OtraMoneda/MntTotOtrMnda": "950002"}),
    ("EXP-06", 110, {f"{IDDOC}/FmaPagExp": "21"}),
    ("EXP-07", 110, GOODS | {f"{CUSTOMS}/CodClauVenta": DELETE}),
    ("EXP-08", 110, GOODS | {f"{CUSTOMS}/TipoBultos[1]/Marcas": DELETE}),
    ("EXP-08", 110, GOODS | {f"{CUSTOMS}/TipoBultos": [CONTAINER]}),
    ("EXP-09", 110, GOODS | {f"{CUSTOMS}/TotBultos": "4"}),
    ("EXP-10", 110, {f"{IDDOC}/FmaPagExp": "32"}),
    ("LIQ-01", 43, {"Comisiones": []}),
    ("LIQ-02", 43, {"Detalle[1]/TpoDocLiq": DELETE}),
    ("LIQ-03", 43, {"Comisiones[1]/ValComNeto": "110"}),
    ("LIQ-05", 43, {"Comisiones[1]/ValComIVA": "30"}),
    ("FCO-01", 46, {f"{TOTALS}/ImptoReten": []}),
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
        ("REF-02", 61, {"Referencia[2]": ORDER | {"NroLinRef": "2"}}),
        ("REF-03", 61, {"Referencia[2]": ORDER | {"NroLinRef": "2"}}),
        ("REF-03", 61, {"Referencia[1]/CodRef": "3", "Referencia[2]": SECOND | {"CodRef": "3"}}),
        (
            "REF-04",
            61,
            {
                "Referencia[1]/CodRef": "2",
                f"{TOTALS}/MntTotal": "0",
                "Detalle[1]/MontoItem": "0",
            },
        ),
        ("REF-07", 112, {"Referencia[1]/TpoDocRef": "101"}),
        ("REF-09", 33, {"Referencia": [ORDER | {"TpoDocRef": "HES"}]}),
        ("REF-10", 33, {"Referencia": [ORDER | {"FolioRef": "0", "IndGlobal": "1"}]}),
        ("REF-11", 46, {"Referencia": [ORDER | {"RUTOtr": "77120455-4"}]}),
        ("REF-15", 61, {"Referencia[1]/TpoDocRef": "39"}),
        ("GUI-03", 52, {f"{IDDOC}/IndTraslado": "5", "Encabezado/Receptor/RUTRecep": "76192083-9"}),
        ("GUI-08", 52, {f"{IDDOC}/TipoDespacho": "2", f"{TRANSPORT}/Patente": "ABCD12"}),
        ("GUI-10", 52, {f"{IDDOC}/FchEmis": "2026-04-30"}),
        ("EXP-02", 110, {f"{TOTALS}/MntTotal": "0", f"{IDDOC}/FmaPagExp": "21"}),
        ("EXP-04", 110, {"Encabezado/OtraMoneda": DELETE, f"{TOTALS}/TpoMoneda": "PESO CL"}),
        ("EXP-04", 110, {"Encabezado/OtraMoneda": DELETE, f"{IDDOC}/FchEmis": "2017-05-30"}),
        ("EXP-05", 110, {"Encabezado/OtraMoneda/MntTotOtrMnda": "950001"}),
        ("EXP-07", 110, GOODS),
        ("EXP-08", 110, GOODS | {f"{CUSTOMS}/TipoBultos": [CONTAINER | {"Sello": "S-1"}]}),
        ("EXP-10", 110, {f"{IDDOC}/FmaPagExp": "32", f"{IDDOC}/FchCancel": "2026-03-01"}),
    ],
)
def test_what_is_right_is_left_alone(code, tipo, changes, form):
    assert code not in codes(document(tipo, changes), form)


class OneEarlier:
    """A history that knows one document, whichever is asked for."""

    def __init__(self, outcome="", total=None):
        self.known = Earlier(same_content=False, outcome=outcome, total=total)

    def expect(self, dte, digest):
        """Nothing to prepare."""

    def earlier(self, issuer, tipo, folio):
        return self.known


def test_history_knows_the_total_of_an_annulled_document():
    assert "REF-05" in codes(document(61), history=OneEarlier(total=Decimal(2380)))
    assert "REF-05" not in codes(document(61), history=OneEarlier(total=Decimal(1190)))


def test_history_knows_that_a_referenced_document_was_refused():
    assert "REF-17" in codes(document(61), history=OneEarlier("rejected"))
    assert "REF-17" not in codes(document(61), history=OneEarlier("accepted"))


@pytest.mark.parametrize(("total", "found"), [("1190", False), ("2380", True)])
def test_an_annulment_is_compared_with_its_invoice_in_the_same_envelope(total, found):
    invoice = document(33, {f"{IDDOC}/Folio": "77", f"{TOTALS}/MntTotal": total})
    inside = b"".join(to_xml(doc).split(b"?>", 1)[1] for doc in (invoice, document(61)))
    envelope = (
        b'<?xml version="1.0" encoding="ISO-8859-1"?><EnvioDTE xmlns="http://www.sii.cl/SiiDte" '
        b'version="1.0"><SetDTE ID="S"><Caratula/>' + inside + b"</SetDTE></EnvioDTE>"
    )
    note = judge_xml(read_xml(envelope), Context(as_of=AS_OF)).documents[1]
    assert ("REF-05" in {finding.code for finding in note.findings}) is found
