"""EXP: export invoices and notes, in foreign currency, with customs data."""

from datetime import date

from dte.documents.document import Dte
from dte.documents.rut import FOREIGN_BUYER
from dte.formato.aduana import is_known
from dte.formato.tipos import EXPORTS
from dte.formato.values import CURRENCIES
from dte.rules.arithmetic import CENT, ONE, ZERO, near
from dte.rules.findings import Fault
from dte.rules.registry import OBJECTED, REJECTED, WARNED, Context, Faults, family, rule

family("EXP", "Exportación")

TOTALS = "Encabezado/Totales"
OTHER_CURRENCY = "Encabezado/OtraMoneda"
CUSTOMS = "Encabezado/Transporte/Aduana"
PESO = "PESO CL"
IN_PESOS_SINCE = date(2017, 5, 31)
WITHOUT_PAYMENT, IN_ADVANCE = "21", "32"
# Codes of TipoBultos that are containers.
CONTAINERS = frozenset(str(code) for code in range(73, 79))
_GOODS_FIELDS = (
    "CodModVenta",
    "CodClauVenta",
    "TotClauVenta",
    "CodViaTransp",
    "CodPtoEmbarque",
    "CodPtoDesemb",
    "TotBultos",
    "CodPaisRecep",
    "CodPaisDestin",
)
_CURRENCIES = frozenset(CURRENCIES)


@rule(
    "EXP-01",
    title="Falta la moneda del documento de exportación o no es de la tabla.",
    message="La moneda «{moneda}» falta o no es de la tabla del SII.",
    fix="Use un valor de la tabla del SII, por ejemplo DOLAR USA o EURO.",
    source="F2.2 p.24 campo 106; XSD26 TipMonType",
    confidence="alta",
    types=EXPORTS,
    fields=(f"{TOTALS}/TpoMoneda",),
    **REJECTED,
)
def currency_is_of_the_table(dte: Dte, ctx: Context) -> Faults:
    currency = dte.text(f"{TOTALS}/TpoMoneda")
    if currency not in _CURRENCIES:
        yield Fault(f"{TOTALS}/TpoMoneda", moneda=currency[:20])


@rule(
    "EXP-02",
    title="El total de exportación no es igual al monto exento.",
    message="El total de exportación es {total} y el monto exento {exento}.",
    fix="Total = monto exento (no hay IVA en exportaciones).",
    source="F2.2 p.27 campo 124; XSD26 (sólo TpoMoneda, MntExe y MntTotal)",
    confidence="alta",
    types=EXPORTS,
    fields=(f"{TOTALS}/MntTotal", f"{TOTALS}/MntExe"),
    **OBJECTED,
)
def export_total_is_its_exempt_amount(dte: Dte, ctx: Context) -> Faults:
    total, exempt = dte.totals("MntTotal"), dte.totals_or_zero("MntExe")
    unpaid = dte.text("Encabezado/IdDoc/FmaPagExp") == WITHOUT_PAYMENT and total == ZERO
    if total is not None and not unpaid and not near(total, exempt, CENT):
        yield Fault(f"{TOTALS}/MntTotal", total=total, exento=exempt)


@rule(
    "EXP-03",
    title="El receptor de exportación debe llevar el RUT 55555555-5.",
    message="El receptor de exportación lleva el RUT {rut} y no 55555555-5.",
    fix="Use 55555555-5 como RUT del cliente extranjero.",
    source="F2.2 p.18 campo 50",
    confidence="media",
    types=EXPORTS,
    fields=("Encabezado/Receptor/RUTRecep",),
    note="Puede ser legal que un extranjero tenga RUT chileno.",
    **OBJECTED,
)
def export_buyer_is_foreign(dte: Dte, ctx: Context) -> Faults:
    if dte.receiver != FOREIGN_BUYER:
        yield Fault("Encabezado/Receptor/RUTRecep", rut=dte.receiver)


def _is_without_payment(dte: Dte) -> bool:
    return dte.text("Encabezado/IdDoc/FmaPagExp") == WITHOUT_PAYMENT


def _in_pesos(dte: Dte) -> bool:
    return dte.text(f"{OTHER_CURRENCY}/TpoMoneda") == PESO


@rule(
    "EXP-04",
    title="Falta el total en pesos chilenos (otra moneda).",
    fix="Agregue OtraMoneda con PESO CL, tipo de cambio, exento y total en pesos.",
    source="F2.2 p.3 (cambio del 31/05/2017), p.28 campo 129; CDL HED-3-834",
    sii_code="HED-3-834",
    confidence="alta",
    types=EXPORTS,
    fields=(OTHER_CURRENCY,),
    **REJECTED,
)
def export_states_its_total_in_pesos(dte: Dte, ctx: Context) -> Faults:
    if dte.text(f"{TOTALS}/TpoMoneda") == PESO:
        return
    if dte.issued is not None and dte.issued < IN_PESOS_SINCE:
        return
    if not _in_pesos(dte):
        yield Fault(OTHER_CURRENCY)


