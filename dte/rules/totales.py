"""TOT: the totals against the lines, and against each other.

The SII does not refuse a document for its content («no se rechazan documentos por errores de contenido»,
Formato DTE v2.2 p.10): it objects, and the objection is mended with a credit or debit note.
"""

from decimal import Decimal

from dte.documents.document import EXEMPT, NOT_BILLABLE, TAXED, Dte
from dte.formato.tipos import ALL_TYPES, EXEMPT_TYPES, EXPORTS, TAXED_TYPES
from dte.rules.arithmetic import (
    CENT,
    ONE,
    ZERO,
    Adjusted,
    adjusted,
    global_rows,
    is_gross,
    iva_rate,
    line_amount,
    near,
    unit_of,
    without_iva,
)
from dte.rules.findings import Fault
from dte.rules.registry import EVERY_FORM, FULL, OBJECTED, WARNED, Context, Faults, family, rule
from dte.rules.taxes import sign_of

family("TOT", "Totales e impuestos")

TOTALS = "Encabezado/Totales"


def _taxed_lines(dte: Dte) -> Decimal:
    """The flat form carries neither discounts nor indicators, so its lines are worth what they say."""
    if dte.form != "legacy":
        return dte.sums.get(TAXED, ZERO)
    amounts = (
        line_amount(row) if line_amount(row) is not None else row.amount("MontoItem")
        for row in dte.lines
        if not row.has("IndExe")
    )
    return sum((amount for amount in amounts if amount is not None), ZERO)


@rule(
    "TOT-01",
    title="El monto neto no cuadra con las líneas afectas.",
    message="El monto neto es {declarado} y las líneas afectas dan {calculado}.",
    fix="Neto = suma de líneas afectas - descuentos + recargos globales (si son montos brutos, dividir "
    "por 1,19).",
    source="F2.2 p.24-25 campo 107; F2.2 p.10",
    confidence="alta",
    types=TAXED_TYPES,
    forms=EVERY_FORM,
    fields=(f"{TOTALS}/MntNeto", "Detalle/MontoItem", "DscRcgGlobal"),
    **OBJECTED,
)
def net_agrees_with_the_lines(dte: Dte, ctx: Context) -> Faults:
    if dte.form == "legacy" and (not dte.lines or dte.totals("MntNeto") is None):
        return
    expected = adjusted(_taxed_lines(dte), global_rows(dte, TAXED))
    if is_gross(dte):
        rate = iva_rate(dte)
        expected = Adjusted(
            tuple(without_iva(value, rate) for value in expected.values), expected.tolerance
        )
    declared = dte.totals_or_zero("MntNeto")
    if not expected.matches(declared):
        yield Fault(f"{TOTALS}/MntNeto", declarado=declared, calculado=expected.expected)


@rule(
    "TOT-02",
    title="El monto exento no cuadra con las líneas exentas.",
    message="El monto exento es {declarado} y las líneas exentas dan {calculado}.",
    fix="Exento = suma de líneas con indicador 1 - descuentos + recargos sobre exentos.",
    source="F2.2 p.25 campo 108; CDL HED-2-220",
    sii_code="HED-2-220",
    confidence="alta",
    fields=(f"{TOTALS}/MntExe",),
    **OBJECTED,
)
def exempt_agrees_with_the_lines(dte: Dte, ctx: Context) -> Faults:
    base = dte.sums.get(EXEMPT, ZERO)
    unit = unit_of(dte)
    readings = [adjusted(base, global_rows(dte, EXEMPT), unit)]
    # There are issuers that leave IndExeDR out where every line is exempt, with and without effect.
    if dte.tipo in EXEMPT_TYPES:
        readings.append(adjusted(base, global_rows(dte, EXEMPT, TAXED), unit))
    declared = dte.totals_or_zero("MntExe")
    if not any(reading.matches(declared) for reading in readings):
        yield Fault(f"{TOTALS}/MntExe", declarado=declared, calculado=readings[0].expected)


def _has_components(dte: Dte) -> bool:
    """The flat form may bring its total alone."""
    return any(dte.totals(name) is not None for name in ("MntNeto", "MntExe", "IVA"))


