"""CAF: the SII's authorisation of the folios, inside the stamp."""

import re
from calendar import monthrange
from datetime import date, timedelta

from dte.crypto import Status
from dte.crypto.authorities import CERTIFICATION_IDK, PRODUCTION_IDK
from dte.documents.document import Dte
from dte.documents.names import same_name
from dte.rules.findings import Fault
from dte.rules.registry import XML, Context, Faults, family, rule

family("CAF", "Autorización de folios (CAF)")

DA = "TED/DD/CAF/DA"
# Res. Ex. SII 58 of 2017: only folios whose document gives the right to a tax credit expire.
EXPIRING_TYPES = frozenset({33, 43, 46, 56, 61})
SIX_MONTHS_SINCE = date(2018, 7, 1)
LAST_DAY_OF_OLD_CAF = date(2018, 12, 31)
# LibreDTE and others count days: between day 181 and the calendar date, systems disagree.
SIX_MONTHS_IN_DAYS = timedelta(days=180)

_SIGNS_OF_A_LEAK = (b"RSASK", b"RSAPUBK", b"PRIVATE KEY")
_LEAK = re.compile(rb"<(?:[\w.-]+:)?(?:RSASK|RSAPUBK)[\s/>]|BEGIN (?:RSA )?PRIVATE KEY")


@rule(
    "CAF-01",
    title="El CAF es de otro tipo de documento.",
    message="El CAF autoriza folios del tipo {caf} y el documento es del tipo {tipo}.",
    fix="Timbre con el CAF del tipo de documento que está emitiendo.",
    source="SMOY (orden de las revisiones del SII); FE; LCORE (caf)",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    fields=(f"{DA}/TD",),
)
def caf_is_of_the_type(dte: Dte, ctx: Context) -> Faults:
    caf = dte.text(f"{DA}/TD")
    tipo = dte.text("Encabezado/IdDoc/TipoDTE")
    if caf and tipo and caf.lstrip("0") != tipo.lstrip("0"):
        yield Fault(f"{DA}/TD", caf=caf, tipo=tipo)


@rule(
    "CAF-02",
    title="El CAF pertenece a otro contribuyente.",
    message="El CAF es de {caf} y el documento lo emite {emisor}.",
    fix="Timbre con un CAF del emisor del documento.",
    source="SMOY; LCORE (validador del caf)",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    fields=(f"{DA}/RE",),
)
def caf_is_of_the_issuer(dte: Dte, ctx: Context) -> Faults:
    caf = dte.text(f"{DA}/RE")
    if caf and dte.issuer and caf.upper() != dte.issuer.upper():
        yield Fault(f"{DA}/RE", caf=caf, emisor=dte.issuer)


@rule(
    "CAF-03",
    title="La firma del SII sobre el CAF no es válida: el CAF fue alterado.",
    message="La firma del SII sobre el CAF no es válida: {motivo}.",
    fix="Vuelva a descargar el CAF desde el SII y timbre de nuevo.",
    source="LCORE (validador del caf); verificado en documentos aceptados (IDK 300) y en F60T33 (IDK 100)",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    fields=("TED/DD/CAF/FRMA", f"{DA}/IDK"),
)
def caf_is_signed_by_the_sii(dte: Dte, ctx: Context) -> Faults:
    if not dte.has("TED"):
        return
    check = dte.stamp_check.caf
    if check.status not in {Status.VALID, Status.UNKNOWN_AUTHORITY}:
        yield Fault("TED/DD/CAF/FRMA", motivo=check.reason)


@rule(
    "CAF-04",
    title="Los folios (CAF) están vencidos.",
    message="El CAF se autorizó el {autorizado}, venció el {vence} y el documento se timbró o firmó el "
    "{uso}.",
    fix="Anule los folios no usados y solicite un CAF nuevo al SII.",
    source="RES58 (6 meses desde la autorización); LAPP CAF-3-517; ODOO (CAF vencido); SMOY (34 no afecto)",
    sii="rechazo",
    severity="reject",
    sii_code="CAF-3-517",
    confidence="alta",
    types=EXPIRING_TYPES,
    forms=XML,
    fields=(f"{DA}/FA", "TmstFirma"),
    note="Meses calendario. LibreDTE cuenta 180 días: entre el día 181 y el vencimiento sólo se avisa.",
)
def caf_has_not_expired(dte: Dte, ctx: Context) -> Faults:
    granted = dte.date(f"{DA}/FA")
    used = max(filter(None, (dte.date("TED/DD/TSTED"), dte.date("TmstFirma"))), default=None)
    if granted is None or used is None:
        return
    expires = expiry(granted)
    if used > expires:
        yield Fault(f"{DA}/FA", autorizado=granted, vence=expires, uso=used)
    elif granted >= SIX_MONTHS_SINCE and used > granted + SIX_MONTHS_IN_DAYS:
        yield Fault(
            f"{DA}/FA",
            severity="warn",
            message="El CAF vence el {vence}: ya pasaron 180 días desde su autorización ({autorizado}) y "
            "algunos sistemas lo dan por vencido.",
            autorizado=granted,
            vence=expires,
            uso=used,
        )


