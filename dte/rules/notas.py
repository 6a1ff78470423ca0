"""REF: what a credit or debit note may do to the document it refers to.

Source of the codes: Formato DTE v2.2 p.41-42, zone E «Información de referencia».
"""

from decimal import Decimal

from dte.documents.document import ZERO, Dte, Row
from dte.documents.envelope import Envelope
from dte.documents.rut import FOREIGN_BUYER, GENERIC_BUYER
from dte.formato.tipos import NOTES
from dte.rules.findings import Fault
from dte.rules.referencias import TAX_DOCUMENTS
from dte.rules.registry import OBJECTED, REJECTED, WARNED, XML, Context, Faults, rule

ANNULS, CORRECTS_TEXT, CORRECTS_AMOUNTS = "1", "2", "3"
DEBIT_NOTE = 56

# Those that a note corrects with a CodRef.
CORRECTED = frozenset(
    code for code in TAX_DOCUMENTS if int(code) <= 61 or code in {"103", "110", "111", "112"}
)
DELIVERY_NOTES = frozenset({"50", "52"})
CREDIT_NOTES = frozenset({"60", "61"})
EXPORT_DOCUMENTS = frozenset({"101", "104", "106", "110", "111", "112"})
# Facturas and boletas without IVA, on paper and electronic.
EXEMPT_DOCUMENTS = frozenset({"32", "34", "38", "41"})


def _annulments(dte: Dte) -> list[Row]:
    return [row for row in dte.references if row.text("CodRef") == ANNULS]


@rule(
    "REF-01",
    title="La nota de crédito/débito no referencia ningún documento.",
    fix="Agregue la referencia al documento que corrige o anula.",
    source="F2.2 p.9 (zonas) y p.41-42 campo E8; LAPP REF-3-415",
    sii_code="REF-3-415",
    confidence="alta",
    types=NOTES,
    fields=("Referencia",),
    **REJECTED,
)
def note_refers_to_a_document(dte: Dte, ctx: Context) -> Faults:
    if not dte.references:
        yield Fault("Referencia")


@rule(
    "REF-02",
    title="La referencia no indica el código (1 anula, 2 corrige texto, 3 corrige montos).",
    message="La referencia {numero}, a un documento tipo {tipo}, no indica el código (1 anula, 2 corrige "
    "texto, 3 corrige montos).",
    fix="Agregue CodRef 1, 2 o 3.",
    source="F2.2 p.42 campo E8 (obligatoriedad 1); LAPP REF L[n]-3-758",
    sii_code="REF-3-758",
    confidence="media",
    types=NOTES,
    fields=("Referencia/CodRef",),
    **REJECTED,
)
def note_says_what_it_corrects(dte: Dte, ctx: Context) -> Faults:
    for row in dte.references:
        if row.text("TpoDocRef") in CORRECTED and not row.has("CodRef"):
            yield Fault(row.path("CodRef"), numero=row.number, tipo=row.text("TpoDocRef"))


@rule(
    "REF-03",
    title="La nota que anula o corrige texto referencia más de un documento.",
    message="La nota anula o corrige texto y referencia {documentos} documentos.",
    fix="Emita una nota por cada documento anulado o corregido.",
    source="F2.2 p.42 campo E8 (casos a, b y c: único documento)",
    confidence="media",
    types=NOTES,
    fields=("Referencia",),
    **OBJECTED,
)
def annulment_refers_to_one_document(dte: Dte, ctx: Context) -> Faults:
    referenced = [row for row in dte.references if row.text("TpoDocRef") in TAX_DOCUMENTS]
    single = any(row.text("CodRef") in {ANNULS, CORRECTS_TEXT} for row in dte.references)
    if single and len(referenced) > 1:
        yield Fault("Referencia", documentos=len(referenced))


@rule(
    "REF-04",
    title="Una nota que sólo corrige texto trae montos.",
    message="La nota corrige sólo texto (CodRef 2) y trae montos: total {total}.",
    fix="Deje los montos en 0 (MntTotal 0 y MontoItem 0).",
    source="F2.2 p.37 campo B38 (1); mensaje REF-2-781 visto en público",
    sii_code="REF-2-781",
    confidence="alta",
    types=NOTES,
    fields=("Referencia/CodRef", "Encabezado/Totales/MntTotal"),
    **OBJECTED,
)
def text_correction_has_no_amounts(dte: Dte, ctx: Context) -> Faults:
    if not any(row.text("CodRef") == CORRECTS_TEXT for row in dte.references):
        return
    if dte.totals_or_zero("MntTotal") or any(row.amount_or_zero("MontoItem") for row in dte.lines):
        yield Fault("Encabezado/Totales/MntTotal", total=dte.totals_or_zero("MntTotal"))


