"""Accounting and taxes in Odoo."""

from chat.plugins.specialist import Specialist

SPECIALIST = Specialist(
    name="account",
    module="account",
    title="Contabilidad e impuestos",
    odoo_names=frozenset(
        {"account_accountant", "account.move", "account.payment", "l10n_cl_reports"}
    ),
    knowledge_modules=("tributario", "odoo_contabilidad"),
    patterns=(
        r"contab\w+|contador\w*",
        r"asientos?|apuntes? contables?|libro (diario|mayor)",
        r"plan de cuentas|cuentas? contables?",
        r"iva|impuestos?|debito fiscal|credito fiscal|remanente",
        r"f29|f22|formulario (29|22)|ppm|declaracion( mensual)?",
        r"rcv|registro de (compras|ventas)|libro de (compras|ventas)",
        r"concilia\w+|extractos? bancarios?|banco",
        r"pagos?|cobros?|cobranza|anticipos?|vencid[ao]s?",
        r"cierre|balance|estados? de resultados?|periodo fiscal",
        r"activos? fijos?|depreciacion|provision\w*",
        r"honorarios?|retencion(es)?|bhe",
        r"diarios?( contables?)?|posicion fiscal|correccion monetaria",
    ),
)
