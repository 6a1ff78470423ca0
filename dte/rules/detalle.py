"""DET: the lines of detail, their arithmetic and their indicators."""

from collections.abc import Iterator
from decimal import Decimal

from dte.documents.document import Dte, Row
from dte.formato.tipos import ALL_TYPES, BOLETAS, EXPORTS
from dte.rules.arithmetic import CENT, HUNDRED, ZERO, half_up, line_amount, near
from dte.rules.findings import Fault, Severity
from dte.rules.registry import EVERY_FORM, Context, Faults, family, rule
from dte.rules.taxes import WITHHOLDING_AGENT

family("DET", "Líneas de detalle")

MAX_LINES = 60
MAX_BOLETA_LINES = 1000
SETTLEMENT = 43
NO_SALE, TO_DEDUCT = "4", "5"
# Where each IndExe may stand (Formato DTE v2.2 p.31-32, campo B5); the others may stand anywhere.
_ALLOWED: dict[str, frozenset[int]] = {
    "3": ALL_TYPES - {34, 43, 52} - BOLETAS - EXPORTS,
    NO_SALE: frozenset({33, 34, 46, 52}),
    TO_DEDUCT: frozenset({52}),
    "6": ALL_TYPES - {43},
}
_BOLETA_INDICATORS = frozenset({"1", "2", "6"})
# Percentages over totals are commonly rounded per unit.
_PERCENT_SLACK = Decimal("0.005")


@rule(
    "DET-01",
    title="El documento no tiene líneas de detalle o tiene más de las permitidas.",
    message="El documento tiene {lineas} líneas de detalle; se permiten de 1 a {maximo}.",
    fix="Deje entre 1 y 60 líneas (boletas hasta 1.000).",
    source="F2.2 p.31 campo B1; XSD26 maxOccurs",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    fields=("Detalle",),
    note="El esquema de boletas admite no llevar líneas: ahí sólo se pide revisar.",
)
def line_count_is_allowed(dte: Dte, ctx: Context) -> Faults:
    count = len(dte.lines)
    maximum = MAX_BOLETA_LINES if dte.is_boleta else MAX_LINES
    if count > maximum:
        yield Fault("Detalle", lineas=count, maximo=maximum)
    elif not count:
        mild: Severity | None = "review" if dte.is_boleta else None
        yield Fault("Detalle", severity=mild, lineas=0, maximo=maximum)


@rule(
    "DET-02",
    title="La numeración de las líneas no es correlativa.",
    message="La línea {lugar} lleva el número {numero}.",
    fix="Numere las líneas 1, 2, 3...",
    source="F2.2 p.31 campo B1 (secuencial)",
    sii="aviso",
    severity="warn",
    confidence="media",
    fields=("Detalle/NroLinDet",),
)
def lines_are_numbered_in_sequence(dte: Dte, ctx: Context) -> Faults:
    for row in dte.lines:
        number = row.text("NroLinDet")
        if number and number.lstrip("0") != str(row.number):
            yield Fault(row.path("NroLinDet"), lugar=row.number, numero=number[:10])


@rule(
    "DET-03",
    title="Hay una línea sin nombre de producto o servicio.",
    message="La línea {linea} no tiene nombre de producto o servicio.",
    fix="Escriba el nombre del ítem (máx. 80 caracteres).",
    source="F2.2 p.32 campo B10 (*)",
    sii="rechazo",
    severity="reject",
    confidence="media",
    fields=("Detalle/NmbItem",),
)
def lines_have_a_name(dte: Dte, ctx: Context) -> Faults:
    for row in dte.lines:
        if not row.text("NmbItem"):
            yield Fault(row.path("NmbItem"), linea=row.number)


def _tolerance(dte: Dte, row: Row) -> Decimal:
    """One peso; in exports a cent plus half of the last decimal written."""
    if not dte.is_export:
        return Decimal(1)
    exponent = row.amount_or_zero("MontoItem").as_tuple().exponent
    return CENT + Decimal(5).scaleb(min(int(exponent), 0) - 1)