@rule(
    "EXP-05",
    title="El total en pesos no corresponde al tipo de cambio.",
    message="{campo} es {declarado} y al tipo de cambio {tipo} debería ser {calculado}.",
    fix="Total en pesos = total x tipo de cambio.",
    source="F2.2 p.28-29 campos 130-132 («sin validación de fórmula»)",
    sii="reparo",
    severity="warn",
    confidence="media",
    types=EXPORTS,
    fields=(f"{OTHER_CURRENCY}/MntTotOtrMnda", f"{OTHER_CURRENCY}/TpoCambio"),
)
def pesos_follow_the_exchange_rate(dte: Dte, ctx: Context) -> Faults:
    rate = dte.amount(f"{OTHER_CURRENCY}/TpoCambio")
    if rate is None or not _in_pesos(dte) or _is_without_payment(dte):
        return
    for name, total in (("MntTotOtrMnda", "MntTotal"), ("MntExeOtrMnda", "MntExe")):
        path = f"{OTHER_CURRENCY}/{name}"
        declared, foreign = dte.amount(path), dte.totals(total)
        if declared is None or foreign is None:
            continue
        expected = foreign * rate
        if not near(declared, expected, ONE):
            yield Fault(path, campo=name, declarado=declared, tipo=rate, calculado=expected)


@rule(
    "EXP-06",
    title="Forma de pago 'sin pago' con un total en la otra moneda distinto de cero.",
    message="La forma de pago es 'sin pago' y {campo}, el total en la otra moneda, es {total}.",
    fix="Con FmaPagExp 21 deje en 0 los montos de OtraMoneda (MntExeOtrMnda y MntTotOtrMnda); el MntTotal "
    "se informa.",
    source="práctica: 2 informes independientes (HED-1-803; 10 sets aprobados en septiembre de 2026); "
    "F2.2 p.27 campo 124",
    sii_code="HED-1-803",
    confidence="media",
    types=EXPORTS,
    fields=("Encabezado/IdDoc/FmaPagExp", f"{OTHER_CURRENCY}/MntTotOtrMnda"),
    given=("Encabezado/IdDoc/FmaPagExp",),
    **WARNED,
)
def export_without_payment_is_zero_in_the_other_currency(dte: Dte, ctx: Context) -> Faults:
    if not _is_without_payment(dte):
        return
    for name in ("MntTotOtrMnda", "MntExeOtrMnda"):
        if amount := dte.amount_or_zero(f"{OTHER_CURRENCY}/{name}"):
            yield Fault(f"{OTHER_CURRENCY}/{name}", campo=name, total=amount)
            return


@rule(
    "EXP-07",
    title="Faltan datos de aduana en la exportación de bienes.",
    message="La exportación de bienes no informa {campos}.",
    fix="Complete modalidad, cláusula, total cláusula, vía de transporte y puertos.",
    source="F2.2 p.20-24 campos 74-77, 84, 86, 95, 104-105",
    confidence="media",
    types={110},
    fields=tuple(f"{CUSTOMS}/{name}" for name in _GOODS_FIELDS),
    note="Sólo bienes (sin IndServicio): en servicios darían falsas alarmas. Con CodModVenta solo, el SII "
    "los ha aceptado en certificación (práctica: 1 informe): se avisa.",
    **OBJECTED,
)
def exported_goods_have_their_customs_data(dte: Dte, ctx: Context) -> Faults:
    if dte.has("Encabezado/IdDoc/IndServicio"):
        return
    missing = [name for name in _GOODS_FIELDS if not dte.has(f"{CUSTOMS}/{name}")]
    if missing:
        only_the_sale = missing == list(_GOODS_FIELDS[1:])
        yield Fault(
            f"{CUSTOMS}/{missing[0]}",
            severity="warn" if only_the_sale else None,
            campos=", ".join(missing),
        )


@rule(
    "EXP-08",
    title="Bultos sin marcas o contenedor sin identificación y sello.",
    message="Los bultos {numero} no informan {falta}.",
    fix="Indique Marcas, o IdContainer, Sello y EmisorSello si es contenedor.",
    source="F2.2 p.23-24 campos 96-101; CDL HED-2-804",
    sii_code="HED-2-804",
    confidence="media",
    types={52, 110},
    fields=(f"{CUSTOMS}/TipoBultos",),
    **OBJECTED,
)
def packages_are_identified(dte: Dte, ctx: Context) -> Faults:
    for row in dte.rows(f"{CUSTOMS}/TipoBultos"):
        container = row.text("CodTpoBultos") in CONTAINERS
        for name in ("IdContainer", "Sello") if container else ("Marcas",):
            if not row.has(name):
                yield Fault(row.path(name), numero=row.number, falta=name)


