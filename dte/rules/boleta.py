"""BOL: what only boletas have: gross lines, kind of service, the identified buyer, their own envelope."""

from datetime import date
from decimal import Decimal

from dte.documents.document import EXEMPT, TAXED, Dte
from dte.documents.envelope import Envelope
from dte.documents.rut import GENERIC_BUYER
from dte.formato.tipos import BOLETAS
from dte.rules.arithmetic import ONE, ZERO, adjusted, global_rows, half_up, near, without_iva
from dte.rules.findings import Fault
from dte.rules.registry import XML, Context, Faults, family, rule

family("BOL", "Boletas")

TOTALS = "Encabezado/Totales"
SERVICE = "Encabezado/IdDoc/IndServicio"
PERIODIC, HOUSEHOLD = "1", "2"
NET_LINES = "2"
ITEMISED_SINCE = date(2021, 1, 1)
IDENTIFIED_SINCE = date(2025, 9, 1)
# 135 UF in pesos, by year of issue: the UF of 31 December of the year before, fixed for the year.
# A year that is not here yet uses the last one known, which is lower: at worst it warns too early.
IDENTIFIED_FROM = {2025: Decimal(5_186_253)}


@rule(
    "BOL-01",
    title="La boleta no indica el tipo de servicio.",
    fix="Agregue IndServicio (3 = ventas y servicios).",
    source="XSD26 EnvioBOLETA minOccurs=1; SMOY",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    types=BOLETAS,
    fields=(SERVICE,),
)
def boleta_names_its_service(dte: Dte, ctx: Context) -> Faults:
    if dte.text(SERVICE) not in {"1", "2", "3", "4"}:
        yield Fault(SERVICE, valor=dte.text(SERVICE)[:5])


@rule(
    "BOL-02",
    title="El total de la boleta no es la suma de sus líneas.",
    message="El total de la boleta es {declarado} y sus líneas suman {calculado}.",
    fix="Las líneas de la boleta van con IVA incluido; su suma es el total.",
    source="LCORE (boletas); SMOY; práctica: 2 informes independientes (reparo 260 por el descuento global)",
    sii="reparo",
    severity="review",
    confidence="media",
    types=BOLETAS,
    fields=(f"{TOTALS}/MntTotal", "Detalle/MontoItem"),
    note="Se ha visto una boleta rechazada con HED-2-223: en boletas un reparo puede rechazar.",
)
def boleta_total_is_the_sum_of_its_lines(dte: Dte, ctx: Context) -> Faults:
    declared = dte.totals("MntTotal")
    if declared is None or not dte.lines:
        return
    sums = dte.sums
    taxed = adjusted(sums.get(TAXED, ZERO), global_rows(dte, TAXED))
    exempt = adjusted(sums.get(EXEMPT, ZERO), global_rows(dte, EXEMPT))
    exempt_values = exempt.values
    # As in TOT-02: some issuers apply a row without indicator, others do not.
    if dte.tipo == 41:
        exempt_values += adjusted(sums.get(EXEMPT, ZERO), global_rows(dte, EXEMPT, TAXED)).values
    factor = Decimal("1.19") if dte.text("Encabezado/IdDoc/IndMntNeto") == NET_LINES else 1
    # Global rows without indicator have no taxed line to apply to in an exempt boleta.
    parts = taxed.values if dte.tipo == 39 else (ZERO,)
    expected = [half_up(part * factor) + other for part in parts for other in exempt_values]
    tolerance = max(taxed.tolerance, exempt.tolerance)
    plain = half_up(sums.get(TAXED, ZERO) * factor) + sums.get(EXEMPT, ZERO)
    if near(declared, plain):
        return
    if any(near(declared, value, tolerance) for value in expected):
        yield Fault(
            "DscRcgGlobal",
            message="El total de la boleta es {declarado} y sus líneas suman {calculado}: en boletas el SII "
            "compara el total con la suma de las líneas y no aplica el descuento o recargo global.",
            fix="Reparta el descuento o recargo global en las líneas (DescuentoMonto o RecargoMonto), de modo "
            "que sus MontoItem sumen el total, y quite DscRcgGlobal.",
            declarado=declared,
            calculado=plain,
        )
    else:
        yield Fault(f"{TOTALS}/MntTotal", declarado=declared, calculado=plain)


@rule(
    "BOL-03",
    title="El neto o el IVA de la boleta no corresponde al total.",
    message="Para un total de {total} el neto es {neto_calculado} y el IVA {iva_calculado}; se informa "
    "neto {neto} e IVA {iva}.",
    fix="Neto = (total - exento)/1,19 redondeado; IVA = total - exento - neto.",
    source="SMOY (IVA por diferencia); LCORE",
    sii="reparo",
    severity="review",
    confidence="media",
    types={39},
    fields=(f"{TOTALS}/MntNeto", f"{TOTALS}/IVA"),
)
def boleta_iva_agrees_with_its_total(dte: Dte, ctx: Context) -> Faults:
    total, net, iva = dte.totals("MntTotal"), dte.totals("MntNeto"), dte.totals("IVA")
    if total is None or (net is None and iva is None):
        return
    taxed = total - dte.totals_or_zero("MntExe")
    expected = without_iva(taxed)
    wrong_net = net is not None and not near(net, expected)
    base = expected if net is None else net
    wrong_iva = iva is not None and not near(base + iva, taxed)
    if wrong_net or wrong_iva:
        yield Fault(
            f"{TOTALS}/{'MntNeto' if wrong_net else 'IVA'}",
            total=total,
            neto=net,
            iva=iva,
            neto_calculado=expected,
            iva_calculado=taxed - expected,
        )


