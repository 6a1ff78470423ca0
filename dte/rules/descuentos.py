"""DRG: global discounts and surcharges."""

from dte.documents.document import EXEMPT, NOT_BILLABLE, TAXED, Dte
from dte.formato.tipos import ALL_TYPES, EXEMPT_TYPES
from dte.rules.arithmetic import HUNDRED
from dte.rules.findings import Fault
from dte.rules.registry import Context, Faults, family, rule

family("DRG", "Descuentos y recargos globales")

WITH_GLOBAL_ROWS = ALL_TYPES - {43}
MAX_ROWS = 20
# The lines a row refers to, by its IndExeDR (Formato DTE v2.2 p.39, b).
_GROUPS = {"": {TAXED}, "1": {EXEMPT}, "2": {NOT_BILLABLE, "6"}}


@rule(
    "DRG-01",
    title="La numeración de los descuentos/recargos globales no es correlativa.",
    message="El descuento o recargo global {lugar} lleva el número {numero}.",
    fix="Numere 1, 2, 3...",
    source="F2.2 p.39 campo D1",
    sii="aviso",
    severity="warn",
    confidence="media",
    types=WITH_GLOBAL_ROWS,
    fields=("DscRcgGlobal/NroLinDR",),
    given=("DscRcgGlobal",),
)
def global_rows_are_numbered_in_sequence(dte: Dte, ctx: Context) -> Faults:
    for row in dte.global_rows:
        number = row.text("NroLinDR")
        if number and (number.lstrip("0") != str(row.number) or row.number > MAX_ROWS):
            yield Fault(row.path("NroLinDR"), lugar=row.number, numero=number[:10])


@rule(
    "DRG-02",
    title="El descuento global en porcentaje supera 100%.",
    message="El descuento global {numero} es de {valor} %.",
    fix="Corrija el porcentaje.",
    source="Inferido",
    sii="aviso",
    severity="warn",
    confidence="media",
    types=WITH_GLOBAL_ROWS,
    fields=("DscRcgGlobal/ValorDR",),
    given=("DscRcgGlobal",),
)
def global_discount_is_at_most_everything(dte: Dte, ctx: Context) -> Faults:
    for row in dte.global_rows:
        value = row.amount_or_zero("ValorDR")
        if row.text("TpoMov") == "D" and row.text("TpoValor") == "%" and value > HUNDRED:
            yield Fault(row.path("ValorDR"), numero=row.number, valor=value)


@rule(
    "DRG-03",
    title="El descuento o recargo global no tiene montos sobre los cuales aplicarse.",
    message="El descuento o recargo global {numero} no tiene líneas sobre las cuales aplicarse.",
    fix="Indique IndExeDR=1 si afecta a ítems exentos o 2 si afecta a no facturables.",
    source="F2.2 p.39 (b); LCORE 034_002: una fila así no tiene efecto",
    sii="aviso",
    severity="warn",
    confidence="baja",
    types=WITH_GLOBAL_ROWS,
    fields=("DscRcgGlobal/IndExeDR",),
    given=("DscRcgGlobal",),
    note="En 34, 41 y exportación hay emisores que omiten IndExeDR y sí lo aplican: el exento se "
    "acepta con y sin él.",
)
def global_rows_have_something_to_apply_to(dte: Dte, ctx: Context) -> Faults:
    if not dte.global_rows:
        return
    present = {dte.group_of(line) for line in dte.lines}
    for row in dte.global_rows:
        indicator = row.text("IndExeDR")
        groups = _GROUPS.get(indicator)
        without_indicator = dte.tipo in EXEMPT_TYPES and not indicator
        if without_indicator or (groups is not None and not groups & present):
            yield Fault(row.path("IndExeDR"), numero=row.number)


@rule(
    "DRG-04",
    title="Con ítems de distintos impuestos el descuento global debe ir en porcentaje.",
    message="El descuento o recargo global {numero} va en pesos y hay ítems con distintos impuestos.",
    fix="Cambie el descuento global a %.",
    source="F2.2 p.39 (a)",
    sii="aviso",
    severity="warn",
    confidence="media",
    types={33, 46, 52, 56, 61},
    fields=("DscRcgGlobal/TpoValor",),
    given=("DscRcgGlobal",),
)
def mixed_taxes_need_a_percentage(dte: Dte, ctx: Context) -> Faults:
    in_pesos = [
        row for row in dte.global_rows if row.text("TpoValor") == "$" and not row.text("IndExeDR")
    ]
    if not in_pesos:
        return
    taxes = {
        frozenset(line.texts("CodImpAdic")) for line in dte.lines if dte.group_of(line) == TAXED
    }
    if len(taxes) > 1:
        for row in in_pesos:
            yield Fault(row.path("TpoValor"), numero=row.number)


@rule(
    "DRG-05",
    title="La liquidación-factura no admite descuentos o recargos globales.",
    fix="Llévelos a las líneas o a comisiones y otros cargos.",
    source="F2.2 p.39 tabla (0 en 43); XSD26 (no existe en Liquidacion)",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    types={43},
    fields=("DscRcgGlobal",),
)
def settlement_has_no_global_rows(dte: Dte, ctx: Context) -> Faults:
    # The zone does not exist in the format of a Liquidacion, so the reader reports it and goes on.
    if dte.global_rows or any(found.path.startswith("DscRcgGlobal") for found in dte.problems):
        yield Fault("DscRcgGlobal")