@rule(
    "DET-04",
    title="El monto de la línea no cuadra: cantidad x precio - descuento + recargo.",
    message="El monto de la línea {linea} es {declarado} y debería ser {calculado} "
    "(cantidad x precio - descuento + recargo).",
    fix="Recalcule el monto de la línea (redondeo al peso, 0,5 hacia arriba).",
    source="F2.2 p.37 campo B38; CDL DET L[n]-2-200; SMOY (redondeo 0,5 hacia arriba)",
    sii="reparo",
    severity="review",
    sii_code="DET-2-200",
    confidence="alta",
    forms=EVERY_FORM,
    fields=(
        "Detalle/QtyItem",
        "Detalle/PrcItem",
        "Detalle/DescuentoMonto",
        "Detalle/RecargoMonto",
        "Detalle/MontoItem",
    ),
)
def line_amounts_agree(dte: Dte, ctx: Context) -> Faults:
    for row in dte.lines:
        declared = row.amount("MontoItem")
        if declared is None or row.text("IndExe") in {NO_SALE, TO_DEDUCT}:
            continue
        expected = line_amount(row, exact=dte.is_export)
        severity: Severity | None = None
        if expected is None:
            # A boleta line with a price and no quantity is read as one unit.
            price = row.amount("PrcItem")
            if not dte.is_boleta or price is None or row.has("QtyItem"):
                continue
            expected = half_up(price) - row.amount_or_zero("DescuentoMonto")
            expected += row.amount_or_zero("RecargoMonto")
            severity = "warn"
        if dte.tipo == SETTLEMENT and declared < ZERO:
            expected = -expected  # a return: quantity and price carry no sign in the format
        if declared != expected and not near(declared, expected, _tolerance(dte, row)):
            yield Fault(
                row.path("MontoItem"),
                severity=severity,
                linea=row.number,
                declarado=declared,
                calculado=expected,
            )


_ADJUSTMENTS = (("DescuentoPct", "DescuentoMonto"), ("RecargoPct", "RecargoMonto"))


@rule(
    "DET-05",
    title="La línea indica porcentaje de descuento o recargo pero no el monto.",
    message="La línea {linea} indica {porcentaje} % de descuento o recargo pero no el monto.",
    fix="Agregue DescuentoMonto o RecargoMonto en pesos.",
    source="F2.2 p.35-36 campos B30/B34 (si va en %, debe ir el monto)",
    sii="reparo",
    severity="review",
    confidence="media",
    types=ALL_TYPES - {43},
    fields=(
        "Detalle/DescuentoPct",
        "Detalle/DescuentoMonto",
        "Detalle/RecargoPct",
        "Detalle/RecargoMonto",
    ),
    given=("Detalle/DescuentoPct", "Detalle/RecargoPct"),
)
def percentages_come_with_their_amount(dte: Dte, ctx: Context) -> Faults:
    for row in dte.lines:
        for percentage, amount in _ADJUSTMENTS:
            if row.amount(percentage) and row.amount(amount) is None:
                yield Fault(row.path(amount), linea=row.number, porcentaje=row.amount(percentage))


@rule(
    "DET-06",
    title="El monto del descuento o recargo no corresponde al porcentaje.",
    message="En la línea {linea} el {porcentaje} % son {calculado} y se informa {declarado}.",
    fix="Recalcule: porcentaje x cantidad x precio.",
    source="F2.2 p.35-36 (correspondiente al anterior); inferido",
    sii="aviso",
    severity="warn",
    confidence="media",
    types=ALL_TYPES - {43},
    fields=("Detalle/DescuentoPct", "Detalle/DescuentoMonto"),
    given=("Detalle/DescuentoPct", "Detalle/RecargoPct"),
)
def percentages_agree_with_their_amount(dte: Dte, ctx: Context) -> Faults:
    for row in dte.lines:
        for percentage, amount in _ADJUSTMENTS:
            rate, declared = row.amount(percentage), row.amount(amount)
            if rate is None or declared is None:
                continue
            quantity, price = row.amount("QtyItem"), row.amount("PrcItem")
            if quantity is None or price is None or row.has("SubDscto") or row.has("SubRecargo"):
                continue
            expected = quantity * price * rate / HUNDRED
            if not near(declared, expected, max(Decimal(1), expected * _PERCENT_SLACK)):
                yield Fault(
                    row.path(amount),
                    linea=row.number,
                    porcentaje=rate,
                    calculado=half_up(expected),
                    declarado=declared,
                )


@rule(
    "DET-07",
    title="Una línea 'no venta' o 'a rebajar' tiene monto.",
    message="La línea {linea} lleva el indicador {indicador} y un monto de {monto}.",
    fix="Deje el monto de la línea en 0.",
    source="F2.2 p.37 campo B38 (1)",
    sii="reparo",
    severity="review",
    confidence="media",
    types={33, 34, 46, 52},
    fields=("Detalle/IndExe", "Detalle/MontoItem"),
    given=("Detalle/IndExe",),
)
def lines_without_sale_have_no_amount(dte: Dte, ctx: Context) -> Faults:
    for row in dte.lines:
        indicator = row.text("IndExe")
        if indicator in {NO_SALE, TO_DEDUCT} and row.amount_or_zero("MontoItem"):
            yield Fault(
                row.path("MontoItem"),
                linea=row.number,
                indicador=indicator,
                monto=row.amount("MontoItem"),
            )


