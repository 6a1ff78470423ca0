"""TOT: the totals against the lines, and against each other.

The SII does not refuse a document for its content («no se rechazan documentos por errores de contenido»,
Formato DTE v2.2 p.10): it objects, and the objection is mended with a credit or debit note.
"""

from decimal import Decimal

from dte.arithmetic import (
    CENT,
    EXEMPT,
    EXEMPT_TYPES,
    HUNDRED,
    NOT_BILLABLE,
    ONE,
    TAXED,
    ZERO,
    Adjusted,
    adjusted,
    global_rows,
    group_totals,
    half_up,
    line_amount,
    near,
    unit_of,
    without_iva,
)
from dte.document import Dte
from dte.findings import Fault
from dte.rules.registry import (
    ALL_TYPES,
    EVERY_FORM,
    EXPORTS,
    FULL,
    OBJECTED,
    WARNED,
    Context,
    Faults,
    rule,
)
from dte.taxes import IVA_RATE, sign_of

TOTALS = "Encabezado/Totales"
TAXED_TYPES = frozenset({33, 43, 46, 52, 56, 61})


def iva_rate(dte: Dte) -> Decimal:
    """Return TasaIVA, or the legal rate where the document does not say."""
    return dte.totals("TasaIVA") or IVA_RATE


def is_gross(dte: Dte) -> bool:
    """Tell whether the lines include IVA (IdDoc/MntBruto)."""
    return dte.text("Encabezado/IdDoc/MntBruto") == "1"


def _taxed_lines(dte: Dte) -> Decimal:
    """The flat form carries neither discounts nor indicators, so its lines are worth what they say."""
    if dte.form != "legacy":
        return group_totals(dte).get(TAXED, ZERO)
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
    if dte.form == "legacy" and not dte.lines:
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
    base = group_totals(dte).get(EXEMPT, ZERO)
    unit = unit_of(dte)
    readings = [adjusted(base, global_rows(dte, EXEMPT), unit)]
    # There are issuers that leave IndExeDR out where every line is exempt, with and without effect.
    if dte.tipo in EXEMPT_TYPES:
        readings.append(adjusted(base, global_rows(dte, EXEMPT, TAXED), unit))
    declared = dte.totals_or_zero("MntExe")
    if not any(reading.matches(declared) for reading in readings):
        yield Fault(f"{TOTALS}/MntExe", declarado=declared, calculado=readings[0].expected)


@rule(
    "TOT-03",
    title="La tasa de IVA no es 19%.",
    message="La tasa de IVA informada es {tasa} % y la vigente es {vigente} %.",
    fix="Use TasaIVA 19.",
    source="F2.2 p.25 campo 111; DL 825 art. 14 (19 %); 18 % hasta el 2003-09-30",
    confidence="media",
    types=TAXED_TYPES,
    fields=(f"{TOTALS}/TasaIVA",),
    **OBJECTED,
)
def iva_rate_is_in_force(dte: Dte, ctx: Context) -> Faults:
    rate = dte.totals("TasaIVA")
    old = dte.issued is not None and (dte.issued.year, dte.issued.month) < (2003, 10)
    current = Decimal(18) if old else IVA_RATE
    if rate is not None and rate != current:
        yield Fault(f"{TOTALS}/TasaIVA", tasa=rate, vigente=current)


@rule(
    "TOT-04",
    title="El IVA no corresponde al neto por la tasa.",
    message="El IVA es {declarado} y el neto por la tasa da {calculado}.",
    fix="IVA = neto x 19%, redondeado al peso.",
    source="F2.2 p.25 campo 112; F2.2 p.10 (ejemplo de error que no rechaza)",
    confidence="alta",
    types=TAXED_TYPES,
    forms=EVERY_FORM,
    fields=(f"{TOTALS}/IVA",),
    **OBJECTED,
)
def iva_agrees_with_the_net(dte: Dte, ctx: Context) -> Faults:
    net, iva = dte.totals("MntNeto"), dte.totals("IVA")
    rate = IVA_RATE if dte.form == "legacy" else dte.totals("TasaIVA")
    if net is None or iva is None or rate is None:
        return
    expected = half_up(net * rate / HUNDRED)
    if near(iva, expected):
        return
    # With gross lines the IVA may be what is left of the lines once the net is taken out.
    if is_gross(dte):
        gross = adjusted(group_totals(dte).get(TAXED, ZERO), global_rows(dte, TAXED))
        if gross.matches(net + iva):
            return
    yield Fault(f"{TOTALS}/IVA", declarado=iva, calculado=expected)


