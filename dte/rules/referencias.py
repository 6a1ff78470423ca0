"""REF: what a document refers to, and what a credit or debit note may do to it.

Source of the codes: Formato DTE v2.2 p.41-42, zone E «Información de referencia».
"""

from typing import Any

from dte.documents.document import Dte, Row
from dte.formato.tipos import ALL_TYPES, BOLETAS, NOTES
from dte.rules.findings import Fault
from dte.rules.registry import OBJECTED, REJECTED, WARNED, Context, Faults, family, rule

family("REF", "Referencias")

ANNULS, CORRECTS_TEXT = "1", "2"
MAX_REFERENCES = 40
NUMBERED = ALL_TYPES - BOLETAS

# Documents of the SII, electronic or on paper.
TAX_DOCUMENTS = frozenset(
    {
        *("30", "32", "33", "34", "35", "38", "39", "40", "41", "43", "45", "46", "48", "50", "52"),
        *("55", "56", "60", "61", "101", "102", "103", "104", "105", "106", "108", "109"),
        *("110", "111", "112"),
    }
)
OTHER_DOCUMENTS = frozenset(str(code) for code in range(801, 821))
# Those that a note corrects with a CodRef.
CORRECTED = frozenset(
    code for code in TAX_DOCUMENTS if int(code) <= 61 or code in {"103", "110", "111", "112"}
)
DELIVERY_NOTES = frozenset({"50", "52"})
CREDIT_NOTES = frozenset({"60", "61"})
EXPORT_DOCUMENTS = frozenset({"101", "104", "106", "110", "111", "112"})


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


def _total_of(dte: Dte, row: Row, ctx: Context) -> Any:
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
    "REF-08",
    title="La numeración de las referencias no es correlativa.",
    message="La referencia {lugar} lleva el número {numero}.",
    fix="Numere 1, 2, 3...",
    source="F2.2 p.41 campo E1",
    confidence="media",
    types=NUMBERED,
    fields=("Referencia/NroLinRef",),
    given=("Referencia",),
    **WARNED,
)
def references_are_numbered_in_sequence(dte: Dte, ctx: Context) -> Faults:
    for row in dte.references:
        number = row.text("NroLinRef")
        if number and number.lstrip("0") != str(row.number):
            yield Fault(row.path("NroLinRef"), lugar=row.number, numero=number[:10])


@rule(
    "REF-09",
    title="El tipo o folio del documento referenciado no es válido.",
    message="En la referencia {numero} {problema}.",
    fix="Use un código de la tabla del SII; el folio de un documento tributario es numérico.",
    source="F2.2 p.41-42 campos E2 y E4",
    confidence="baja",
    types=NUMBERED,
    fields=("Referencia/TpoDocRef", "Referencia/FolioRef"),
    given=("Referencia",),
    note="La tabla es generosa: se usan los códigos 801 a 820 y letras como SET, HES o HEM.",
    **OBJECTED,
)
def referenced_documents_are_known(dte: Dte, ctx: Context) -> Faults:
    for row in dte.references:
        code, folio = row.text("TpoDocRef"), row.text("FolioRef")
        if code.isdigit() and code not in TAX_DOCUMENTS and code not in OTHER_DOCUMENTS:
            problem = f"el tipo {code} no está en la tabla del SII"
            yield Fault(row.path("TpoDocRef"), numero=row.number, problema=problem)
        elif code in TAX_DOCUMENTS and folio and not folio.isdigit():
            problem = f"el folio «{folio[:20]}» no es un número"
            yield Fault(row.path("FolioRef"), numero=row.number, problema=problem)


@rule(
    "REF-10",
    title="Folio 0 sin indicador de referencia global (o al revés).",
    fix="Use folio 0 sólo con IndGlobal = 1.",
    source="F2.2 p.42 campos E3-E4",
    confidence="media",
    types=NUMBERED,
    fields=("Referencia/IndGlobal", "Referencia/FolioRef"),
    given=("Referencia",),
    **OBJECTED,
)
def folio_zero_means_a_global_reference(dte: Dte, ctx: Context) -> Faults:
    for row in dte.references:
        folio = row.text("FolioRef")
        is_zero = bool(folio) and not folio.strip("0")
        if is_zero != (row.text("IndGlobal") == "1"):
            yield Fault(row.path("FolioRef"), folio=folio[:20])


@rule(
    "REF-11",
    title="RUT de otro contribuyente mal usado en la referencia.",
    fix="Sólo se usa en 46, 56, 61 (y notas de exportación), y debe ser distinto del emisor.",
    source="F2.2 p.42 campo E5",
    confidence="media",
    types=NUMBERED,
    fields=("Referencia/RUTOtr",),
    given=("Referencia/RUTOtr",),
    **WARNED,
)
def other_taxpayer_is_another(dte: Dte, ctx: Context) -> Faults:
    for row in dte.references:
        other = row.text("RUTOtr")
        if other and (dte.tipo in {33, 34, 43, 52} or other == dte.issuer):
            yield Fault(row.path("RUTOtr"), rut=other)


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


@rule(
    "REF-13",
    title="El documento se referencia a sí mismo.",
    fix="Corrija el tipo o folio de la referencia.",
    source="Inferido",
    confidence="media",
    types=NUMBERED,
    fields=("Referencia",),
    given=("Referencia",),
    **WARNED,
)
def document_does_not_refer_to_itself(dte: Dte, ctx: Context) -> Faults:
    itself = (str(dte.tipo), dte.folio.lstrip("0"))
    for row in dte.references:
        named = (row.text("TpoDocRef"), row.text("FolioRef").lstrip("0"))
        if named == itself and not row.has("RUTOtr"):
            yield Fault(row.path("FolioRef"))


@rule(
    "REF-14",
    title="Hay más de 40 referencias.",
    message="Hay {referencias} referencias; se permiten 40.",
    fix="Use el indicador de referencia global (IndGlobal = 1, folio 0).",
    source="F2.2 p.41 (0 a 40); XSD26 maxOccurs=40",
    confidence="alta",
    fields=("Referencia",),
    given=("Referencia",),
    **REJECTED,
)
def reference_count_is_allowed(dte: Dte, ctx: Context) -> Faults:
    if len(dte.references) > MAX_REFERENCES:
        yield Fault("Referencia", referencias=len(dte.references))


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
    source="F2.2 p.42 campo E8, casos a y c",
    confidence="media",
    types=NOTES,
    fields=("Referencia/CodRef", "Referencia/TpoDocRef"),
    **OBJECTED,
)
def note_annuls_what_it_may(dte: Dte, ctx: Context) -> Faults:
    for row in _annulments(dte):
        code = row.text("TpoDocRef")
        if code and not _may_annul(dte.tipo, code):
            yield Fault(row.path("TpoDocRef"), nota=dte.tipo, tipo=code[:5])


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
