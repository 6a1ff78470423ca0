"""TED: the electronic stamp must say what the document says, and be signed with the CAF's key."""

from dte.documents.document import Dte
from dte.rules.findings import Fault
from dte.rules.registry import XML, Context, Faults, family, rule

family("TED", "Timbre electrónico")

DD = "TED/DD"
# The schema cuts names in the stamp at 40 characters.
CUT = 40


@rule(
    "TED-01",
    title="Falta el timbre electrónico (TED).",
    fix="Timbre el documento con el CAF antes de firmar.",
    source="XSD26 minOccurs=1; F2.2 p.9 (tabla de zonas)",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    fields=("TED",),
)
def stamp_is_there(dte: Dte, ctx: Context) -> Faults:
    if not dte.has("TED"):
        yield Fault("TED")


def _differs(dte: Dte, stamped: str, field: str) -> Faults:
    """Yield a fault when a text of the stamp is not that of the document, letter case apart."""
    in_stamp, in_document = dte.text(f"{DD}/{stamped}"), dte.text(field)
    if in_stamp and in_document and in_stamp.upper() != in_document.upper():
        yield Fault(f"{DD}/{stamped}", en_timbre=in_stamp, en_documento=in_document)


_AGAIN = "Vuelva a timbrar con los datos finales del documento."
_NOT_SEEN = (
    "XSD26 (DD); el mensaje exacto del SII para este campo no se ha visto (sí TED-3-640 para MNT)"
)
_MESSAGE = "El timbre dice «{en_timbre}» y el documento «{en_documento}»."


@rule(
    "TED-02",
    title="El RUT emisor del timbre no coincide con el del documento.",
    message=f"RUT del emisor: {_MESSAGE[0].lower()}{_MESSAGE[1:]}",
    fix=_AGAIN,
    source=_NOT_SEEN,
    sii="rechazo",
    severity="reject",
    confidence="media",
    forms=XML,
    fields=(f"{DD}/RE", "Encabezado/Emisor/RUTEmisor"),
)
def stamp_names_the_issuer(dte: Dte, ctx: Context) -> Faults:
    return _differs(dte, "RE", "Encabezado/Emisor/RUTEmisor")


@rule(
    "TED-03",
    title="El tipo de documento del timbre no coincide con el del documento.",
    message=f"Tipo de documento: {_MESSAGE[0].lower()}{_MESSAGE[1:]}",
    fix=_AGAIN,
    source=_NOT_SEEN,
    sii="rechazo",
    severity="reject",
    confidence="media",
    forms=XML,
    fields=(f"{DD}/TD", "Encabezado/IdDoc/TipoDTE"),
)
def stamp_names_the_type(dte: Dte, ctx: Context) -> Faults:
    return _differs(dte, "TD", "Encabezado/IdDoc/TipoDTE")


@rule(
    "TED-04",
    title="El folio del timbre no coincide con el del documento.",
    message=f"Folio: {_MESSAGE[0].lower()}{_MESSAGE[1:]}",
    fix=_AGAIN,
    source=_NOT_SEEN,
    sii="rechazo",
    severity="reject",
    confidence="media",
    forms=XML,
    fields=(f"{DD}/F", "Encabezado/IdDoc/Folio"),
)
def stamp_names_the_folio(dte: Dte, ctx: Context) -> Faults:
    in_stamp, in_document = dte.amount(f"{DD}/F"), dte.amount("Encabezado/IdDoc/Folio")
    if in_stamp is None or in_stamp != in_document:
        yield from _differs(dte, "F", "Encabezado/IdDoc/Folio")


@rule(
    "TED-05",
    title="La fecha de emisión del timbre no coincide con la del documento.",
    message=f"Fecha de emisión: {_MESSAGE[0].lower()}{_MESSAGE[1:]}",
    fix=_AGAIN,
    source=_NOT_SEEN,
    sii="rechazo",
    severity="reject",
    confidence="media",
    forms=XML,
    fields=(f"{DD}/FE", "Encabezado/IdDoc/FchEmis"),
)
def stamp_names_the_day(dte: Dte, ctx: Context) -> Faults:
    return _differs(dte, "FE", "Encabezado/IdDoc/FchEmis")


@rule(
    "TED-06",
    title="El RUT receptor del timbre no coincide con el del documento.",
    message=f"RUT del receptor: {_MESSAGE[0].lower()}{_MESSAGE[1:]}",
    fix=_AGAIN,
    source=_NOT_SEEN,
    sii="rechazo",
    severity="reject",
    confidence="media",
    forms=XML,
    fields=(f"{DD}/RR", "Encabezado/Receptor/RUTRecep"),
)
def stamp_names_the_receiver(dte: Dte, ctx: Context) -> Faults:
    return _differs(dte, "RR", "Encabezado/Receptor/RUTRecep")