def expiry(granted: date) -> date:
    """Return the last day on which a CAF of an expiring type stamps (Res. Ex. 58 of 2017)."""
    if granted >= SIX_MONTHS_SINCE:
        return add_months(granted, 6)
    return min(add_months(granted, 18), LAST_DAY_OF_OLD_CAF)


def add_months(day: date, months: int) -> date:
    """Return the same day some months later; the month's last day where it has no such day."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


@rule(
    "CAF-05",
    title="El CAF no viene de un ambiente conocido del SII (o es de certificación).",
    message="El CAF lleva IDK «{idk}», que no es la llave de producción (300) ni de certificación (100) "
    "del SII: su firma no se pudo verificar.",
    fix="En producción use CAF con IDK 300; los de IDK 100 son de certificación.",
    source="LCORE (certificados 100 y 300); RURAL (CAF-3-516, fuente débil)",
    sii="aviso",
    severity="warn",
    sii_code="CAF-3-516",
    confidence="media",
    forms=XML,
    fields=(f"{DA}/IDK",),
    note="Si se declara el ambiente, un CAF del otro ambiente es rechazo.",
)
def caf_is_of_a_known_environment(dte: Dte, ctx: Context) -> Faults:
    if not dte.has("TED/DD/CAF"):
        return
    idk = dte.text(f"{DA}/IDK")
    if dte.stamp_check.caf.status is Status.UNKNOWN_AUTHORITY:
        yield Fault(f"{DA}/IDK", idk=idk)
    elif (ctx.environment, idk) in _WRONG_ENVIRONMENT:
        yield Fault(
            f"{DA}/IDK",
            severity="reject",
            message="El CAF lleva IDK «{idk}» y no sirve en el ambiente de {ambiente}.",
            idk=idk,
            ambiente=ctx.environment,
        )


_WRONG_ENVIRONMENT = frozenset(
    {("produccion", str(CERTIFICATION_IDK)), ("certificacion", str(PRODUCTION_IDK))}
)


@rule(
    "CAF-06",
    title="La razón social del documento no coincide con la registrada en el SII (la del CAF).",
    message="El documento dice «{nombre}» y el CAF dice «{registrado}».",
    fix="Actualice la razón social del emisor.",
    source="RURAL HED-1-863 (reparo leve)",
    sii="aviso",
    severity="warn",
    sii_code="HED-1-863",
    confidence="media",
    forms=XML,
    fields=(f"{DA}/RS", "Encabezado/Emisor/RznSoc"),
    note="Se comparan los primeros 40 caracteres sin mayúsculas, tildes, signos ni abreviaturas usuales; el SII "
    "corta a 40, también dentro de una palabra.",
)
def issuer_name_is_the_registered_one(dte: Dte, ctx: Context) -> Faults:
    registered = dte.text(f"{DA}/RS")
    name = dte.text("Encabezado/Emisor/RznSoc") or dte.text("Encabezado/Emisor/RznSocEmisor")
    # No name is that long; the answers are remembered, and must not be a place to fill memory from.
    if registered and name and not same_name(registered[:200], name[:200]):
        yield Fault(f"{DA}/RS", nombre=name, registrado=registered)


@rule(
    "CAF-07",
    title="El documento incluye la llave privada del CAF.",
    fix="Elimine de inmediato RSASK/RSAPUBK del XML y pida un CAF nuevo: la llave quedó expuesta.",
    source="XSD26 (no permitido por el esquema); regla propia: fuga de un secreto",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    fields=("//RSASK",),
)
def private_key_is_not_included(dte: Dte, ctx: Context) -> Faults:
    if dte.xml is None or not any(sign in dte.xml.raw for sign in _SIGNS_OF_A_LEAK):
        return
    if found := _LEAK.search(dte.xml.raw):
        line = dte.xml.first_line + dte.xml.raw.count(b"\n", 0, found.start())
        yield Fault("TED/DD/CAF", line=line)


@rule(
    "CAF-09",
    title="El rango de folios del CAF está invertido.",
    message="El rango del CAF va de {desde} a {hasta}.",
    fix="Vuelva a cargar el CAF original del SII.",
    source="Inferido: un CAF así tampoco pasa la firma del SII (CAF-03)",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    fields=(f"{DA}/RNG",),
)
def range_is_not_inverted(dte: Dte, ctx: Context) -> Faults:
    first, last = dte.amount(f"{DA}/RNG/D"), dte.amount(f"{DA}/RNG/H")
    if first is not None and last is not None and first > last:
        yield Fault(f"{DA}/RNG", desde=first, hasta=last)
