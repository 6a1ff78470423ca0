"""GUI: guías de despacho, and who carries the goods."""

from datetime import date

from dte.documents.document import Dte
from dte.rules.findings import Fault
from dte.rules.registry import OBJECTED, WARNED, Context, Faults, family, rule

family("GUI", "Guía de despacho")

TRANSFER = "Encabezado/IdDoc/IndTraslado"
EXPORT_GUIDE = "Encabezado/Emisor/GuiaExport"
TRANSPORT = "Encabezado/Transporte"
CUSTOMS = f"{TRANSPORT}/Aduana"
RECEIVER = "Encabezado/Receptor/RUTRecep"

SALE, INTERNAL, EXPORT, EXPORT_SALE = "1", "5", "8", "9"
EXCEPTIONAL = "4"
BY_ISSUER = frozenset({"2", "3"})
# Several secondary sources give this day for Res. Ex. 154 of 2025, one gives 2026-11-01.
TRANSPORT_DATA_SINCE = date(2026, 5, 1)
_EXPORT_FIELDS = (
    f"{EXPORT_GUIDE}/CdgTraslado",
    f"{CUSTOMS}/CodPtoEmbarque",
    f"{CUSTOMS}/CodPtoDesemb",
    f"{CUSTOMS}/PesoBruto",
    f"{CUSTOMS}/CodUnidPesoBruto",
    f"{CUSTOMS}/TotBultos",
)


@rule(
    "GUI-01",
    title="La guía no indica el tipo de traslado.",
    fix="Agregue IndTraslado (1 venta, 5 traslado interno, 6 otros, 7 devolución...).",
    source="F2.2 p.11-12 campo 7 (obligatoriedad 1, sin *)",
    confidence="media",
    types={52},
    fields=(TRANSFER,),
    **OBJECTED,
)
def guide_names_its_transfer(dte: Dte, ctx: Context) -> Faults:
    if not dte.has(TRANSFER):
        yield Fault(TRANSFER)


@rule(
    "GUI-02",
    title="La guía constituye venta pero no tiene montos.",
    fix="Valorice la guía o cambie el tipo de traslado.",
    source="F2.2 p.37 campo B38 (2) (cero sólo si no es venta); inferido",
    confidence="media",
    types={52},
    fields=(TRANSFER, "Encabezado/Totales/MntTotal"),
    **WARNED,
)
def sale_guide_has_amounts(dte: Dte, ctx: Context) -> Faults:
    if dte.text(TRANSFER) in {SALE, EXPORT_SALE} and dte.totals("MntTotal") == 0:
        yield Fault("Encabezado/Totales/MntTotal")


@rule(
    "GUI-03",
    title="Traslado interno con un receptor distinto del emisor.",
    message="La guía es de traslado interno y el receptor {rut} no es el emisor.",
    fix="En un traslado interno el receptor es el mismo contribuyente.",
    source="Inferido",
    confidence="media",
    types={52},
    fields=(TRANSFER, RECEIVER),
    **WARNED,
)
def internal_transfer_stays_inside(dte: Dte, ctx: Context) -> Faults:
    if dte.text(TRANSFER) == INTERNAL and dte.receiver != dte.issuer:
        yield Fault(RECEIVER, rut=dte.receiver)


@rule(
    "GUI-04",
    title="Guía de exportación sin los datos de aduana obligatorios.",
    message="La guía de exportación no informa {campo}.",
    fix="Complete código de emisor, puertos, peso bruto con su unidad y total de bultos.",
    source="F2.2 p.16 campo 38, p.21-23 campos 84, 86, 90, 91 y 95",
    confidence="media",
    types={52},
    fields=_EXPORT_FIELDS,
    **OBJECTED,
)
def export_guide_has_its_customs_data(dte: Dte, ctx: Context) -> Faults:
    if dte.text(TRANSFER) not in {EXPORT, EXPORT_SALE}:
        return
    for path in _EXPORT_FIELDS:
        if not dte.has(path):
            yield Fault(path, campo=path.rpartition("/")[2])


@rule(
    "GUI-05",
    title="Falta la resolución que autoriza la guía excepcional.",
    message="Falta {campo} de la resolución que autoriza la guía excepcional.",
    fix="Agregue FolioAut y FchAut.",
    source="F2.2 p.16 campos 39-40",
    confidence="media",
    types={52},
    fields=(EXPORT_GUIDE,),
    given=(EXPORT_GUIDE,),
    **OBJECTED,
)
def exceptional_guide_names_its_resolution(dte: Dte, ctx: Context) -> Faults:
    if dte.text(f"{EXPORT_GUIDE}/CdgTraslado") != EXCEPTIONAL:
        return
    for name in ("FolioAut", "FchAut"):
        if not dte.has(f"{EXPORT_GUIDE}/{name}"):
            yield Fault(f"{EXPORT_GUIDE}/{name}", campo=name)