@rule(
    "REF-05",
    title="La nota que anula no tiene el mismo monto que el documento anulado.",
    message="La nota anula el documento tipo {tipo} folio {folio} por {total}, y ese documento es de "
    "{anulado}.",
    fix="Anule por el total exacto; para rebajas parciales use código 3.",
    source="CDL REF-2-780",
    sii_code="REF-2-780",
    confidence="alta",
    types=NOTES,
    fields=("Referencia", "Encabezado/Totales/MntTotal"),
    note="Sólo se puede revisar si el documento anulado va antes en el mismo envío o se validó antes "
    "con la misma clave.",
    **OBJECTED,
)
def annulment_is_for_the_whole_amount(dte: Dte, ctx: Context) -> Faults:
    total = dte.totals("MntTotal")
    if total is None:
        return
    for row in _annulments(dte):
        annulled = _total_of(dte, row, ctx)
        if annulled is not None and annulled != total:
            yield Fault(
                row.path("FolioRef"),
                tipo=row.text("TpoDocRef"),
                folio=row.text("FolioRef"),
                total=total,
                anulado=annulled,
            )


def _total_of(dte: Dte, row: Row, ctx: Context) -> Decimal | None:
    """MntTotal of the referenced document, where this submission or the history knows it."""
    tipo, folio = row.text("TpoDocRef"), row.text("FolioRef").lstrip("0")
    issuer = row.text("RUTOtr") or dte.issuer
    for summary in ctx.envelope.documents if ctx.envelope else ():
        known = (str(summary.tipo), summary.folio.lstrip("0"), summary.issuer)
        if known == (tipo, folio, issuer):
            return summary.total
    if ctx.history is None or not tipo.isdigit():
        return None
    earlier = ctx.history.earlier(issuer, int(tipo), folio)
    return earlier.total if earlier else None


@rule(
    "REF-06",
    title="La nota sólo referencia guías de despacho u otros documentos que no puede modificar.",
    fix="Referencie la factura, boleta o nota que corresponde.",
    source="LAPP REF-3-415 (no se puede anular una guía con una NC)",
    sii_code="REF-3-415",
    confidence="media",
    types={56, 61},
    fields=("Referencia/TpoDocRef",),
    **REJECTED,
)
def note_refers_to_something_it_can_change(dte: Dte, ctx: Context) -> Faults:
    if dte.references and not any(_can_be_changed(row.text("TpoDocRef")) for row in dte.references):
        yield Fault("Referencia[1]/TpoDocRef")


def _can_be_changed(code: str) -> bool:
    # A number nobody knows is REF-09's business.
    return code.isdigit() and code not in DELIVERY_NOTES and not code.startswith("8")


@rule(
    "REF-07",
    title="La nota de exportación no referencia una factura o nota de exportación.",
    fix="Agregue la referencia al documento 110, 111 o 112.",
    source="F2.2 p.41 campo E2 (obligatorio referenciar la factura de exportación)",
    confidence="media",
    types={111, 112},
    fields=("Referencia/TpoDocRef",),
    **REJECTED,
)
def export_note_refers_to_an_export(dte: Dte, ctx: Context) -> Faults:
    codes = {row.text("TpoDocRef") for row in dte.references}
    if dte.references and not codes & EXPORT_DOCUMENTS:
        yield Fault("Referencia[1]/TpoDocRef")


@rule(
    "REF-12",
    title="La nota no explica la razón de la referencia.",
    fix="Escriba la razón (máx. 90 caracteres), por ejemplo 'Anula factura'.",
    source="F2.2 p.42 campo E9 (opcional); inferido",
    confidence="media",
    types=NOTES,
    fields=("Referencia/RazonRef",),
    **WARNED,
)
def correction_gives_its_reason(dte: Dte, ctx: Context) -> Faults:
    for row in dte.references:
        if row.has("CodRef") and not row.has("RazonRef"):
            yield Fault(row.path("RazonRef"))


def _may_annul(tipo: int, code: str) -> bool:
    if tipo == 61:
        return code not in CREDIT_NOTES
    if tipo == 56:
        return code in CREDIT_NOTES
    return code in ({"110", "111", "101", "104"} if tipo == 112 else {"112", "106"})


@rule(
    "REF-15",
    title="La nota anula un documento que no le corresponde.",
    message="Una nota tipo {nota} no anula un documento tipo {tipo}.",
    fix="La NC anula facturas, boletas o ND; la ND anula sólo NC.",
    source="F2.2 p.42 campo E8, casos a y c; práctica: 1 informe con rechazo en producción de una nota de "
    "débito que anula una factura (facturacion-cl)",
    confidence="media",
    types=NOTES,
    fields=("Referencia/CodRef", "Referencia/TpoDocRef"),
    note="Rechazada en producción la nota de débito que anula lo que no es una nota de crédito; de los "
    "demás casos no se ha visto respuesta, y se pide revisar.",
    **REJECTED,
)
def note_annuls_what_it_may(dte: Dte, ctx: Context) -> Faults:
    for row in _annulments(dte):
        code = row.text("TpoDocRef")
        if code and not _may_annul(dte.tipo, code):
            yield Fault(
                row.path("TpoDocRef"),
                severity=None if dte.tipo == DEBIT_NOTE else "review",
                nota=dte.tipo,
                tipo=code[:5],
            )


