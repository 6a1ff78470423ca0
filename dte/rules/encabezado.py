"""ENC: what the header must name, and indicators that do not belong to the type.

The obligations are those of Formato DTE v2.2, table «Encabezado», p.11-19.
"""

from dte.documents.document import Dte
from dte.documents.rut import FOREIGN_BUYER
from dte.formato.tipos import ALL_TYPES, BOLETAS
from dte.rules.arithmetic import ZERO, near
from dte.rules.findings import Fault
from dte.rules.registry import REJECTED, WARNED, Context, Faults, family, rule

family("ENC", "Encabezado")

IDDOC = "Encabezado/IdDoc"
ISSUER = "Encabezado/Emisor"
RECEIVER = "Encabezado/Receptor"
# Who must be fully described: facturas, guías, facturas de compra and liquidaciones.
DELIVERED = frozenset({33, 34, 43, 46, 52})
# Communes from which a tourist may be invoiced (Formato DTE v2.2 p.15, campo 31).
TOURIST_COMMUNES = frozenset({"ARICA", "CAMARONES", "PUTRE", "GENERAL LAGOS"})


def _missing(dte: Dte, path: str) -> Faults:
    if not dte.has(path):
        yield Fault(path)


@rule(
    "ENC-01",
    title="Falta la razón social del emisor.",
    fix="Complete la razón social (máx. 100 caracteres).",
    source="F2.2 p.16 campo 33; XSD26 minOccurs=1 (no en boletas)",
    confidence="alta",
    fields=(f"{ISSUER}/RznSoc", f"{ISSUER}/RznSocEmisor"),
    **REJECTED,
)
def issuer_has_a_name(dte: Dte, ctx: Context) -> Faults:
    if not dte.is_boleta:
        yield from _missing(dte, f"{ISSUER}/RznSoc")
    elif not dte.has(f"{ISSUER}/RznSocEmisor"):
        yield Fault(f"{ISSUER}/RznSocEmisor", severity="warn")


@rule(
    "ENC-02",
    title="Falta el giro del emisor.",
    fix="Complete el giro del emisor (máx. 80 caracteres).",
    source="F2.2 p.16 campo 34; XSD26 minOccurs=1 minLength=1",
    confidence="alta",
    types=ALL_TYPES - BOLETAS,
    fields=(f"{ISSUER}/GiroEmis",),
    **REJECTED,
)
def issuer_has_an_activity(dte: Dte, ctx: Context) -> Faults:
    return _missing(dte, f"{ISSUER}/GiroEmis")


@rule(
    "ENC-03",
    title="Falta el código de actividad económica del emisor.",
    fix="Agregue el Acteco de 6 dígitos registrado en el SII.",
    source="F2.2 p.16 campo 37; XSD26 minOccurs=1; SMOY HED-3-861",
    sii_code="HED-3-861",
    confidence="alta",
    types=ALL_TYPES - BOLETAS,
    fields=(f"{ISSUER}/Acteco",),
    note="Si el código está registrado para ese RUT sólo lo sabe el SII.",
    **REJECTED,
)
def issuer_has_an_activity_code(dte: Dte, ctx: Context) -> Faults:
    if not dte.texts(f"{ISSUER}/Acteco"):
        yield Fault(f"{ISSUER}/Acteco")


@rule(
    "ENC-04",
    title="Falta la dirección de origen del emisor.",
    fix="Complete la dirección desde donde se emite o despacha.",
    source="F2.2 p.17 campo 44 (obligatoriedad 1); XSD26 minOccurs=1 sólo en 43",
    confidence="media",
    types=DELIVERED | {110},
    fields=(f"{ISSUER}/DirOrigen",),
    **REJECTED,
)
def issuer_has_an_address(dte: Dte, ctx: Context) -> Faults:
    return _missing(dte, f"{ISSUER}/DirOrigen")


@rule(
    "ENC-05",
    title="Falta la comuna de origen del emisor.",
    fix="Complete la comuna del emisor (máx. 20 caracteres).",
    source="F2.2 p.17 campo 45 (obligatoriedad 1); ODOO «RECHAZO- DTE Sin Comuna Origen»",
    confidence="alta",
    types={33, 34, 52},
    fields=(f"{ISSUER}/CmnaOrigen",),
    **REJECTED,
)
def issuer_has_a_commune(dte: Dte, ctx: Context) -> Faults:
    return _missing(dte, f"{ISSUER}/CmnaOrigen")


