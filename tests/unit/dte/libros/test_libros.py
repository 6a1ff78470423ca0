"""Books and reports of folios: structure, sums, signature, and that nobody asks for them any more."""

from datetime import UTC, datetime

import pytest

from dte.examining.examination import Case
from dte.examining.given import Given
from dte.kinds import recognise
from dte.models import Validation
from dte.parsing.unreadable import Unreadable
from tests.factories.keys import signer
from tests.factories.libros import folios, guides, iecv

pytestmark = [pytest.mark.unit, pytest.mark.django_db, pytest.mark.urls("dte.urls")]

PATH = "/api/dte/validate"


def examined(raw):
    given = Given(raw)
    return recognise(given).examine(given, Case(as_of=datetime(2026, 3, 5, tzinfo=UTC)))


ANNULLED = (
    ("<NroDoc>102</NroDoc>", "<NroDoc>102</NroDoc><Anulado>A</Anulado>"),
    ("<TotDoc>2</TotDoc>", "<TotDoc>2</TotDoc><TotAnulado>1</TotAnulado>"),
    ("<TotMntNeto>3000<", "<TotMntNeto>1000<"),
    ("<TotMntIVA>570<", "<TotMntIVA>190<"),
    ("<TotMntTotal>3570<", "<TotMntTotal>1190<"),
)
CORRECTED = (
    ("MENSUAL", "RECTIFICA"),
    ("<TipoEnvio>TOTAL</TipoEnvio>", "<TipoEnvio>TOTAL</TipoEnvio><CodAutRec>ABC123</CodAutRec>"),
)
CANCELLED = (
    ("<Anulado>1<", "<Anulado>2<"),
    ("<TotFolAnulado>1</TotFolAnulado>", "<TotGuiaAnulada>1</TotGuiaAnulada>"),
)
EXEMPT = (
    "<Resumen><TipoDocumento>41</TipoDocumento><MntExento>500</MntExento><MntTotal>500</MntTotal>"
    "<FoliosEmitidos>1</FoliosEmitidos><FoliosAnulados>0</FoliosAnulados>"
    "<FoliosUtilizados>1</FoliosUtilizados>"
    "<RangoUtilizados><Inicial>3</Inicial><Final>3</Final></RangoUtilizados></Resumen>"
)
VALID = {
    "sales": iecv,
    "purchases": lambda: iecv((("VENTA", "COMPRA"),)),
    "a corrected book": lambda: iecv(CORRECTED),
    "an annulled document": lambda: iecv(ANNULLED),
    "guías": guides,
    "a guía annulled after it was sent": lambda: guides(CANCELLED),
    "folios": folios,
    "folios of a day without sales": lambda: folios(idle=True),
    "folios of two types": lambda: folios((("</Resumen>", f"</Resumen>{EXEMPT}"),)),
}
EXPIRED = {"end": datetime(2026, 1, 1, tzinfo=UTC)}
FAULTY = {
    "a field nobody knows": (lambda: iecv((("<NroDoc>", "<Otro>1</Otro><NroDoc>"),)), "LIB-01"),
    "no period": (lambda: iecv((("<PeriodoTributario>2026-02</PeriodoTributario>", ""),)), "LIB-01"),
    "a guía without folio": (lambda: guides((("<Folio>2</Folio>", ""),)), "LIB-01"),
    "edited after signing": (lambda: iecv(spoil=("Panificadora", "Panadería")), "LIB-02"),
    "not signed": (lambda: iecv(unsigned=True), "LIB-02"),
    "folios edited": (lambda: folios(spoil=("<MntExento>10<", "<MntExento>11<")), "LIB-02"),
    "an expired certificate": (lambda: iecv(by=signer(**EXPIRED)), "LIB-03"),
    "net that does not add up": (lambda: iecv((("<TotMntNeto>3000<", "<TotMntNeto>3001<"),)), "LIB-04"),
    "a document not counted": (lambda: iecv((("<TotDoc>2<", "<TotDoc>3<"),)), "LIB-04"),
    "sales of guías": (lambda: guides((("<TotMntGuiaVta>3570<", "<TotMntGuiaVta>3571<"),)), "LIB-04"),
    "transfers": (lambda: guides((("<CantGuia>1<", "<CantGuia>2<"),)), "LIB-04"),
    "annulled folios": (lambda: guides((("<TotFolAnulado>1<", "<TotFolAnulado>0<"),)), "LIB-04"),
    "a wrong check digit": (lambda: iecv((("77120455-4", "77120455-5"),)), "LIB-05"),
    "a document twice": (lambda: iecv((("<NroDoc>102<", "<NroDoc>101<"),)), "LIB-06"),
    "month 13": (lambda: iecv((("2026-02", "2026-13"),)), "LIB-07"),
    "a special book that nobody asked for": (lambda: iecv((("MENSUAL", "ESPECIAL"),)), "LIB-08"),
    "used folios": (lambda: folios((("<FoliosUtilizados>12<", "<FoliosUtilizados>11<"),)), "LIB-09"),
    "issued folios": (lambda: folios((("<Final>8<", "<Final>7<"),)), "LIB-09"),
    "a range turned round": (lambda: folios((("<Final>8<", "<Final>0<"),)), "LIB-10"),
    "ranges that overlap": (lambda: folios((("<Inicial>11<", "<Inicial>8<"),)), "LIB-10"),
    "a total": (lambda: folios((("<MntTotal>1200<", "<MntTotal>1300<"),)), "LIB-11"),
    "days turned round": (lambda: folios((("<FchFinal>2026-03-02<", "<FchFinal>2026-03-01<"),)), "LIB-12"),
}  # fmt: skip


@pytest.mark.parametrize("name", VALID)
def test_a_valid_one_has_nothing_against_it_and_is_said_to_be_of_old(name):
    found = examined(VALID[name]())
    assert [(one.code, one.message) for one in found.findings] == []
    assert found.state == "en_orden"
    assert "SII" in found.statement


@pytest.mark.parametrize("name", FAULTY)
def test_each_fault_is_found_and_says_what_to_do(name):
    make, code = FAULTY[name]
    found = {one.code: one for one in examined(make()).findings}
    assert code in found
    assert found[code].fix
    assert found[code].source


@pytest.mark.parametrize("name", VALID)
def test_the_door_answers_and_keeps_a_row(api_client, name):
    body = api_client.post(PATH, VALID[name](), content_type="text/xml").json()
    assert body["state"] == "en_orden"
    assert body["tables"][0]["rows"]
    row = Validation.objects.get(pk=body["id"])
    assert (row.kind, row.issuer) == (body["kind"], "76192083-9")


@pytest.mark.parametrize(
    "raw",
    [
        b"<LibroCompraVenta/>",
        b"<LibroGuia><EnvioLibro><Detalle/></EnvioLibro></LibroGuia>",
        b"<ConsumoFolios><DocumentoConsumoFolios><Resumen><RangoUtilizados/></Resumen></DocumentoConsumoFolios></ConsumoFolios>",
        b"<LibroCompraVenta><EnvioLibro>"
        + b"<Detalle/>" * 50_000
        + b"</EnvioLibro></LibroCompraVenta>",
        b"<LibroGuia>" + b"<a>" * 100 + b"</a>" * 100 + b"</LibroGuia>",
        iecv()[:900],
    ],
)
def test_what_is_made_to_hurt_is_refused_or_found_wrong(raw):
    try:
        found = examined(raw)
    except Unreadable:
        return
    assert found.state == "con_faltas"