@rule(
    "GUI-06",
    title="La guía no indica la comuna de destino.",
    fix="Complete Transporte/CmnaDest.",
    source="F2.2 p.20 campo 72 (obligatoriedad 1)",
    confidence="media",
    types={52},
    fields=(f"{TRANSPORT}/CmnaDest",),
    **WARNED,
)
def guide_names_its_destination(dte: Dte, ctx: Context) -> Faults:
    if not dte.has(f"{TRANSPORT}/CmnaDest"):
        yield Fault(f"{TRANSPORT}/CmnaDest")


@rule(
    "GUI-08",
    title="Despacho por cuenta del emisor sin patente ni transportista.",
    fix="Indique patente y RUT del transportista si los conoce.",
    source="F2.2 p.20 campos 67-68, nota 4 (sólo si se conocen)",
    confidence="baja",
    types={33, 34, 46, 52},
    fields=(f"{TRANSPORT}/Patente", f"{TRANSPORT}/RUTTrans"),
    given=("Encabezado/IdDoc/TipoDespacho",),
    **WARNED,
)
def carrier_is_named(dte: Dte, ctx: Context) -> Faults:
    if dte.text("Encabezado/IdDoc/TipoDespacho") not in BY_ISSUER:
        return
    if dte.text(TRANSFER) == INTERNAL:  # which should not say who dispatches: GUI-11
        return
    if not dte.has(f"{TRANSPORT}/Patente") and not dte.has(f"{TRANSPORT}/RUTTrans"):
        yield Fault(f"{TRANSPORT}/Patente")


@rule(
    "GUI-09",
    title="Se indicó RUT de chofer sin su nombre.",
    fix="Agregue NombreChofer.",
    source="F2.2 p.20 campo 70; XSD26",
    confidence="alta",
    types={52},
    fields=(f"{TRANSPORT}/Chofer",),
    given=(f"{TRANSPORT}/Chofer",),
    **WARNED,
)
def driver_has_a_name(dte: Dte, ctx: Context) -> Faults:
    chofer = f"{TRANSPORT}/Chofer"
    if dte.has(f"{chofer}/RUTChofer") and not dte.has(f"{chofer}/NombreChofer"):
        yield Fault(f"{chofer}/NombreChofer")


@rule(
    "GUI-10",
    title="Faltan datos de traslado exigidos por la Res. Ex. 154 de 2025.",
    message="La guía no informa {campos}, que exige la Res. Ex. 154 de 2025.",
    fix="Agregue fecha y hora de salida, patente (y carro) y datos del chofer.",
    source="Res. Ex. SII 154 de 2025-11-05, según fuentes secundarias; XSD26",
    confidence="baja",
    types={52},
    fields=(f"{TRANSPORT}/FchSalida", f"{TRANSPORT}/HraSalida"),
    note="La fecha de vigencia (2026-05-01) y la lista exacta no se verificaron en un texto oficial.",
    **WARNED,
)
def moving_goods_have_their_transport_data(dte: Dte, ctx: Context) -> Faults:
    if dte.issued is None or dte.issued < TRANSPORT_DATA_SINCE:
        return
    names = ("FchSalida", "HraSalida", "Patente", "Chofer")
    missing = [name for name in names if not dte.has(f"{TRANSPORT}/{name}")]
    if missing:
        yield Fault(f"{TRANSPORT}/{missing[0]}", campos=", ".join(missing))


@rule(
    "GUI-11",
    title="Un traslado interno no lleva tipo de despacho.",
    message="La guía es de traslado interno y lleva TipoDespacho {despacho}.",
    fix="Quite TipoDespacho: dice quién despacha al comprador, y aquí no lo hay.",
    source="práctica: 2 informes independientes (reparo en certificación: los indicadores de despacho y "
    "traslado no se corresponden)",
    confidence="baja",
    types={52},
    fields=("Encabezado/IdDoc/TipoDespacho", TRANSFER),
    given=("Encabezado/IdDoc/TipoDespacho",),
    **WARNED,
)
def internal_transfer_has_no_dispatch(dte: Dte, ctx: Context) -> Faults:
    if dte.text(TRANSFER) == INTERNAL:
        path = "Encabezado/IdDoc/TipoDespacho"
        yield Fault(path, despacho=dte.text(path))