@rule(
    "ENC-06",
    title="Falta el giro del receptor.",
    fix="Complete el giro del cliente (máx. 40 caracteres).",
    source="F2.2 p.18 campo 57 (obligatoriedad 1); XSD26 minOccurs=1 sólo en 43",
    confidence="media",
    types=DELIVERED,
    fields=(f"{RECEIVER}/GiroRecep",),
    **REJECTED,
)
def receiver_has_an_activity(dte: Dte, ctx: Context) -> Faults:
    return _missing(dte, f"{RECEIVER}/GiroRecep")


@rule(
    "ENC-07",
    title="Falta la dirección del receptor.",
    fix="Complete la dirección del cliente.",
    source="F2.2 p.19 campo 60 (obligatoriedad 1); HED-3-845 «RECHAZO- DTE Sin Direccion del Receptor»",
    sii_code="HED-3-845",
    confidence="alta",
    types=DELIVERED | {110},
    fields=(f"{RECEIVER}/DirRecep",),
    note="En 110 sólo se avisa.",
    **REJECTED,
)
def receiver_has_an_address(dte: Dte, ctx: Context) -> Faults:
    path = f"{RECEIVER}/DirRecep"
    if not dte.has(path):
        yield Fault(path, severity="warn" if dte.is_export else None)


@rule(
    "ENC-08",
    title="Falta la comuna del receptor.",
    fix="Complete la comuna del cliente (máx. 20 caracteres).",
    source="F2.2 p.19 campo 61 (obligatoriedad 1; para 110 la tabla es contradictoria)",
    confidence="media",
    types=DELIVERED,
    fields=(f"{RECEIVER}/CmnaRecep",),
    **REJECTED,
)
def receiver_has_a_commune(dte: Dte, ctx: Context) -> Faults:
    return _missing(dte, f"{RECEIVER}/CmnaRecep")


@rule(
    "ENC-09",
    title="Falta la razón social del receptor.",
    fix="Complete el nombre o razón social del cliente.",
    source="F2.2 p.18 campo 52 (obligatoriedad 1); XSD26 minOccurs=1",
    confidence="media",
    types=ALL_TYPES - BOLETAS,
    fields=(f"{RECEIVER}/RznSocRecep",),
    **REJECTED,
)
def receiver_has_a_name(dte: Dte, ctx: Context) -> Faults:
    return _missing(dte, f"{RECEIVER}/RznSocRecep")


@rule(
    "ENC-10",
    title="No se indicó la forma de pago.",
    fix="Indique 1 contado, 2 crédito o 3 sin costo; si falta, el SII entiende crédito.",
    source="F2.2 p.13 campo 13",
    confidence="alta",
    types={33, 34, 43},
    fields=(f"{IDDOC}/FmaPago",),
    **WARNED,
)
def payment_terms_are_given(dte: Dte, ctx: Context) -> Faults:
    return _missing(dte, f"{IDDOC}/FmaPago")


@rule(
    "ENC-11",
    title="El indicador 'no rebaja' sólo corresponde a notas de crédito.",
    fix="Quite IndNoRebaja.",
    source="F2.2 p.11 campo 5 (0 en los demás)",
    confidence="media",
    types=ALL_TYPES - BOLETAS - {61},
    fields=(f"{IDDOC}/IndNoRebaja",),
    given=(f"{IDDOC}/IndNoRebaja",),
    **WARNED,
)
def no_rebate_is_for_credit_notes(dte: Dte, ctx: Context) -> Faults:
    path = f"{IDDOC}/IndNoRebaja"
    if dte.has(path):
        yield Fault(path)


@rule(
    "ENC-12",
    title="Se usaron montos brutos en un documento con impuestos adicionales.",
    fix="Informe las líneas en neto: el indicador de montos brutos sólo sirve si no hay impuestos "
    "adicionales.",
    source="F2.2 p.12 campo 10",
    sii="reparo",
    severity="review",
    confidence="media",
    types={33, 34, 46, 56, 61},
    fields=(f"{IDDOC}/MntBruto", "Encabezado/Totales/ImptoReten"),
    given=(f"{IDDOC}/MntBruto",),
)
def gross_amounts_have_no_additional_tax(dte: Dte, ctx: Context) -> Faults:
    if dte.text(f"{IDDOC}/MntBruto") != "1":
        return
    if dte.taxes or any(row.texts("CodImpAdic") for row in dte.lines):
        yield Fault(f"{IDDOC}/MntBruto")