@rule(
    "EXP-09",
    title="El total de bultos no es la suma de los bultos detallados.",
    message="El total de bultos es {declarado} y los detallados suman {suma}.",
    fix="Corrija TotBultos.",
    source="Inferido",
    confidence="baja",
    types={52, 110},
    fields=(f"{CUSTOMS}/TotBultos",),
    **WARNED,
)
def packages_add_up(dte: Dte, ctx: Context) -> Faults:
    rows = dte.rows(f"{CUSTOMS}/TipoBultos")
    declared = dte.amount(f"{CUSTOMS}/TotBultos")
    counted = sum((row.amount_or_zero("CantBultos") for row in rows), ZERO)
    if rows and declared is not None and declared != counted:
        yield Fault(f"{CUSTOMS}/TotBultos", declarado=declared, suma=counted)


@rule(
    "EXP-10",
    title="Pago anticipado sin fecha de cancelación.",
    fix="Agregue FchCancel.",
    source="F2.2 p.14 campo 15 (obligatorio si hay anticipo)",
    confidence="media",
    types={110},
    fields=("Encabezado/IdDoc/FchCancel",),
    **WARNED,
)
def advance_payment_has_its_date(dte: Dte, ctx: Context) -> Faults:
    in_advance = dte.text("Encabezado/IdDoc/FmaPagExp") == IN_ADVANCE
    if in_advance and not dte.has("Encabezado/IdDoc/FchCancel"):
        yield Fault("Encabezado/IdDoc/FchCancel")


# The fields that hold a code of a customs table, by the table.
_TABLES = {
    f"{CUSTOMS}/CodModVenta": "modalidad",
    f"{CUSTOMS}/CodClauVenta": "clausula",
    f"{CUSTOMS}/CodViaTransp": "transporte",
    f"{CUSTOMS}/CodPtoEmbarque": "puerto",
    f"{CUSTOMS}/CodPtoDesemb": "puerto",
    f"{CUSTOMS}/CodUnidMedTara": "unidad",
    f"{CUSTOMS}/CodUnidPesoBruto": "unidad",
    f"{CUSTOMS}/CodUnidPesoNeto": "unidad",
    f"{CUSTOMS}/CodPaisRecep": "pais",
    f"{CUSTOMS}/CodPaisDestin": "pais",
    "Encabezado/IdDoc/FmaPagExp": "pago",
    "Encabezado/Receptor/Extranjero/Nacionalidad": "pais",
}
_TABLE_NAMES = {
    "modalidad": "modalidades de venta",
    "clausula": "cláusulas de venta",
    "transporte": "vías de transporte",
    "puerto": "puertos",
    "unidad": "unidades de medida",
    "pais": "países",
    "pago": "formas de pago",
    "bulto": "tipos de bulto",
}


@rule(
    "EXP-11",
    title="Un código no está en la tabla de Aduanas.",
    message="{campo} vale {codigo}, que no está en la tabla de {tabla} de Aduanas.",
    fix="Use un código de la tabla de Aduanas (Compendio de Normas Aduaneras, Anexo 51).",
    source="F2.2 p.14 campo 14, p.21-24 campos 74-105 (según tabla de Aduanas); Compendio de Normas "
    "Aduaneras, Anexo 51",
    confidence="baja",
    types={52} | EXPORTS,
    fields=(*_TABLES, f"{CUSTOMS}/TipoBultos/CodTpoBultos"),
    given=(CUSTOMS, "Encabezado/IdDoc/FmaPagExp", "Encabezado/Receptor/Extranjero"),
    note="Aduanas agrega códigos: uno que aquí falta puede ser nuevo.",
    **WARNED,
)
def customs_codes_are_of_their_tables(dte: Dte, ctx: Context) -> Faults:
    for path, table in _TABLES.items():
        code = dte.text(path)
        if code and not is_known(table, code):
            yield _not_in_table(path, code, table)
    for row in dte.rows(f"{CUSTOMS}/TipoBultos"):
        code = row.text("CodTpoBultos")
        if code and not is_known("bulto", code):
            yield _not_in_table(row.path("CodTpoBultos"), code, "bulto")


def _not_in_table(path: str, code: str, table: str) -> Fault:
    name = path.rpartition("/")[2]
    return Fault(path, campo=name, codigo=code[:10], tabla=_TABLE_NAMES[table])
