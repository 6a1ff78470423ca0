"""TOT-07 to TOT-12: additional taxes, retentions and the construction credit."""

from decimal import Decimal

from dte.documents.document import Dte, Row
from dte.rules.arithmetic import HUNDRED, ZERO, Adjusted, adjusted, global_rows, half_up, near
from dte.rules.findings import Fault, spell
from dte.rules.registry import Context, Faults, rule
from dte.rules.taxes import MARGIN, SLAUGHTER, SPECIFIC, TAXES

TOTALS = "Encabezado/Totales"
TAXES_PATH = f"{TOTALS}/ImptoReten"
WITH_TAXES = frozenset({33, 43, 46, 52, 56, 61})
CONSTRUCTION_CREDIT = Decimal("0.65")
# 45: factura de compra on paper.
PURCHASES = frozenset({"45", "46"})


@rule(
    "TOT-07",
    title="El código de impuesto no se usa en este tipo de documento.",
    message="El código de impuesto {codigo} no se usa en este tipo de documento.",
    fix="Use códigos de impuestos adicionales en facturas (33) y de retención en facturas de compra (46).",
    source="F2.2 p.46-49 sección 4",
    sii="reparo",
    severity="review",
    confidence="media",
    types={33, 46, 56, 61},
    fields=(f"{TAXES_PATH}/TipoImp", "Detalle/CodImpAdic"),
    given=(TAXES_PATH, "Detalle/CodImpAdic"),
)
def tax_codes_belong_to_the_type(dte: Dte, ctx: Context) -> Faults:
    if dte.tipo in {56, 61}:
        return  # a note corrects sales and purchases alike
    found = {row.text("TipoImp"): row.path("TipoImp") for row in dte.taxes}
    for row in dte.lines:
        for code in row.texts("CodImpAdic"):
            found.setdefault(code, row.path("CodImpAdic"))
    for code, path in found.items():
        tax = TAXES.get(code)
        if tax is not None and not (tax.on_sales if dte.tipo == 33 else tax.on_purchases):
            yield Fault(path, codigo=code)


@rule(
    "TOT-08",
    title="La tasa del impuesto adicional o retención no es la vigente.",
    message="La tasa del impuesto {codigo} es {tasa} % y la vigente es {vigente} %.",
    fix="Corrija la tasa del impuesto indicado.",
    source="F2.2 p.46-49 sección 4; CDL HED-2-302",
    sii="reparo",
    severity="review",
    sii_code="HED-2-302",
    confidence="alta",
    types=WITH_TAXES,
    fields=(f"{TAXES_PATH}/TasaImp",),
    given=(TAXES_PATH,),
    note="Las tasas del art. 42 del DL 825 rigen desde el 2014-10-01; antes no se revisan. Una retención sin "
    "tasa recibe el mismo reparo (práctica: 2 informes).",
)
def tax_rates_are_in_force(dte: Dte, ctx: Context) -> Faults:
    before_reform = dte.issued is not None and (dte.issued.year, dte.issued.month) < (2014, 10)
    for row in dte.taxes:
        code, rate = row.text("TipoImp"), row.amount("TasaImp")
        tax = TAXES.get(code)
        if tax is None or tax.rate is None:
            continue
        if rate is None:
            if tax.sign < 0 and tax.rate:
                yield Fault(
                    row.path("TasaImp"),
                    message="La retención {codigo} no informa su tasa, y el SII la compara con la vigente: "
                    "{vigente} %.",
                    fix=f"Agregue TasaImp {spell(tax.rate)}.",
                    codigo=code,
                    vigente=tax.rate,
                )
            continue
        if before_reform and code in {"24", "25", "26", "27", "271"}:
            continue
        if rate != tax.rate:
            yield Fault(row.path("TasaImp"), codigo=code, tasa=rate, vigente=tax.rate)


def _base(dte: Dte, row: Row) -> Adjusted:
    """The amounts on which a tax may be taken, with one peso per line that carries its code."""
    code = row.text("TipoImp")
    lines = [line for line in dte.lines if code in line.texts("CodImpAdic")]
    tolerance = Decimal(max(1, len(lines)))
    if code == SLAUGHTER:
        informed = dte.totals("MntBase")
        meat = sum((line.amount_or_zero("Retenedor/MntBaseFaena") for line in lines), ZERO)
        return Adjusted((meat if informed is None else informed, meat), tolerance)
    if code == MARGIN:
        margin = sum((line.amount_or_zero("Retenedor/MntMargComer") for line in lines), ZERO)
        return Adjusted((margin, dte.totals("MntMargenCom") or margin), tolerance)
    amount = sum((line.amount_or_zero("MontoItem") for line in lines), ZERO)
    discounted = adjusted(amount, [r for r in global_rows(dte, "") if r.text("TpoValor") == "%"])
    return Adjusted((amount, *discounted.values), tolerance)


_NOT_POSITIVE = "El impuesto {codigo} es {declarado} y debe ser mayor que cero."


