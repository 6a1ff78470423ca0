"""LEG: the flat legacy form."""

from dte.documents.document import Dte
from dte.rules.findings import Fault
from dte.rules.registry import LEGACY, Context, Faults, family, rule

family("LEG", "Forma plana")


@rule(
    "LEG-01",
    title="La forma plana no trae los datos mínimos o su tipo es incorrecto.",
    message="{campo} {problema}.",
    fix="Incluya tipo_dte, rut_emisor, rut_receptor, monto_total, fecha_emision e items.",
    source="Validación de entrada del servicio anterior",
    sii="n/a",
    severity="reject",
    forms=LEGACY,
    fields=("$.tipo_dte",),
)
def flat_form_is_complete(dte: Dte, ctx: Context) -> Faults:
    for problem in dte.problems:
        yield Fault(problem.path, campo=problem.path, problema=problem.text)


@rule(
    "LEG-02",
    title="La forma plana no permite revisar todas las reglas.",
    fix="Envíe el XML o el JSON completo para una validación total.",
    source="Regla propia",
    sii="n/a",
    severity="warn",
    forms=LEGACY,
    fields=("$",),
)
def flat_form_is_partial(dte: Dte, ctx: Context) -> Faults:
    yield Fault("")