@rule(
    "TOT-05",
    title="Hay monto neto pero no se informó IVA o tasa.",
    message="Hay un monto neto de {neto} pero no se informó {falta}.",
    fix="Informe TasaIVA 19 e IVA.",
    source="ODOO «... en Monto - IVA debe declararse»",
    confidence="media",
    types=TAXED_TYPES - {52},
    fields=(f"{TOTALS}/IVA", f"{TOTALS}/TasaIVA"),
    **OBJECTED,
)
def taxed_amount_declares_iva(dte: Dte, ctx: Context) -> Faults:
    net = dte.totals_or_zero("MntNeto")
    if net <= ZERO:
        return
    for name in ("TasaIVA", "IVA"):
        if dte.totals(name) is None:
            yield Fault(f"{TOTALS}/{name}", neto=net, falta=name)


@rule(
    "TOT-06",
    title="Un documento exento trae neto o IVA.",
    message="Un documento exento trae {campo} por {monto}.",
    fix="Quite neto, tasa e IVA o cambie el tipo de documento.",
    source="F2.2 p.24-25 campo 107 (0 en 34); Odoo la bloquea en 34, 41 y exportación",
    confidence="media",
    types={34, 41},
    forms=EVERY_FORM,
    fields=(f"{TOTALS}/MntNeto", f"{TOTALS}/IVA"),
    **OBJECTED,
)
def exempt_document_has_no_iva(dte: Dte, ctx: Context) -> Faults:
    for name in ("MntNeto", "IVA"):
        amount = dte.totals_or_zero(name)
        if amount > ZERO:
            yield Fault(f"{TOTALS}/{name}", campo=name, monto=amount)


_LEGACY_TOTALS = frozenset({33, 34, 43, 46, 52, 56, 61})


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
    types=_LEGACY_TOTALS,
    forms=EVERY_FORM,
    fields=(f"{TOTALS}/MntTotal",),
    **OBJECTED,
)
def total_is_the_sum_of_its_parts(dte: Dte, ctx: Context) -> Faults:
    declared = dte.totals("MntTotal")
    if declared is None:
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
    **OBJECTED,
)
def not_billable_agrees_with_the_lines(dte: Dte, ctx: Context) -> Faults:
    sums = group_totals(dte)
    base = sums.get(NOT_BILLABLE, ZERO) - abs(sums.get("6", ZERO))
    expected = adjusted(base, global_rows(dte, NOT_BILLABLE))
    declared = dte.totals_or_zero("MontoNF")
    if not expected.matches(declared):
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
    **OBJECTED,
)
def period_amount_adds_up(dte: Dte, ctx: Context) -> Faults:
    name = "TotalPeriodo" if dte.is_boleta else "MontoPeriodo"
    declared = dte.totals(name)
    expected = dte.totals_or_zero("MntTotal") + dte.totals_or_zero("MontoNF")
    if declared is not None and not near(declared, expected):
        yield Fault(f"{TOTALS}/{name}", declarado=declared, calculado=expected)


@rule(
    "TOT-16",
    title="IVA propio más IVA de terceros no suma el IVA total.",
    message="IVA propio {propio} más IVA de terceros {terceros} no da el IVA total {iva}.",
    fix="Reparta el IVA entre propio y terceros sin diferencia.",
    source="F2.2 p.25 campos 113-114",
    confidence="media",
    types=TAXED_TYPES,
    fields=(f"{TOTALS}/IVAProp", f"{TOTALS}/IVATerc"),
    **WARNED,
)
def own_and_third_party_iva_add_up(dte: Dte, ctx: Context) -> Faults:
    own, third, iva = dte.totals("IVAProp"), dte.totals("IVATerc"), dte.totals_or_zero("IVA")
    split = own is not None and third is not None and not near(own + third, iva)
    # A settlement may carry negative amounts: compare sizes.
    larger = any(abs(part) > abs(iva) for part in (own, third) if part is not None)
    if split or larger:
        yield Fault(f"{TOTALS}/IVAProp", propio=own, terceros=third, iva=iva)


@rule(
    "TOT-17",
    title="La garantía por envases no cuadra con las líneas.",
    message="La garantía por envases es {declarado} y las líneas dan {calculado}.",
    fix="Garantía = suma de líneas con indicador 3.",
    source="F2.2 p.26-27 campo 120",
    confidence="media",
    types={33, 56, 61},
    fields=(f"{TOTALS}/GrntDep",),
    **OBJECTED,
)
def deposit_agrees_with_the_lines(dte: Dte, ctx: Context) -> Faults:
    expected = group_totals(dte).get("3", ZERO)
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
