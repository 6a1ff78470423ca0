"""Payroll and labour obligations."""

from chat.plugins.specialist import Specialist

SPECIALIST = Specialist(
    name="hr_payroll",
    module="hr_payroll",
    title="Remuneraciones",
    odoo_names=frozenset({"l10n_cl_hr", "l10n_cl_hr_payroll", "hr.payslip", "hr_contract", "hr"}),
    knowledge_modules=("odoo_remuneraciones",),
    patterns=(
        r"remuneracion(es)?|sueldos?|salarios?|nomina",
        r"liquidacion(es)? de (sueldo|remuneracion)\w*",
        r"afp|isapre|fonasa|afc|seguro de cesantia|cotizacion(es)? previsional\w*|imposiciones",
        r"previred|lre|libro de remuneraciones",
        r"gratificacion\w*|asignacion familiar|bonos?|colacion|movilizacion",
        r"horas? extras?|jornada|vacaciones|feriado|licencias? medicas?",
        r"finiquitos?|indemnizacion\w*|despido|contratos? de trabajo",
        r"trabajador\w*|emplead\w+|impuesto unico",
    ),
)
