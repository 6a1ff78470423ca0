"""FEC: dates that cannot be, or that will cost an observation."""

from datetime import date, timedelta

from dte.documents.document import Dte, day_in_chile
from dte.formato.tipos import ALL_TYPES, BOLETAS
from dte.rules.findings import Fault
from dte.rules.registry import EMISSION, EVERY_FORM, XML, Context, Faults, family, rule

family("FEC", "Fechas")

ISSUED = "Encabezado/IdDoc/FchEmis"
DUE = "Encabezado/IdDoc/FchVenc"
STAMPED = "TED/DD/TSTED"
SIGNED = "TmstFirma"
FIRST_DAY = date(2003, 4, 1)
LAST_DAY = date(2050, 12, 31)
SENDING_DAYS = 3
# Formato DTE v2.2 p.42, campo E7.
FIRST_REFERENCE = date(2002, 8, 1)
FIRST_EXPORT_REFERENCE = date(1950, 1, 1)


@rule(
    "FEC-01",
    title="La fecha de emisión está fuera del rango permitido.",
    message="La fecha de emisión {problema}.",
    fix="Use una fecha real entre 2003-04-01 y 2050-12-31 en formato AAAA-MM-DD.",
    source="F2.2 p.11 campo 4 (*); XSD26 FechaType; LAPP HED-3-305 (fecha anterior a la autorización "
    "del emisor)",
    sii="rechazo",
    severity="reject",
    sii_code="HED-3-305",
    confidence="media",
    forms=EVERY_FORM,
    fields=(ISSUED,),
    note="Entre 2000-01-01 y 2003-03-31 el esquema acepta; el rechazo se infiere de HED-3-305.",
)
def issue_date_is_possible(dte: Dte, ctx: Context) -> Faults:
    written = dte.text(ISSUED)
    if not written:
        yield Fault(ISSUED, problema="no viene")
    elif dte.issued is None or len(written) != len("AAAA-MM-DD"):
        yield Fault(
            ISSUED, problema=f"«{written[:20]}» no es una fecha AAAA-MM-DD", fecha=written[:20]
        )
    elif not FIRST_DAY <= dte.issued <= LAST_DAY:
        yield Fault(ISSUED, problema=f"{written} está fuera del rango permitido", fecha=dte.issued)


@rule(
    "FEC-02",
    title="La fecha de emisión es futura.",
    message="La fecha de emisión {fecha} es posterior a hoy ({hoy}).",
    fix="Use la fecha de hoy; no emita con fecha posterior.",
    source="Odoo la bloquea; no se conoce un mensaje del SII. Un documento real aceptado se firmó el "
    "día anterior a su emisión",
    sii="aviso",
    severity="warn",
    confidence="media",
    forms=EVERY_FORM,
    fields=(ISSUED,),
)
def issue_date_is_not_future(dte: Dte, ctx: Context) -> Faults:
    today = day_in_chile(ctx.as_of)
    if dte.issued is not None and dte.issued > today:
        yield Fault(ISSUED, fecha=dte.issued, hoy=today)


@rule(
    "FEC-03",
    title="El documento se enviará después del plazo: la emisión tiene más de 3 días.",
    message="El documento se emitió el {fecha} y se envía el {envio}: más de 3 días después.",
    fix="Envíe el DTE el mismo día; si ya pasó el plazo el SII lo recibirá con reparo leve.",
    source="RURAL DTE-1-650 (excede plazo de 3 días)",
    sii="aviso",
    severity="warn",
    sii_code="DTE-1-650",
    confidence="alta",
    forms=EVERY_FORM,
    modes=EMISSION,
    fields=(ISSUED, SIGNED),
)
def document_is_sent_in_time(dte: Dte, ctx: Context) -> Faults:
    if dte.issued is None:
        return
    moments = [ctx.as_of, dte.moment(SIGNED)]
    if ctx.envelope is not None:
        moments.append(ctx.envelope.caratula.moment("TmstFirmaEnv"))
    days = [day_in_chile(moment) for moment in moments if moment is not None]
    if days and max(days) - dte.issued > timedelta(days=SENDING_DAYS):
        yield Fault(ISSUED, fecha=dte.issued, envio=max(days))


@rule(
    "FEC-04",
    title="El timbre se generó antes de la fecha de autorización de los folios (CAF).",
    message="El timbre es del {timbre} y los folios se autorizaron el {caf}.",
    fix="Use un CAF vigente a la fecha del timbre o corrija la fecha/hora del timbre.",
    source="RURAL TED-1-646",
    sii="aviso",
    severity="warn",
    sii_code="TED-1-646",
    confidence="alta",
    forms=XML,
    fields=(STAMPED, "TED/DD/CAF/DA/FA"),
)
def stamp_is_not_before_its_caf(dte: Dte, ctx: Context) -> Faults:
    stamped, authorised = dte.date(STAMPED), dte.date("TED/DD/CAF/DA/FA")
    if stamped is not None and authorised is not None and stamped < authorised:
        yield Fault(STAMPED, timbre=stamped, caf=authorised)


