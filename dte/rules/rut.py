"""RUT: the taxpayers a document names."""

from collections.abc import Iterator
from functools import lru_cache

from dte.documents.document import Dte
from dte.documents.rut import GENERIC_BUYER, is_well_formed, rut_problem
from dte.formato.tipos import ALL_TYPES, BOLETAS
from dte.rules.findings import Fault
from dte.rules.registry import EVERY_FORM, FULL, Context, Faults, family, rule

family("RUT", "RUT")

ISSUER = "Encabezado/Emisor/RUTEmisor"
RECEIVER = "Encabezado/Receptor/RUTRecep"
OTHERS = (
    "Encabezado/RUTMandante",
    "Encabezado/RUTSolicita",
    "Encabezado/RUTProvSW",
    "Encabezado/Emisor/RUTProveedor",
    "Encabezado/Transporte/RUTTrans",
    "Encabezado/Transporte/Chofer/RUTChofer",
    "Encabezado/Transporte/Aduana/RUTCiaTransp",
)
OTHER_FIELDS = frozenset({*OTHERS, "Referencia/RUTOtr", "Detalle/RUTMandante"})
USUAL_MINIMUM = 100_000
# References with which a note may still be addressed to the generic buyer.
_BOLETA_REFERENCES = frozenset({"35", "38", "39", "41", "52"})


@rule(
    "RUT-01",
    title="El RUT del emisor no es válido (formato o dígito verificador).",
    message="El RUT del emisor {problema}.",
    fix="Revise el RUT del emisor: números sin puntos, guion y dígito verificador (K mayúscula).",
    source="F2.2 p.15-16 campo 32 (*); XSD26 RUTType; LCORE (DV del emisor)",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=EVERY_FORM,
    fields=(ISSUER,),
)
def issuer_rut_is_valid(dte: Dte, ctx: Context) -> Faults:
    if problem := rut_problem(dte.issuer):
        yield Fault(ISSUER, problema=problem, rut=dte.issuer)


@rule(
    "RUT-02",
    title="El RUT del receptor no es válido (formato o dígito verificador).",
    message="El RUT del receptor {problema}.",
    fix="Revise el RUT del cliente; si es boleta sin identificar use 66666666-6, si es exportación "
    "55555555-5.",
    source="F2.2 p.17 campo 50 (*); XSD26 RUTType; LCORE (DV del receptor)",
    sii="rechazo",
    severity="reject",
    confidence="media",
    forms=EVERY_FORM,
    fields=(RECEIVER,),
    note="Ausente o mal formado es rechazo seguro (esquema); del dígito verificador no se ha visto un "
    "mensaje del SII.",
)
def receiver_rut_is_valid(dte: Dte, ctx: Context) -> Faults:
    if problem := rut_problem(dte.receiver):
        yield Fault(RECEIVER, problema=problem, rut=dte.receiver)


def _other_ruts(dte: Dte) -> Iterator[tuple[str, str]]:
    for path in OTHERS:
        if rut := dte.text(path):
            yield path, rut
    for row in dte.references:
        if rut := row.text("RUTOtr"):
            yield row.path("RUTOtr"), rut
    if dte.is_boleta or dte.tipo == 43:
        for row in dte.lines:
            if rut := row.text("RUTMandante"):
                yield row.path("RUTMandante"), rut


@rule(
    "RUT-03",
    title="Otro RUT del documento tiene formato o dígito verificador incorrecto.",
    message="El RUT de {campo} {problema}.",
    fix="Corrija el RUT indicado (transportista, chofer, mandante, solicitante u otro contribuyente).",
    source="F2.2 campos 49, 66, 68, 69, 79 y E5; la severidad es inferida",
    sii="reparo",
    severity="review",
    confidence="baja",
    forms=FULL,
    fields=(*OTHERS, "Referencia/RUTOtr", "Detalle/RUTMandante"),
    given=OTHER_FIELDS,
)
def other_ruts_are_valid(dte: Dte, ctx: Context) -> Faults:
    for path, rut in _other_ruts(dte):
        if problem := rut_problem(rut):
            yield Fault(path, problema=problem, campo=path, rut=rut)


@rule(
    "RUT-04",
    title="El RUT está fuera del rango habitual (100.000 a 99.999.999).",
    message="El RUT {rut} está fuera del rango habitual (100.000 a 99.999.999).",
    fix="Confirme que el número del RUT esté completo.",
    source="F2.2 campo 32: cuerpo entre 100.000 y 99 millones; no se sabe si el SII lo revisa",
    sii="aviso",
    severity="warn",
    confidence="baja",
    forms=EVERY_FORM,
    fields=(ISSUER, RECEIVER, *OTHERS),
)
def ruts_are_in_the_usual_range(dte: Dte, ctx: Context) -> Faults:
    others = () if OTHER_FIELDS.isdisjoint(dte.present) else _other_ruts(dte)
    for path, rut in ((ISSUER, dte.issuer), (RECEIVER, dte.receiver), *others):
        if _is_short(rut):
            yield Fault(path, rut=rut)


@lru_cache(maxsize=4096)
def _is_short(rut: str) -> bool:
    return is_well_formed(rut) and int(rut.partition("-")[0]) < USUAL_MINIMUM


@rule(
    "RUT-05",
    title="Se usó el RUT genérico 66666666-6 en un documento que no es boleta.",
    fix="Identifique al receptor con su RUT real; el genérico sólo sirve para boletas (y NC/ND de "
    "boletas).",
    source="Instructivo de boletas del SII: 66666666-6 para el comprador sin identificar; inferido",
    sii="aviso",
    severity="warn",
    confidence="media",
    types=ALL_TYPES - BOLETAS,
    forms=FULL,
    fields=(RECEIVER,),
)
def generic_buyer_is_for_boletas(dte: Dte, ctx: Context) -> Faults:
    if dte.receiver != GENERIC_BUYER:
        return
    referenced = {row.text("TpoDocRef") for row in dte.references}
    if dte.tipo in {56, 61} and referenced and referenced <= _BOLETA_REFERENCES:
        return
    yield Fault(RECEIVER, rut=dte.receiver)


@rule(
    "RUT-06",
    title="El emisor y el receptor son el mismo contribuyente.",
    message="El emisor y el receptor son el mismo contribuyente ({rut}).",
    fix="Verifique el receptor: nadie se factura a sí mismo (sólo se acepta en guías de traslado "
    "interno).",
    source="Inferido",
    sii="aviso",
    severity="warn",
    confidence="media",
    types={33, 34, 43, 46, 56, 61},
    forms=EVERY_FORM,
    fields=(ISSUER, RECEIVER),
)
def issuer_is_not_the_receiver(dte: Dte, ctx: Context) -> Faults:
    if dte.issuer and dte.issuer == dte.receiver:
        yield Fault(RECEIVER, rut=dte.issuer)
