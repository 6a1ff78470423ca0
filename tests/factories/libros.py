"""Books and reports of folios, signed."""

from tests.documents import DAY, ISSUER
from tests.factories import DECLARATION
from tests.factories.keys import Signer, signer
from tests.factories.signature import SII, XSI, signature

_SALES = (("33", "101", 1000, 190), ("33", "102", 2000, 380), ("61", "7", 500, 95))


def _xml(name: str, **texts: object) -> str:
    return (
        f"<{name}>"
        + "".join(f"<{key}>{text}</{key}>" for key, text in texts.items())
        + f"</{name}>"
    )


def _signed(
    root: str, body: str, inside: str, *, by: Signer | None = None, unsigned: bool = False
) -> str:
    scope, xsi = f' xmlns="{SII}"', f' xmlns:xsi="{XSI}"'
    placed = f'<{body}{scope}{xsi} ID="Libro1">{inside}</{body}>'
    mark = "" if unsigned else signature(placed, "Libro1", by or signer(), declared=xsi)
    text = f'<{body} ID="Libro1">{inside}</{body}>{mark}'
    return f'{DECLARATION}<{root}{scope}{xsi} version="1.0">{text}</{root}>'


def _finish(text: str, spoil: tuple[str, str]) -> bytes:
    return (text.replace(*spoil) if spoil[0] else text).encode("iso-8859-1")


def iecv(
    changes: tuple[tuple[str, str], ...] = (),
    *,
    spoil: tuple[str, str] = ("", ""),
    by: Signer | None = None,
    unsigned: bool = False,
) -> bytes:
    """Return a book of sales; ``changes`` are texts replaced before signing, ``spoil`` after."""
    inside = _xml(
        "Caratula", RutEmisorLibro=ISSUER, RutEnvia="9876543-3", PeriodoTributario="2026-02",
        FchResol="2014-08-22", NroResol="80", TipoOperacion="VENTA", TipoLibro="MENSUAL", TipoEnvio="TOTAL",
    )  # fmt: skip
    totals = "".join(
        _xml("TotalesPeriodo", TpoDoc=tipo, TotDoc=count, TotMntExe=0, TotMntNeto=net, TotMntIVA=tax,
             TotMntTotal=net + tax)
        for tipo, count, net, tax in (("33", 2, 3000, 570), ("61", 1, 500, 95), ("39", 40, 9000, 1710))
    )  # fmt: skip
    inside += f"<ResumenPeriodo>{totals}</ResumenPeriodo>"
    for tipo, folio, net, tax in _SALES:
        inside += _xml(
            "Detalle", TpoDoc=tipo, NroDoc=folio, TasaImp="19", FchDoc=DAY, RUTDoc="77120455-4",
            RznSoc="Panificadora", MntExe=0, MntNeto=net, MntIVA=tax, MntTotal=net + tax,
        )  # fmt: skip
    inside += f"<TmstFirma>{DAY}T10:00:00</TmstFirma>"
    for old, new in changes:
        inside = inside.replace(old, new, 1)
    return _finish(
        _signed("LibroCompraVenta", "EnvioLibro", inside, by=by, unsigned=unsigned), spoil
    )


def guides(
    changes: tuple[tuple[str, str], ...] = (), *, spoil: tuple[str, str] = ("", "")
) -> bytes:
    """Return a book of guías."""
    inside = _xml(
        "Caratula", RutEmisorLibro=ISSUER, RutEnvia="9876543-3", PeriodoTributario="2026-02",
        FchResol="2014-08-22", NroResol="80", TipoLibro="ESPECIAL", TipoEnvio="TOTAL", FolioNotificacion="102",
    )  # fmt: skip
    transfers = _xml("TotTraslado", TpoTraslado="5", CantGuia=1, MntGuia=0)
    inside += (
        "<ResumenPeriodo><TotFolAnulado>1</TotFolAnulado><TotGuiaVenta>2</TotGuiaVenta>"
        f"<TotMntGuiaVta>3570</TotMntGuiaVta>{transfers}</ResumenPeriodo>"
    )
    for folio, kind, total in (("1", "1", 1190), ("2", "1", 2380), ("3", "5", 0)):
        inside += _xml(
            "Detalle", Folio=folio, TpoOper=kind, FchDoc=DAY, RUTDoc="77120455-4", MntTotal=total
        )
    inside += "<Detalle><Folio>4</Folio><Anulado>1</Anulado></Detalle>"
    inside += f"<TmstFirma>{DAY}T10:00:00</TmstFirma>"
    for old, new in changes:
        inside = inside.replace(old, new, 1)
    return _finish(_signed("LibroGuia", "EnvioLibro", inside), spoil)


def folios(
    changes: tuple[tuple[str, str], ...] = (),
    *,
    spoil: tuple[str, str] = ("", ""),
    idle: bool = False,
) -> bytes:
    """Return a report of folios, on request of a day on which none was used."""
    inside = _xml(
        "Caratula", RutEmisor=ISSUER, RutEnvia="9876543-3", FchResol="2014-08-22", NroResol="80",
        FchInicio=DAY, FchFinal=DAY, SecEnvio="1", TmstFirmaEnv=f"{DAY}T23:00:00",
    ).replace("<Caratula>", '<Caratula version="1.0">')  # fmt: skip
    if idle:
        inside += _xml(
            "Resumen", TipoDocumento=39, MntTotal=0, FoliosEmitidos=0, FoliosAnulados=0, FoliosUtilizados=0
        )  # fmt: skip
    else:
        inside += (
            "<Resumen><TipoDocumento>39</TipoDocumento><MntNeto>1000</MntNeto><MntIva>190</MntIva>"
            "<TasaIVA>19</TasaIVA><MntExento>10</MntExento><MntTotal>1200</MntTotal>"
            "<FoliosEmitidos>10</FoliosEmitidos><FoliosAnulados>2</FoliosAnulados>"
            "<FoliosUtilizados>12</FoliosUtilizados>"
            + _xml("RangoUtilizados", Inicial=1, Final=8)
            + _xml("RangoUtilizados", Inicial=11, Final=12)
            + _xml("RangoAnulados", Inicial=9, Final=10)
            + "</Resumen>"
        )
    for old, new in changes:
        inside = inside.replace(old, new, 1)
    return _finish(_signed("ConsumoFolios", "DocumentoConsumoFolios", inside), spoil)
