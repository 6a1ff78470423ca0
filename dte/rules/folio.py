"""FOL: the folio, its range and its uniqueness."""

from dte.documents.document import Dte
from dte.documents.envelope import Envelope
from dte.rules.findings import Fault, Severity
from dte.rules.registry import EVERY_FORM, XML, Context, Faults, family, rule

family("FOL", "Folio")

FOLIO = "Encabezado/IdDoc/Folio"
MAX_DIGITS = 10


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None


@rule(
    "FOL-01",
    title="El folio no es un número válido.",
    message="El folio «{folio}» no es un número válido.",
    fix="Use un folio entero mayor que cero (hasta 10 dígitos).",
    source="F2.2 p.11 campo 3 (*); XSD26 FolioType",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=EVERY_FORM,
    fields=(FOLIO,),
)
def folio_is_a_number(dte: Dte, ctx: Context) -> Faults:
    if not _number(dte.folio):
        yield Fault(FOLIO, folio=dte.folio[:30])


@rule(
    "FOL-02",
    title="El folio no está dentro del rango autorizado en el CAF.",
    message="El folio {folio} no está en el rango {desde} a {hasta} que autoriza el CAF.",
    fix="Use un folio del CAF cargado o pida un nuevo rango de folios al SII.",
    source="LCORE (identificador del CAF); SMOY (orden de las revisiones del SII)",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    fields=(FOLIO, "TED/DD/CAF/DA/RNG"),
)
def folio_is_in_the_authorised_range(dte: Dte, ctx: Context) -> Faults:
    folio = _number(dte.folio)
    first = _number(dte.text("TED/DD/CAF/DA/RNG/D"))
    last = _number(dte.text("TED/DD/CAF/DA/RNG/H"))
    if folio is None or first is None or last is None:
        return
    # An inverted range is CAF-09's.
    if first <= last and not first <= folio <= last:
        yield Fault(FOLIO, folio=str(folio), desde=str(first), hasta=str(last))


@rule(
    "FOL-03",
    title="El mismo tipo y folio aparece dos veces en el envío.",
    message="El documento tipo {tipo} folio {folio} ya viene en el lugar {primero} del envío.",
    fix="Quite el documento repetido del envío.",
    source="LAPP DTE-3-100 / DTE-3-101",
    sii="rechazo",
    severity="reject",
    sii_code="DTE-3-100",
    confidence="alta",
    forms=XML,
    level="envelope",
    fields=("SetDTE/DTE",),
)
def documents_are_not_repeated(envelope: Envelope, ctx: Context) -> Faults:
    seen: dict[tuple[str, int, str], int] = {}
    for summary in envelope.documents:
        key = (summary.issuer, summary.tipo, summary.folio.lstrip("0"))
        if not summary.folio:
            continue
        if key in seen:
            yield Fault(
                f"SetDTE/DTE[{summary.number}]",
                document=summary.number,
                line=summary.line,
                tipo=summary.tipo,
                folio=summary.folio,
                primero=seen[key],
            )
        else:
            seen[key] = summary.number


@rule(
    "FOL-04",
    title="El folio ya fue recibido por el SII (o por este sistema).",
    message="El documento tipo {tipo} folio {folio} {problema}.",
    fix="Use el siguiente folio libre; si ya se envió, consulte su estado en vez de reenviar.",
    source="LAPP DTE-3-100/101",
    sii="rechazo",
    severity="reject",
    responsible="receiver",
    sii_code="DTE-3-101",
    confidence="alta",
    forms=EVERY_FORM,
    level="history",
    fields=(FOLIO,),
    note="Un documento que se revisa de nuevo antes de enviarlo no es un folio repetido: hace falta "
    "que el ERP haya informado que el SII lo recibió.",
)
def folio_was_not_received_before(dte: Dte, ctx: Context) -> Faults:
    earlier = ctx.history.earlier(dte.issuer, dte.tipo, dte.folio) if ctx.history else None
    if earlier is None:
        return
    severity: Severity | None = None
    fix: str | None = None
    if ctx.mode == "reception":
        if earlier.received_same is None:  # validated to be sent, which is not having received it
            return
        problem = "ya se había recibido antes"
        severity = "warn"
        fix = "No lo registre dos veces."
        if not earlier.received_same:
            problem += ", con otro contenido"
            severity = "review"
            fix = (
                "Compárelo con el que ya recibió y pregunte al emisor cuál es el que envió al SII."
            )
    elif earlier.outcome in {"accepted", "objected"}:
        problem = "ya fue recibido por el SII"
    else:
        return
    yield Fault(FOLIO, severity=severity, fix=fix, problema=problem, tipo=dte.tipo, folio=dte.folio)


@rule(
    "FOL-05",
    title="El folio fue anulado en el SII.",
    message="El folio {folio} fue anulado en el SII.",
    fix="Use otro folio.",
    source="LAPP DTE-3-601",
    sii="rechazo",
    severity="reject",
    sii_code="DTE-3-601",
    confidence="alta",
    forms=EVERY_FORM,
    level="history",
    fields=(FOLIO,),
    note="Sólo se sabe de los folios cuya anulación informó el ERP.",
)
def folio_was_not_annulled(dte: Dte, ctx: Context) -> Faults:
    earlier = ctx.history.earlier(dte.issuer, dte.tipo, dte.folio) if ctx.history else None
    if earlier is not None and earlier.outcome == "annulled":
        yield Fault(FOLIO, folio=dte.folio)
