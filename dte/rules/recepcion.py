"""REC: what matters to whoever received the document, besides its being valid.

The period is of Ley 19.983 art. 3 as amended by Ley 20.956: eight calendar days from the reception by
the SII to claim against an invoice; after that it counts as accepted, irrevocably.
"""

from datetime import date, timedelta

from dte.documents.document import Dte, day_in_chile
from dte.rules.findings import Fault
from dte.rules.registry import EVERY_FORM, RECEPTION, Context, Faults, family, rule

family("REC", "Documento recibido")

CLAIM_DAYS = 8
# Documents whose claim or acceptance the SII registers: guide of the acceptance service v1.2.
CLAIMABLE = frozenset({33, 34, 43})
_RECEIVER = "Encabezado/Receptor/RUTRecep"


def _last_day_to_claim(dte: Dte, ctx: Context) -> date | None:
    """Count from the day it was sent, which an envelope says, or else from its own date."""
    sent = ctx.envelope.caratula.moment("TmstFirmaEnv") if ctx.envelope else None
    signed = sent or dte.moment("TmstFirma")
    start = max((day for day in (signed and signed.date(), dte.issued) if day), default=None)
    return start + timedelta(days=CLAIM_DAYS) if start else None


@rule(
    "REC-01",
    title="El plazo de 8 días para reclamar el documento corre o ya venció.",
    message="El plazo para reclamar venció el {ultimo_dia}: el documento se entiende aceptado.",
    fix="Acepte o reclame en el registro del SII antes de que venzan los 8 días; después ya no se puede.",
    source="Ley 19.983 art. 3, modificado por la Ley 20.956; servicio de aceptación y reclamo v1.2",
    sii="n/a",
    severity="warn",
    responsible="receiver",
    confidence="alta",
    types=CLAIMABLE,
    forms=EVERY_FORM,
    modes=RECEPTION,
    fields=("Encabezado/IdDoc/FchEmis", "TmstFirma"),
    note="El plazo corre desde que el SII lo recibió, dato que el documento no trae: se cuenta desde la "
    "firma del sobre, o del documento, o desde su emisión, lo que sea posterior.",
)
def claim_period(dte: Dte, ctx: Context) -> Faults:
    last_day = _last_day_to_claim(dte, ctx)
    if last_day is None:
        return
    left = (last_day - day_in_chile(ctx.as_of)).days
    if left < 0:
        yield Fault("Encabezado/IdDoc/FchEmis", ultimo_dia=last_day, dias_restantes=left)
    elif left <= CLAIM_DAYS:
        yield Fault(
            "Encabezado/IdDoc/FchEmis",
            message="Quedan {dias_restantes} días para reclamar (hasta el {ultimo_dia}); después el documento "
            "se entiende aceptado.",
            ultimo_dia=last_day,
            dias_restantes=left,
        )


@rule(
    "REC-02",
    title="El documento no está dirigido a la empresa que lo recibió.",
    message="El receptor del documento es {declarado} y la empresa que lo recibió es {esperado}.",
    fix="Reclame el documento o avise al emisor: no corresponde registrarlo.",
    source="Regla propia",
    sii="n/a",
    severity="reject",
    responsible="receiver",
    confidence="alta",
    forms=EVERY_FORM,
    modes=RECEPTION,
    fields=(_RECEIVER,),
    note="Sólo si quien llama dice su RUT en el parámetro «receptor».",
)
def addressed_to_us(dte: Dte, ctx: Context) -> Faults:
    if ctx.receiver and dte.receiver != ctx.receiver:
        yield Fault(_RECEIVER, declarado=dte.receiver, esperado=ctx.receiver)
