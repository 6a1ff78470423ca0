"""REF: what a document refers to; what a note may do to it is in ``notas``.

Source of the codes: Formato DTE v2.2 p.41-42, zone E «Información de referencia».
"""

from dte.documents.document import Dte
from dte.formato.tipos import ALL_TYPES, BOLETAS
from dte.rules.findings import Fault
from dte.rules.registry import OBJECTED, REJECTED, WARNED, Context, Faults, family, rule

family("REF", "Referencias")

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
