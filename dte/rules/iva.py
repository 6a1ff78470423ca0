"""TOT-03 to TOT-06 and TOT-16: the IVA, its rate and its split."""

from decimal import Decimal

from dte.documents.document import TAXED, Dte
from dte.formato.tipos import TAXED_TYPES
from dte.rules.arithmetic import HUNDRED, ZERO, adjusted, global_rows, half_up, is_gross, near
from dte.rules.findings import Fault
from dte.rules.registry import EVERY_FORM, OBJECTED, WARNED, Context, Faults, rule
from dte.rules.taxes import IVA_RATE

TOTALS = "Encabezado/Totales"


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
        gross = adjusted(dte.sums.get(TAXED, ZERO), global_rows(dte, TAXED))
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
    fix="Quite MntNeto, TasaIVA e IVA, también si valen cero; o cambie el tipo de documento.",
    source="F2.2 p.24-25 campo 107 (0 en 34); Odoo la bloquea en 34, 41 y exportación; práctica: 1 informe "
    "(exenta rechazada hasta quitar MntNeto 0, TasaIVA 19 e IVA 0)",
    confidence="media",
    types={34, 41},
    forms=EVERY_FORM,
    fields=(f"{TOTALS}/MntNeto", f"{TOTALS}/TasaIVA", f"{TOTALS}/IVA"),
    **OBJECTED,
)
def exempt_document_has_no_iva(dte: Dte, ctx: Context) -> Faults:
    for name in ("MntNeto", "TasaIVA", "IVA"):
        amount = dte.totals(name)
        # The flat form has a place for each amount, and its clients fill them with zeros.
        if amount is not None and (amount > ZERO or dte.form != "legacy"):
            yield Fault(f"{TOTALS}/{name}", campo=name, monto=amount)


@rule(
    "TOT-16",
    title="IVA propio más IVA de terceros no suma el IVA total.",
    message="IVA propio {propio} más IVA de terceros {terceros} no da el IVA total {iva}.",
    fix="Reparta el IVA entre propio y terceros sin diferencia.",
    source="F2.2 p.25 campos 113-114",
    confidence="media",
    types=TAXED_TYPES,
    fields=(f"{TOTALS}/IVAProp", f"{TOTALS}/IVATerc"),
    given=(f"{TOTALS}/IVAProp", f"{TOTALS}/IVATerc"),
    **WARNED,
)
def own_and_third_party_iva_add_up(dte: Dte, ctx: Context) -> Faults:
    own, third, iva = dte.totals("IVAProp"), dte.totals("IVATerc"), dte.totals_or_zero("IVA")
    split = own is not None and third is not None and not near(own + third, iva)
    # A settlement may carry negative amounts: compare sizes.
    larger = any(abs(part) > abs(iva) for part in (own, third) if part is not None)
    if split or larger:
        yield Fault(f"{TOTALS}/IVAProp", propio=own, terceros=third, iva=iva)