@rule(
    "BOL-04",
    title="Boleta de servicio periódico sin dirección del cliente o sin vencimiento.",
    message="Boleta de servicio periódico sin {falta}.",
    fix="Agregue DirRecep (servicios 1 y 2) y FchVenc (servicio 2, domiciliario).",
    source="RURAL (boletas)",
    sii="aviso",
    severity="warn",
    confidence="media",
    types=BOLETAS,
    fields=("Encabezado/Receptor/DirRecep", "Encabezado/IdDoc/FchVenc"),
)
def periodic_service_is_complete(dte: Dte, ctx: Context) -> Faults:
    service = dte.text(SERVICE)
    if service in {PERIODIC, HOUSEHOLD} and not dte.has("Encabezado/Receptor/DirRecep"):
        yield Fault("Encabezado/Receptor/DirRecep", falta="dirección del cliente")
    if service == HOUSEHOLD and not dte.has("Encabezado/IdDoc/FchVenc"):
        yield Fault("Encabezado/IdDoc/FchVenc", falta="fecha de vencimiento")


@rule(
    "BOL-05",
    title="Boleta de 135 UF o más sin identificar al comprador.",
    message="La boleta es de {total}, 135 UF o más ({umbral}), y no identifica al comprador.",
    fix="Registre RUT y nombre del cliente (y el medio de pago); no divida la venta en varias boletas.",
    source="Res. Ex. SII 44 de 2025, según la prensa: vigente desde el 2025-09-01, con el umbral fijado "
    "una vez al año",
    sii="aviso",
    severity="warn",
    confidence="media",
    types=BOLETAS,
    fields=("Encabezado/Receptor/RUTRecep", "Encabezado/Receptor/RznSocRecep"),
)
def large_boleta_names_its_buyer(dte: Dte, ctx: Context) -> Faults:
    total = dte.totals("MntTotal")
    if total is None or dte.issued is None or dte.issued < IDENTIFIED_SINCE:
        return
    threshold = IDENTIFIED_FROM.get(dte.issued.year, IDENTIFIED_FROM[max(IDENTIFIED_FROM)])
    anonymous = dte.receiver == GENERIC_BUYER or not dte.has("Encabezado/Receptor/RznSocRecep")
    if total >= threshold and anonymous:
        yield Fault("Encabezado/Receptor/RUTRecep", total=total, umbral=threshold)


@rule(
    "BOL-06",
    title="El documento va en el sobre equivocado.",
    message="Un documento tipo {tipo} no va en un {sobre}.",
    fix="Las boletas van en EnvioBOLETA y los demás documentos en EnvioDTE.",
    source="XSD26 (tipos de cada esquema)",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    level="envelope",
    fields=("EnvioDTE", "EnvioBOLETA"),
)
def documents_are_in_their_own_envelope(envelope: Envelope, ctx: Context) -> Faults:
    for summary in envelope.documents:
        is_boleta = summary.tipo in BOLETAS
        if summary.tipo and is_boleta != (envelope.kind == "EnvioBOLETA"):
            yield Fault(
                f"SetDTE/DTE[{summary.number}]",
                document=summary.number,
                line=summary.line,
                tipo=summary.tipo,
                sobre=envelope.kind,
            )


@rule(
    "BOL-07",
    title="La boleta afecta no informa neto ni IVA.",
    message="La boleta tiene {afecto} afecto a IVA y no informa {falta}.",
    fix="Informe MntNeto e IVA además del total: neto = (total - exento)/1,19 redondeado, IVA = lo que resta.",
    source="práctica: 2 informes independientes (HED-2-223: el neto debe ser mayor que cero)",
    sii="reparo",
    severity="review",
    sii_code="HED-2-223",
    confidence="media",
    types={39},
    fields=(f"{TOTALS}/MntNeto", f"{TOTALS}/IVA"),
    note="Desde el 2021-01-01 la boleta desglosa neto e IVA; el esquema los deja opcionales.",
)
def taxed_boleta_states_its_net_and_iva(dte: Dte, ctx: Context) -> Faults:
    if dte.issued is None or dte.issued < ITEMISED_SINCE:
        return
    taxed = dte.totals_or_zero("MntTotal") - dte.totals_or_zero("MntExe")
    if taxed <= ONE or not any(dte.group_of(line) == TAXED for line in dte.lines):
        return
    missing = [name for name in ("MntNeto", "IVA") if not dte.totals_or_zero(name)]
    if missing:
        yield Fault(f"{TOTALS}/{missing[0]}", afecto=taxed, falta=" ni ".join(missing))
