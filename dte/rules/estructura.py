"""XSD and JSN: the structure, judged by our own format table while the document was read."""

from dte.documents.document import Dte
from dte.documents.envelope import Envelope
from dte.formato.outline import Field, outline, outline_for
from dte.formato.reading import Problem
from dte.formato.remedies import remedy
from dte.rules.findings import Fault
from dte.rules.registry import (
    EVERY_FORM,
    JSON,
    XML,
    Context,
    Faults,
    also_on_envelopes,
    by_reader,
    family,
    rule,
)

family("XSD", "El esquema")
family("JSN", "Forma JSON")


def _faults(dte: Dte, code: str) -> Faults:
    for problem in dte.problems:
        if problem.code == code:
            yield _fault(problem, outline_for(dte.tipo))


def _fault(problem: Problem, outline: Field, prefix: str = "") -> Fault:
    inside = problem._replace(path=problem.path.removeprefix(prefix))
    return Fault(
        problem.path,
        line=problem.line,
        fix=remedy(inside, outline),
        campo=problem.path,
        problema=problem.text,
    )


@rule(
    "XSD-01",
    title="La estructura no cumple el esquema XSD del SII.",
    message="{campo} {problema}.",
    fix="Corrija el campo señalado: falta, sobra, está en otro orden, o su largo/formato no es el "
    "permitido.",
    source="XSD26; LAPP ENV-3-0",
    sii="rechazo",
    severity="reject",
    sii_code="ENV-3-0",
    confidence="alta",
    forms=XML,
    fields=("DTE",),
)
def xml_follows_the_format(dte: Dte, ctx: Context) -> Faults:
    if dte.xml and dte.xml.body is None:
        yield Fault(
            "DTE",
            campo="DTE",
            problema="no contiene Documento, Liquidacion ni Exportaciones",
        )
        return
    for fault in _faults(dte, ""):
        if ctx.mode == "reception" and fault.path.startswith("DTE/"):
            fault.severity = "warn"  # added to the receiver's copy; the document itself is intact
        yield fault


@also_on_envelopes("XSD-01")
def envelope_follows_the_format(envelope: Envelope, ctx: Context) -> Faults:
    for problem in envelope.problems:
        yield _fault(problem, outline("caratula"), "SetDTE/Caratula/")


@rule(
    "JSN-02",
    title="Un campo del JSON no cumple el tipo, largo o lista de valores del SII.",
    message="{campo} {problema}.",
    fix="Corrija el campo señalado.",
    source="XSD26",
    sii="n/a",
    severity="reject",
    responsible="receiver",
    forms=JSON,
    fields=("$.*",),
)
def json_follows_the_format(dte: Dte, ctx: Context) -> Faults:
    yield from _faults(dte, "")


@rule(
    "JSN-03",
    title="El JSON trae campos que no existen en el formato.",
    message="{campo} {problema}.",
    fix="Revise el nombre del campo (mayúsculas incluidas).",
    source="Regla propia",
    sii="n/a",
    severity="warn",
    responsible="receiver",
    forms=JSON,
    fields=("$.*",),
)
def json_has_known_fields_only(dte: Dte, ctx: Context) -> Faults:
    yield from _faults(dte, "JSN-03")


rule(
    "JSN-01",
    title="El JSON no es válido o no tiene la estructura de un DTE.",
    message="El JSON no es válido o no tiene la estructura de un DTE: {motivo}.",
    fix="Envíe un objeto con Encabezado y Detalle (o la forma plana con tipo_dte).",
    source="Regla propia",
    sii="n/a",
    severity="reject",
    responsible="receiver",
    forms=EVERY_FORM - XML,
    level="file",
    fields=("$",),
)(by_reader)


@rule(
    "JSN-04",
    title="El JSON contiene NaN, Infinity o números imposibles.",
    message="El JSON contiene valores que no son números posibles: {campo} {problema}.",
    fix="Envíe números decimales normales.",
    source="Regla propia",
    sii="n/a",
    severity="reject",
    responsible="receiver",
    forms=EVERY_FORM - XML,
    fields=("$.*",),
)
def json_numbers_are_numbers(dte: Dte, ctx: Context) -> Faults:
    yield from _faults(dte, "JSN-04")


rule(
    "JSN-05",
    title="El JSON repite una clave.",
    message="El JSON repite la clave «{clave}» dentro de un mismo objeto.",
    fix="Deje cada campo una sola vez.",
    source="Regla propia",
    sii="n/a",
    severity="reject",
    responsible="receiver",
    forms=EVERY_FORM - XML,
    level="file",
    fields=("$.*",),
)(by_reader)