def _misplaced(dte: Dte, indicator: str) -> bool:
    if dte.is_boleta:
        return indicator not in _BOLETA_INDICATORS
    if dte.tipo in ALL_TYPES and dte.tipo not in _ALLOWED.get(indicator, ALL_TYPES):
        return True
    # 'No sale' in a guía is for the ones that accompany a sale.
    return (
        indicator == NO_SALE and dte.tipo == 52 and dte.text("Encabezado/IdDoc/IndTraslado") != "1"
    )


@rule(
    "DET-08",
    title="El indicador de exención de la línea no corresponde a este documento.",
    message="El indicador {indicador} de la línea {linea} no corresponde a este documento.",
    fix="Use 1 exento, 2 no facturable, 3 envases, 4 (facturas y guías de venta), 5 (guías no venta), "
    "6 no facturable negativo.",
    source="F2.2 p.31-32 campo B5",
    sii="aviso",
    severity="warn",
    confidence="media",
    fields=("Detalle/IndExe",),
    given=("Detalle/IndExe",),
)
def exemption_indicators_belong_to_the_type(dte: Dte, ctx: Context) -> Faults:
    for row in dte.lines:
        indicator = row.text("IndExe")
        if indicator and _misplaced(dte, indicator):
            yield Fault(row.path("IndExe"), linea=row.number, indicador=indicator[:5])


@rule(
    "DET-09",
    title="Todas las líneas son exentas: debía ser factura exenta (34).",
    fix="Emita una factura no afecta o exenta electrónica (tipo 34).",
    source="F2.2 p.31 campo B5; Odoo la bloquea; práctica: 1 informe con rechazo en producción "
    "(facturacion-cl)",
    sii="rechazo",
    severity="reject",
    confidence="media",
    types={33},
    fields=("Detalle/IndExe",),
    given=("Detalle/IndExe",),
)
def taxed_invoice_has_a_taxed_line(dte: Dte, ctx: Context) -> Faults:
    indicators = {row.text("IndExe") for row in dte.lines}
    if indicators == {"1"}:
        yield Fault("Detalle")
    elif "1" in indicators and indicators <= {"1", "2", "6"}:
        yield Fault(
            "Detalle", severity="review", message="La factura no tiene ninguna línea afecta."
        )


@rule(
    "DET-11",
    title="La línea lleva impuesto de agente retenedor pero no el indicador de retenedor.",
    message="La línea {linea} lleva el impuesto {codigo} pero no el indicador de agente retenedor.",
    fix="Agregue Retenedor/IndAgente = R en la línea.",
    source="F2.2 p.32 campo B6",
    sii="aviso",
    severity="warn",
    confidence="media",
    types={33, 46, 56, 61},
    fields=("Detalle/Retenedor/IndAgente", "Detalle/CodImpAdic"),
    given=("Detalle/CodImpAdic",),
)
def withholding_lines_name_the_agent(dte: Dte, ctx: Context) -> Faults:
    for row in dte.lines:
        codes = WITHHOLDING_AGENT.intersection(row.texts("CodImpAdic"))
        if codes and not row.has("Retenedor/IndAgente"):
            yield Fault(
                row.path("Retenedor/IndAgente"), linea=row.number, codigo=", ".join(sorted(codes))
            )


def _too_large(row: Row) -> Iterator[Decimal]:
    quantity = row.amount("QtyItem")
    if quantity is None:
        return
    for part in row.rows("Subcantidad"):
        share = part.amount_or_zero("SubQty")
        if share > quantity > ZERO:
            yield share


@rule(
    "DET-12",
    title="Las subcantidades superan la cantidad de la línea.",
    message="La subcantidad {subcantidad} supera la cantidad de la línea {linea}.",
    fix="Revise la distribución de la cantidad.",
    source="F2.2 p.33 campo B16",
    sii="aviso",
    severity="warn",
    confidence="media",
    types={33, 34, 46, 52} | EXPORTS,
    fields=("Detalle/Subcantidad/SubQty",),
    given=("Detalle/Subcantidad",),
)
def parts_fit_the_quantity(dte: Dte, ctx: Context) -> Faults:
    for row in dte.lines:
        for share in _too_large(row):
            yield Fault(row.path("Subcantidad"), subcantidad=share, linea=row.number)


@rule(
    "DET-13",
    title="La línea de la guía no indica cantidad.",
    message="La línea {linea} de la guía no indica cantidad.",
    fix="Indique la cantidad trasladada.",
    source="F2.2 p.33 campo B15 (obligatoriedad 1)",
    sii="aviso",
    severity="warn",
    confidence="media",
    types={52},
    fields=("Detalle/QtyItem",),
)
def delivery_lines_have_a_quantity(dte: Dte, ctx: Context) -> Faults:
    for row in dte.lines:
        if not row.has("QtyItem"):
            yield Fault(row.path("QtyItem"), linea=row.number)