@rule(
    "ENC-13",
    title="Se informó un dato de traslado o despacho que no corresponde a este tipo de documento.",
    fix="Quite IndTraslado (sólo guías) o TipoDespacho (facturas, guías y 110).",
    source="F2.2 p.11-12 campos 6-7 (0 = no corresponde)",
    confidence="media",
    fields=(f"{IDDOC}/IndTraslado", f"{IDDOC}/TipoDespacho"),
    given=(f"{IDDOC}/IndTraslado", f"{IDDOC}/TipoDespacho"),
    **WARNED,
)
def transfer_indicators_belong_to_the_type(dte: Dte, ctx: Context) -> Faults:
    if dte.tipo != 52 and dte.has(f"{IDDOC}/IndTraslado"):
        yield Fault(f"{IDDOC}/IndTraslado")
    if dte.tipo in {43, 56, 61, 111, 112} and dte.has(f"{IDDOC}/TipoDespacho"):
        yield Fault(f"{IDDOC}/TipoDespacho")


@rule(
    "ENC-14",
    title="Servicio periódico domiciliario sin fecha de vencimiento.",
    fix="Indique la fecha de vencimiento: ahí se devenga el IVA.",
    source="F2.2 p.12 campo 9 y nota 2; inferido",
    confidence="media",
    types={33, 34},
    fields=(f"{IDDOC}/IndServicio", f"{IDDOC}/FchVenc"),
    given=(f"{IDDOC}/IndServicio",),
    **WARNED,
)
def household_service_has_a_due_date(dte: Dte, ctx: Context) -> Faults:
    if dte.text(f"{IDDOC}/IndServicio") == "1" and not dte.has(f"{IDDOC}/FchVenc"):
        yield Fault(f"{IDDOC}/FchVenc")


@rule(
    "ENC-15",
    title="Factura turista con datos incompletos.",
    message="Factura turista: {problema}.",
    fix="Use receptor 55555555-5, comuna Arica/Camarones/Putre/General Lagos y documento del turista.",
    source="F2.2 p.15 campo 31, p.18 campos 53-55",
    confidence="media",
    types={33, 56, 61},
    fields=(f"{IDDOC}/TipoFactEsp", f"{RECEIVER}/Extranjero"),
    given=(f"{IDDOC}/TipoFactEsp",),
    note="El formato permite el campo en facturas y notas de crédito; en notas de débito no debería ir.",
    **WARNED,
)
def tourist_invoice_is_complete(dte: Dte, ctx: Context) -> Faults:
    if dte.text(f"{IDDOC}/TipoFactEsp") != "1":
        return
    if dte.receiver != FOREIGN_BUYER:
        yield Fault(f"{RECEIVER}/RUTRecep", problema=f"el receptor no es {FOREIGN_BUYER}")
    commune = f"{ISSUER}/CmnaOrigen"
    if dte.text(commune).upper() not in TOURIST_COMMUNES:
        yield Fault(commune, problema="la comuna de origen no admite este beneficio")
    for name in ("NumId", "TipoDocID"):
        path = f"{RECEIVER}/Extranjero/{name}"
        if not dte.has(path):
            yield Fault(path, problema=f"falta {name} del turista")


@rule(
    "ENC-17",
    title="Las cuotas de pago no suman el total del documento.",
    message="Las cuotas de pago suman {suma} y el total es {total}.",
    fix="Ajuste los montos de la tabla de pagos.",
    source="F2.2 p.14 campo 19 («sin validación»); inferido",
    confidence="baja",
    types=ALL_TYPES - BOLETAS,
    fields=(f"{IDDOC}/MntPagos",),
    given=(f"{IDDOC}/MntPagos",),
    **WARNED,
)
def instalments_add_up(dte: Dte, ctx: Context) -> Faults:
    rows = dte.rows(f"{IDDOC}/MntPagos")
    total = dte.totals("MntTotal")
    amounts = [amount for row in rows if (amount := row.amount("MntPago")) is not None]
    paid = sum(amounts, ZERO)
    if amounts and total is not None and not near(paid, total):
        yield Fault(f"{IDDOC}/MntPagos", suma=paid, total=total)