@rule(
    "FEC-05",
    title="La fecha de vencimiento es anterior a la fecha de emisión.",
    message="La fecha de vencimiento {vencimiento} es anterior a la de emisión {fecha}.",
    fix="Corrija la fecha de vencimiento del pago.",
    source="F2.2 p.15 campo 30; inferido",
    sii="aviso",
    severity="warn",
    confidence="media",
    forms=EVERY_FORM,
    fields=(DUE,),
    given=(DUE,),
)
def due_date_is_not_before_issue(dte: Dte, ctx: Context) -> Faults:
    due = dte.date(DUE)
    if due is not None and dte.issued is not None and due < dte.issued:
        yield Fault(DUE, vencimiento=due, fecha=dte.issued)


@rule(
    "FEC-06",
    title="El período facturado está invertido.",
    message="El período facturado va de {desde} a {hasta}: está invertido.",
    fix="'Período desde' debe ser anterior o igual a 'período hasta'.",
    source="F2.2 p.14 campos 21-22",
    sii="aviso",
    severity="warn",
    confidence="alta",
    fields=("Encabezado/IdDoc/PeriodoDesde", "Encabezado/IdDoc/PeriodoHasta"),
    given=("Encabezado/IdDoc/PeriodoDesde",),
)
def period_runs_forward(dte: Dte, ctx: Context) -> Faults:
    start = dte.date("Encabezado/IdDoc/PeriodoDesde")
    end = dte.date("Encabezado/IdDoc/PeriodoHasta")
    if start is not None and end is not None and start > end:
        yield Fault("Encabezado/IdDoc/PeriodoDesde", desde=start, hasta=end)


@rule(
    "FEC-07",
    title="La fecha de cancelación es posterior a la emisión.",
    message="La fecha de cancelación {cancelacion} es posterior a la emisión {fecha}.",
    fix="Deje la fecha de cancelación sólo si se pagó antes de emitir (o el mismo día).",
    source="F2.2 p.13-14 campo 15 (sólo si fue cancelada antes de la emisión)",
    sii="aviso",
    severity="warn",
    confidence="media",
    types=ALL_TYPES - BOLETAS,
    fields=("Encabezado/IdDoc/FchCancel",),
    given=("Encabezado/IdDoc/FchCancel",),
)
def paid_date_is_not_after_issue(dte: Dte, ctx: Context) -> Faults:
    paid = dte.date("Encabezado/IdDoc/FchCancel")
    if paid is not None and dte.issued is not None and paid > dte.issued:
        yield Fault("Encabezado/IdDoc/FchCancel", cancelacion=paid, fecha=dte.issued)


@rule(
    "FEC-08",
    title="La fecha del documento referenciado es posterior a la emisión o anterior a 2002-08-01.",
    message="La fecha {fecha} de la referencia {numero} {problema}.",
    fix="Revise la fecha de la referencia.",
    source="F2.2 p.42 campo E7; rango de cl-sii; que sea posterior a la emisión es inferido",
    sii="aviso",
    severity="warn",
    confidence="media",
    types=ALL_TYPES - BOLETAS,
    fields=("Referencia/FchRef",),
    given=("Referencia",),
)
def reference_dates_are_possible(dte: Dte, ctx: Context) -> Faults:
    first = FIRST_EXPORT_REFERENCE if dte.is_export else FIRST_REFERENCE
    for row in dte.references:
        day = row.date("FchRef")
        if day is None:
            continue
        if dte.issued is not None and day > dte.issued:
            problem = "es posterior a la emisión"
        elif not first <= day <= LAST_DAY:
            problem = f"está fuera del rango {first} a {LAST_DAY}"
        else:
            continue
        yield Fault(row.path("FchRef"), fecha=day, numero=row.number, problema=problem)


@rule(
    "FEC-09",
    title="La firma del documento es anterior al timbre.",
    message="El documento se firmó el {firma} y se timbró después, el {timbre}.",
    fix="Firme después de timbrar; revise el reloj del servidor.",
    source="Inferido",
    sii="aviso",
    severity="warn",
    confidence="baja",
    forms=XML,
    fields=(SIGNED, STAMPED),
)
def document_is_signed_after_its_stamp(dte: Dte, ctx: Context) -> Faults:
    signed, stamped = dte.moment(SIGNED), dte.moment(STAMPED)
    if signed is not None and stamped is not None and signed < stamped:
        yield Fault(SIGNED, firma=dte.text(SIGNED)[:19], timbre=dte.text(STAMPED)[:19])


@rule(
    "FEC-10",
    title="El documento es anterior a la resolución que autoriza al emisor.",
    message="El documento es del {fecha} y la resolución de la carátula del {resolucion}.",
    fix="Corrija FchEmis o la fecha de resolución de la carátula.",
    source="LAPP HED-3-305",
    sii="rechazo",
    severity="reject",
    sii_code="HED-3-305",
    confidence="media",
    forms=XML,
    fields=(ISSUED, "SetDTE/Caratula/FchResol"),
    note="Sólo se puede revisar dentro de un envío.",
)
def document_is_not_before_the_authorisation(dte: Dte, ctx: Context) -> Faults:
    authorised = ctx.envelope.caratula.date("FchResol") if ctx.envelope is not None else None
    if authorised is not None and dte.issued is not None and dte.issued < authorised:
        yield Fault(ISSUED, fecha=dte.issued, resolucion=authorised)