def _components(dte: Dte) -> tuple[Decimal, Decimal]:
    """Return what MntTotal should be, and how much of it the sources leave open."""
    part = dte.totals_or_zero
    total = part("MntNeto") + part("MntExe") + part("IVA") + part("GrntDep") - part("CredEC")
    if dte.has(f"{TOTALS}/Comisiones"):
        for name in ("ValComNeto", "ValComExe", "ValComIVA"):
            total -= part(f"Comisiones/{name}")
    added, doubtful = _signed_taxes(dte)
    return total + added, doubtful


def _signed_taxes(dte: Dte) -> tuple[Decimal, Decimal]:
    """Return the sum of ImptoReten by its sign, and the part whose sign is in doubt."""
    added = doubtful = ZERO
    for row in dte.taxes:
        sign = sign_of(row.text("TipoImp"))
        amount = row.amount_or_zero("MontoImp")
        added += sign * amount
        if not sign:
            doubtful += amount
    return added, doubtful


@rule(
    "TOT-13",
    title="El monto total no cuadra.",
    message="El monto total es {declarado} y sus componentes suman {calculado}.",
    fix="Total = neto + exento + IVA + impuestos adicionales + garantía de envases - crédito "
    "constructoras - IVA retenido - comisiones.",
    source="F2.2 p.27 campo 124; RURAL HED-2-260",
    sii_code="HED-2-260",
    confidence="alta",
    types=TAXED_TYPES | {34},
    forms=EVERY_FORM,
    fields=(f"{TOTALS}/MntTotal",),
    **OBJECTED,
)
def total_is_the_sum_of_its_parts(dte: Dte, ctx: Context) -> Faults:
    declared = dte.totals("MntTotal")
    if declared is None or (dte.form == "legacy" and not _has_components(dte)):
        return
    expected, doubtful = _components(dte)
    if near(declared, expected):
        return
    if not (near(declared, expected + doubtful) or near(declared, expected - doubtful)):
        yield Fault(f"{TOTALS}/MntTotal", declarado=declared, calculado=expected)


@rule(
    "TOT-14",
    title="El monto no facturable no cuadra.",
    message="El monto no facturable es {declarado} y las líneas dan {calculado}.",
    fix="No facturable = líneas con indicador 2 menos líneas con indicador 6.",
    source="F2.2 p.27 campo 125",
    confidence="media",
    types=ALL_TYPES - {43} - EXPORTS,
    fields=(f"{TOTALS}/MontoNF",),
    given=(f"{TOTALS}/MontoNF", "Detalle/IndExe", "DscRcgGlobal"),
    **OBJECTED,
)
def not_billable_agrees_with_the_lines(dte: Dte, ctx: Context) -> Faults:
    sums = dte.sums
    plain, negative = sums.get(NOT_BILLABLE, ZERO), abs(sums.get("6", ZERO))
    rows = global_rows(dte, NOT_BILLABLE)
    expected, of_plain = adjusted(plain - negative, rows), adjusted(plain, rows)
    declared = dte.totals_or_zero("MontoNF")
    if not expected.matches(declared) and not of_plain.matches(declared + negative):
        yield Fault(f"{TOTALS}/MontoNF", declarado=declared, calculado=expected.expected)


@rule(
    "TOT-15",
    title="El monto del período no cuadra.",
    message="El monto del período es {declarado} y total más no facturable da {calculado}.",
    fix="Monto período = total + no facturable.",
    source="F2.2 p.27 campo 126; mensaje HED-3-265 visto en público",
    sii_code="HED-3-265",
    confidence="media",
    types=ALL_TYPES - {43} - EXPORTS,
    fields=(f"{TOTALS}/MontoPeriodo", f"{TOTALS}/TotalPeriodo"),
    given=(f"{TOTALS}/MontoPeriodo", f"{TOTALS}/TotalPeriodo"),
    **OBJECTED,
)
def period_amount_adds_up(dte: Dte, ctx: Context) -> Faults:
    name = "TotalPeriodo" if dte.is_boleta else "MontoPeriodo"
    declared = dte.totals(name)
    expected = dte.totals_or_zero("MntTotal") + dte.totals_or_zero("MontoNF")
    if declared is not None and not near(declared, expected):
        yield Fault(f"{TOTALS}/{name}", declarado=declared, calculado=expected)