@rule(
    "TOT-09",
    title="El monto del impuesto adicional o retención no cuadra.",
    message="El impuesto {codigo} es {declarado} y su tasa sobre las líneas da {calculado}.",
    fix="Monto = tasa x suma de líneas con ese código.",
    source="F2.2 p.26 campo 117; CDL HED-2-300",
    sii="reparo",
    severity="review",
    sii_code="HED-2-300",
    confidence="alta",
    types=WITH_TAXES,
    fields=(f"{TAXES_PATH}/MontoImp",),
    given=(TAXES_PATH,),
    note="Los impuestos específicos y los que no informan tasa sólo se revisan como mayores que "
    "cero; el esquema de 2026 admite un específico negativo. Con descuentos globales en porcentaje se "
    "acepta la base con y sin ellos.",
)
def tax_amounts_agree(dte: Dte, ctx: Context) -> Faults:
    for row in dte.taxes:
        code, rate = row.text("TipoImp"), row.amount("TasaImp")
        declared = row.amount("MontoImp")
        if declared is None:
            continue
        if code in SPECIFIC or rate is None:
            # The variable part of the fuel taxes may be negative.
            nothing = not declared and _base(dte, row).expected
            if nothing or (declared < ZERO and code not in SPECIFIC):
                yield Fault(
                    row.path("MontoImp"), message=_NOT_POSITIVE, codigo=code, declarado=declared
                )
            continue
        base = _base(dte, row)
        expected = [half_up(value * rate / HUNDRED) for value in base.values]
        if not any(near(abs(declared), abs(value), base.tolerance) for value in expected):
            yield Fault(
                row.path("MontoImp"), codigo=code, declarado=declared, calculado=expected[0]
            )


@rule(
    "TOT-10",
    title="El impuesto de las líneas no aparece en los totales (o al revés).",
    message="El impuesto {codigo} está en {donde} y no en {falta}.",
    fix="Declare cada impuesto de las líneas en la tabla de impuestos de los totales.",
    source="F2.2 p.26 campos 115-117, p.36 campo B37",
    sii="reparo",
    severity="review",
    confidence="media",
    types=WITH_TAXES,
    fields=("Detalle/CodImpAdic", TAXES_PATH),
    given=(TAXES_PATH, "Detalle/CodImpAdic"),
)
def taxes_of_lines_and_totals_match(dte: Dte, ctx: Context) -> Faults:
    in_lines = {
        code: row.path("CodImpAdic")
        for row in dte.lines
        if row.amount_or_zero("MontoItem")
        for code in row.texts("CodImpAdic")
    }
    mentioned = {code for row in dte.lines for code in row.texts("CodImpAdic")}
    in_totals = {row.text("TipoImp"): row.path("TipoImp") for row in dte.taxes}
    for code, path in in_lines.items():
        if code not in in_totals:
            yield Fault(path, codigo=code, donde="las líneas", falta="los totales")
    for code, path in in_totals.items():
        if code and code not in mentioned:
            yield Fault(path, codigo=code, donde="los totales", falta="las líneas")


@rule(
    "TOT-11",
    title="El IVA no retenido no cuadra.",
    message="El IVA no retenido es {declarado} y debería ser {calculado}.",
    fix="IVA no retenido = IVA - IVA retenido; si es 0 no se informa.",
    source="F2.2 p.26 campo 118",
    sii="reparo",
    severity="review",
    confidence="media",
    types={46, 56, 61},
    fields=(f"{TOTALS}/IVANoRet",),
    given=(TAXES_PATH,),
)
def iva_not_retained_agrees(dte: Dte, ctx: Context) -> Faults:
    if dte.tipo != 46 and not any(row.text("TpoDocRef") in PURCHASES for row in dte.references):
        return
    retained = [
        row.amount_or_zero("MontoImp")
        for row in dte.taxes
        if (tax := TAXES.get(row.text("TipoImp"))) is not None and tax.sign < 0
    ]
    if not retained:
        return
    expected = dte.totals_or_zero("IVA") - sum(retained)
    declared = dte.totals_or_zero("IVANoRet")
    if not near(declared, expected):
        yield Fault(f"{TOTALS}/IVANoRet", declarado=declared, calculado=expected)


@rule(
    "TOT-12",
    title="El crédito especial de empresas constructoras no corresponde al 65% del IVA.",
    message="El crédito de empresas constructoras es {declarado} y el 65 % del IVA es {calculado}.",
    fix="Recalcule el crédito; el beneficio terminó por ley para contratos nuevos.",
    source="F2.2 p.26 campo 119 (DL 910 art. 21); topes y cambios de ley hacen legales otros valores",
    sii="aviso",
    severity="warn",
    confidence="media",
    types={33, 56, 61},
    fields=(f"{TOTALS}/CredEC",),
    given=(f"{TOTALS}/CredEC",),
)
def construction_credit_agrees(dte: Dte, ctx: Context) -> Faults:
    declared = dte.totals("CredEC")
    expected = half_up(dte.totals_or_zero("IVA") * CONSTRUCTION_CREDIT)
    if declared is not None and not near(declared, expected):
        yield Fault(f"{TOTALS}/CredEC", declarado=declared, calculado=expected)
