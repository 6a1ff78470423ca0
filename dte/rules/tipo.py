"""TIP: type and version of the document."""

from dte.documents.document import Dte
from dte.formato.frame import is_current
from dte.formato.tipos import ALL_TYPES
from dte.rules.findings import Fault
from dte.rules.registry import EVERY_FORM, XML, Context, Faults, family, rule

family("TIP", "Tipo y versión")

TIPO = "Encabezado/IdDoc/TipoDTE"


@rule(
    "TIP-01",
    title="El tipo de documento no es un DTE válido.",
    message="El tipo de documento «{tipo}» no es un DTE válido.",
    fix="Use uno de: 33, 34, 39, 41, 43, 46, 52, 56, 61, 110, 111 o 112.",
    source="F2.2 p.11 campo 2 (*); XSD26 DTEType/LIQType/EXPType y DTEType de boleta",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=EVERY_FORM,
    fields=(TIPO,),
)
def type_is_a_dte(dte: Dte, ctx: Context) -> Faults:
    if dte.tipo not in ALL_TYPES:
        yield Fault(TIPO, tipo=dte.text(TIPO))


@rule(
    "TIP-02",
    title="La versión del formato no es 1.0.",
    message="La etiqueta DTE declara la versión «{version}» y debe ser 1.0.",
    fix='Ponga version="1.0" en la etiqueta DTE.',
    source="F2.2 p.11 campo 1 (*); XSD26 fixed=1.0",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    fields=("DTE/@version",),
)
def version_is_1_0(dte: Dte, ctx: Context) -> Faults:
    version = dte.xml.element.get("version", "") if dte.xml else ""
    if not is_current(version):
        yield Fault("DTE/@version", version=version)