@rule(
    "TOT-17",
    title="La garantía por envases no cuadra con las líneas.",
    message="La garantía por envases es {declarado} y las líneas dan {calculado}.",
    fix="Garantía = suma de líneas con indicador 3.",
    source="F2.2 p.26-27 campo 120",
    confidence="media",
    types={33, 56, 61},
    fields=(f"{TOTALS}/GrntDep",),
    given=(f"{TOTALS}/GrntDep", "Detalle/IndExe"),
    **OBJECTED,
)
def deposit_agrees_with_the_lines(dte: Dte, ctx: Context) -> Faults:
    expected = dte.sums.get("3", ZERO)
    declared = dte.totals_or_zero("GrntDep")
    if not near(declared, expected):
        yield Fault(f"{TOTALS}/GrntDep", declarado=declared, calculado=expected)


_MAY_BE_NEGATIVE = frozenset(
    {"MontoNF", "MontoPeriodo", "TotalPeriodo", "SaldoAnterior", "VlrPagar"}
)
_LINE_AMOUNTS = ("MontoItem", "PrcItem", "QtyItem", "DescuentoMonto", "RecargoMonto")


@rule(
    "TOT-18",
    title="Hay montos negativos donde no se permiten.",
    message="{campo} es negativo: {monto}.",
    fix="Los montos van en positivo; use nota de crédito para rebajar.",
    source="XSD26 MontoType nonNegativeInteger",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    types=ALL_TYPES - {43},
    forms=EVERY_FORM,
    fields=(f"{TOTALS}/*", "Detalle/MontoItem"),
)
def amounts_are_not_negative(dte: Dte, ctx: Context) -> Faults:
    totals = dte.find(TOTALS)
    for name, value in totals.items() if isinstance(totals, dict) else ():
        negative = isinstance(value, str) and value.lstrip().startswith("-")
        if negative and name not in _MAY_BE_NEGATIVE and (dte.totals(name) or ZERO) < ZERO:
            yield Fault(f"{TOTALS}/{name}", campo=name, monto=dte.totals(name))
    for row in dte.lines:
        for name in _LINE_AMOUNTS:
            amount = row.amount(name)
            if amount is not None and amount < ZERO:
                yield Fault(row.path(name), campo=row.path(name), monto=amount)


@rule(
    "TOT-19",
    title="El documento tiene total cero.",
    fix="Confirme que no sea un error; para corregir textos use NC con código 2.",
    source="Inferido",
    confidence="baja",
    types={33, 34, 39, 41, 46, 110},
    forms=FULL,
    fields=(f"{TOTALS}/MntTotal",),
    **WARNED,
)
def total_is_not_zero(dte: Dte, ctx: Context) -> Faults:
    free = (
        dte.text("Encabezado/IdDoc/FmaPago") == "3"
        or dte.text("Encabezado/IdDoc/FmaPagExp") == "21"
    )
    if dte.totals("MntTotal") == ZERO and not free:
        yield Fault(f"{TOTALS}/MntTotal")


@rule(
    "TOT-20",
    title="El valor a pagar no es total + no facturable + saldo anterior.",
    message="El valor a pagar es {declarado} y debería ser {calculado}.",
    fix="Revise el valor a pagar (el SII no lo valida).",
    source="F2.2 p.28 campo 128 («sin validación»)",
    confidence="baja",
    fields=(f"{TOTALS}/VlrPagar",),
    given=(f"{TOTALS}/VlrPagar",),
    **WARNED,
)
def amount_to_pay_adds_up(dte: Dte, ctx: Context) -> Faults:
    declared = dte.totals("VlrPagar")
    if declared is None:
        return
    period = dte.totals("TotalPeriodo" if dte.is_boleta else "MontoPeriodo")
    if period is None:
        period = dte.totals_or_zero("MntTotal") + dte.totals_or_zero("MontoNF")
    expected = period + dte.totals_or_zero("SaldoAnterior")
    if not near(declared, expected, CENT if dte.is_export else ONE):
        yield Fault(f"{TOTALS}/VlrPagar", declarado=declared, calculado=expected)