def _cut_to(full: str, stamped: str) -> bool:
    """Tell whether ``stamped`` is ``full`` cut at 40 characters, blanks collapsed before or after."""
    collapsed = " ".join(full.split())
    candidates = (full[:CUT], full.strip()[:CUT], collapsed[:CUT])
    return " ".join(stamped.split()) in {" ".join(text.split()) for text in candidates}


def _raw_text(dte: Dte, path: str) -> str:
    found = dte.find(path)
    return found if isinstance(found, str) else ""


@rule(
    "TED-07",
    title="El nombre del receptor en el timbre no coincide.",
    message="El timbre dice «{en_timbre}» y el documento «{en_documento}».",
    fix="Use los primeros 40 caracteres de la razón social del receptor.",
    source="XSD26 (maxLength 40); igual en todas las muestras reales",
    sii="aviso",
    severity="warn",
    confidence="media",
    forms=XML,
    fields=(f"{DD}/RSR",),
    note="Una boleta sin RznSocRecep puede llevar cualquier texto.",
)
def stamp_names_the_receiver_by_name(dte: Dte, ctx: Context) -> Faults:
    name, stamped = _raw_text(dte, "Encabezado/Receptor/RznSocRecep"), _raw_text(dte, f"{DD}/RSR")
    if name.strip() and stamped.strip() and not _cut_to(name, stamped):
        yield Fault(f"{DD}/RSR", en_timbre=stamped.strip(), en_documento=name.strip())


@rule(
    "TED-08",
    title="El monto del timbre no coincide con el total.",
    message="El timbre dice {en_timbre} y el total del documento es {total}.",
    fix="Vuelva a timbrar con el total definitivo.",
    source="RURAL TED-3-640",
    sii="rechazo",
    severity="reject",
    sii_code="TED-3-640",
    confidence="alta",
    forms=XML,
    fields=(f"{DD}/MNT", "Encabezado/Totales/MntTotal"),
)
def stamp_carries_the_total(dte: Dte, ctx: Context) -> Faults:
    stamped, total = dte.amount(f"{DD}/MNT"), dte.totals("MntTotal")
    if stamped is not None and total is not None and stamped != total:
        yield Fault(f"{DD}/MNT", en_timbre=stamped, total=total)


@rule(
    "TED-09",
    title="El primer ítem del timbre no coincide con la primera línea.",
    message="El timbre dice «{en_timbre}» y la primera línea «{en_documento}».",
    fix="Use los primeros 40 caracteres del nombre del primer ítem.",
    source="XSD26 (maxLength 40); igual en todas las muestras reales",
    sii="aviso",
    severity="warn",
    confidence="media",
    forms=XML,
    fields=(f"{DD}/IT1",),
)
def stamp_names_the_first_item(dte: Dte, ctx: Context) -> Faults:
    name, stamped = _raw_text(dte, "Detalle[1]/NmbItem"), _raw_text(dte, f"{DD}/IT1")
    if name.strip() and stamped.strip() and not _cut_to(name, stamped):
        yield Fault(f"{DD}/IT1", en_timbre=stamped.strip(), en_documento=name.strip())


@rule(
    "TED-10",
    title="La firma del timbre electrónico es incorrecta.",
    message="La firma del timbre electrónico es incorrecta: {motivo}.",
    fix="Timbre con la llave privada del mismo CAF, sobre el DD aplanado en ISO-8859-1.",
    source="SMOY (TED-2-510); verificado en documentos aceptados y en F60T33; LCORE "
    "(versiones que firman con &apos; y &quot;)",
    sii="reparo",
    severity="reject",
    sii_code="TED-2-510",
    confidence="alta",
    forms=XML,
    fields=("TED/FRMT", f"{DD}/CAF/DA/RSAPK"),
    note="Para el SII es reparo, pero un documento con mal timbre no le sirve al receptor.",
)
def stamp_is_signed_with_the_cafs_key(dte: Dte, ctx: Context) -> Faults:
    if dte.has("TED") and not (check := dte.stamp_check.stamp).valid:
        yield Fault("TED/FRMT", motivo=check.reason)


@rule(
    "TED-11",
    title="El timbre es anterior a la fecha de emisión.",
    message="El timbre es del {timbrado} y el documento dice que se emitió el {emitido}.",
    fix="Timbre el documento el día de su emisión.",
    source="Inferido",
    sii="aviso",
    severity="warn",
    confidence="baja",
    forms=XML,
    fields=(f"{DD}/TSTED",),
    note="Hay un documento aceptado con fecha de emisión un día posterior al timbre.",
)
def stamp_is_not_older_than_the_document(dte: Dte, ctx: Context) -> Faults:
    stamped = dte.date(f"{DD}/TSTED")
    if stamped is not None and dte.issued is not None and stamped < dte.issued:
        yield Fault(f"{DD}/TSTED", timbrado=stamped, emitido=dte.issued)