@rule(
    "REF-17",
    title="El documento referenciado no ha sido recibido por el SII.",
    message="El documento referenciado (tipo {tipo} folio {folio}) fue rechazado por el SII.",
    fix="Envíe primero el documento original (y espere su aceptación) o corrija el folio.",
    source="LAPP REF-3-750",
    sii_code="REF-3-750",
    confidence="alta",
    types=NOTES,
    level="history",
    fields=("Referencia",),
    note="Sólo se sabe de los documentos cuyo resultado informó el ERP; de los demás sabe el SII.",
    **REJECTED,
)
def referenced_document_was_received(dte: Dte, ctx: Context) -> Faults:
    for row in dte.references:
        tipo, folio = row.text("TpoDocRef"), row.text("FolioRef")
        if tipo not in TAX_DOCUMENTS or ctx.history is None:
            continue
        earlier = ctx.history.earlier(row.text("RUTOtr") or dte.issuer, int(tipo), folio)
        if earlier is not None and earlier.outcome == "rejected":
            yield Fault(row.path("FolioRef"), tipo=tipo, folio=folio)


@rule(
    "REF-16",
    title="La nota corrige un documento exento y trae neto o IVA.",
    message="La nota corrige un documento exento (tipo {tipo}) y trae neto {neto} e IVA {iva}.",
    fix="Emita la nota exenta: sus líneas con IndExe 1, el monto en MntExe, sin MntNeto, TasaIVA ni IVA.",
    source="práctica: 1 informe con rechazo en producción (facturacion-cl)",
    sii="rechazo",
    severity="reject",
    confidence="media",
    types={56, 61},
    fields=("Referencia/TpoDocRef", "Encabezado/Totales/MntNeto", "Encabezado/Totales/IVA"),
    note="Con CodRef 3 se pide revisar: no se ha visto un rechazo.",
)
def note_on_an_exempt_document_is_exempt(dte: Dte, ctx: Context) -> Faults:
    net, iva = dte.totals_or_zero("MntNeto"), dte.totals_or_zero("IVA")
    if net <= ZERO and iva <= ZERO:
        return
    corrected = [
        row
        for row in dte.references
        if row.text("CodRef") in {ANNULS, CORRECTS_AMOUNTS} and row.text("TpoDocRef") in CORRECTED
    ]
    if not corrected or any(row.text("TpoDocRef") not in EXEMPT_DOCUMENTS for row in corrected):
        return
    annuls = any(row.text("CodRef") == ANNULS for row in corrected)
    yield Fault(
        "Encabezado/Totales/MntNeto" if net > ZERO else "Encabezado/Totales/IVA",
        severity=None if annuls else "review",
        tipo=corrected[0].text("TpoDocRef"),
        neto=net,
        iva=iva,
    )


_ANYBODY = frozenset({GENERIC_BUYER, FOREIGN_BUYER, ""})


@rule(
    "REF-18",
    title="La nota va a otro receptor que el documento que corrige.",
    message="La nota {numero} es para {receptor} y el documento tipo {tipo} folio {folio}, que corrige y "
    "viene en este mismo sobre, es para {esperado}.",
    fix="Emita la nota al mismo receptor del documento, o corrija el folio de la referencia.",
    source="práctica: 1 informe (tabla de códigos de odoo19, REF-3-751)",
    sii="rechazo",
    severity="review",
    sii_code="REF-3-751",
    confidence="baja",
    types=NOTES,
    forms=XML,
    level="envelope",
    fields=("Referencia", "Encabezado/Receptor/RUTRecep"),
    note="Sólo se puede revisar si los dos vienen en el mismo sobre.",
)
def note_goes_to_the_same_receiver(envelope: Envelope, ctx: Context) -> Faults:
    receivers = {
        (document.issuer, str(document.tipo), document.folio.lstrip("0")): document.receiver
        for document in envelope.documents
    }
    for note in envelope.documents:
        for row in note.references if note.tipo in NOTES else ():
            key = (row.issuer or note.issuer, row.tipo, row.folio.lstrip("0"))
            expected = receivers.get(key, "")
            if not row.code or {note.receiver, expected} & _ANYBODY:
                continue
            if expected.upper() != note.receiver.upper():
                yield Fault(
                    f"SetDTE/DTE[{note.number}]",
                    document=note.number,
                    line=note.line,
                    numero=note.number,
                    receptor=note.receiver,
                    tipo=row.tipo,
                    folio=row.folio,
                    esperado=expected,
                )
