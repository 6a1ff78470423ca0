"""LIQ and FCO: liquidación-factura and factura de compra, with their commissions and retentions."""

from dte.documents.document import Dte
from dte.rules.arithmetic import HUNDRED, ZERO, half_up, near
from dte.rules.findings import Fault
from dte.rules.registry import OBJECTED, WARNED, Context, Faults, family, rule
from dte.rules.taxes import IVA_RATE

family("LIQ", "Liquidación-factura")
family("FCO", "Factura de compra")

COMMISSION_TOTALS = "Encabezado/Totales/Comisiones"
WITH_COMMISSIONS = frozenset({43, 46, 56, 61})


@rule(
    "LIQ-01",
    title="La liquidación-factura no informa comisiones.",
    fix="Agregue la zona Comisiones y su total.",
    source="F2.2 p.44 zona F («obligatoriamente en Liquidaciones-Factura»); opcional en el esquema",
    confidence="baja",
    types={43},
    fields=("Comisiones",),
    **WARNED,
)
def settlement_has_commissions(dte: Dte, ctx: Context) -> Faults:
    if not dte.commissions:
        yield Fault("Comisiones")


@rule(
    "LIQ-02",
    title="La línea no indica qué tipo de documento se liquida.",
    message="La línea {linea} no indica qué tipo de documento se liquida.",
    fix="Agregue TpoDocLiq (33, 39, 99 anticipo...).",
    source="F2.2 p.31 campo B4 (obligatoriedad 1); XSD26",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    types={43},
    fields=("Detalle/TpoDocLiq",),
)
def settled_lines_name_their_document(dte: Dte, ctx: Context) -> Faults:
    for row in dte.lines:
        if not row.has("TpoDocLiq"):
            yield Fault(row.path("TpoDocLiq"), linea=row.number)


@rule(
    "LIQ-03",
    title="El total de comisiones no cuadra con su detalle.",
    message="{campo} es {declarado} en los totales y su detalle suma {calculado}.",
    fix="Totales/Comisiones = suma de las líneas de comisión.",
    source="F2.2 p.27 campos 121-123",
    confidence="media",
    types=WITH_COMMISSIONS,
    fields=(COMMISSION_TOTALS, "Comisiones"),
    **OBJECTED,
)
def commissions_add_up(dte: Dte, ctx: Context) -> Faults:
    for name in ("ValComNeto", "ValComExe", "ValComIVA"):
        declared = dte.amount_or_zero(f"{COMMISSION_TOTALS}/{name}")
        expected = sum((row.amount_or_zero(name) for row in dte.commissions), ZERO)
        if not near(declared, expected):
            yield Fault(
                f"{COMMISSION_TOTALS}/{name}", campo=name, declarado=declared, calculado=expected
            )


@rule(
    "LIQ-05",
    title="El IVA de la comisión no corresponde al neto.",
    message="El IVA de la comisión {numero} es {declarado} y su neto por 19 % da {calculado}.",
    fix="IVA comisión = neto x 19%.",
    source="F2.2 p.44 campo F7",
    confidence="media",
    types=WITH_COMMISSIONS,
    fields=("Comisiones/ValComIVA",),
    **OBJECTED,
)
def commission_iva_agrees(dte: Dte, ctx: Context) -> Faults:
    for row in dte.commissions:
        expected = half_up(row.amount_or_zero("ValComNeto") * IVA_RATE / HUNDRED)
        declared = row.amount_or_zero("ValComIVA")
        if not near(declared, expected):
            yield Fault(
                row.path("ValComIVA"), numero=row.number, declarado=declared, calculado=expected
            )


@rule(
    "FCO-01",
    title="Factura de compra con IVA pero sin retención.",
    fix="Verifique el cambio de sujeto: normalmente se retiene total (15) o parcialmente el IVA.",
    source="F2.2 p.26 campo 118; inferido",
    confidence="media",
    types={46},
    fields=("Encabezado/Totales/ImptoReten",),
    **WARNED,
)
def purchase_invoice_retains_iva(dte: Dte, ctx: Context) -> Faults:
    if dte.totals_or_zero("IVA") > ZERO and not dte.taxes:
        yield Fault("Encabezado/Totales/ImptoReten")
