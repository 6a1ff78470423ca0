"""ENV: the envelope that carries documents to the SII or to the receiver."""

import re
from collections import Counter

from dte.crypto import Certificate, Defect, read_certificate
from dte.crypto.authorities import CERTIFICATION_IDK, PRODUCTION_IDK
from dte.crypto.certificate import normal_rut
from dte.crypto.profile import deviations
from dte.documents.envelope import Envelope
from dte.formato.elements import child, text
from dte.formato.namespaces import SII, XSI
from dte.formato.tipos import NOTES
from dte.rules.findings import Fault
from dte.rules.registry import EMISSION, XML, Context, Faults, also_on_envelopes, family, rule

family("ENV", "Sobre de envío")

CARATULA = "SetDTE/Caratula"
SII_RUT = "60803000-K"
# EnvioDTE_v10.xsd and EnvioBOLETA_v11.xsd, maxOccurs of DTE.
MAX_DOCUMENTS = {"EnvioDTE": 2000, "EnvioBOLETA": 500}

_NOT_THE_DOCUMENT = "Nada que hacer con el documento: el sobre de intercambio no pasa por el SII. Puede avisar al emisor."
_IDK = re.compile(rb"<IDK>\s*(\d{1,9})\s*</IDK>")


@rule(
    "ENV-01",
    title="Los subtotales de la carátula no coinciden con los documentos del envío.",
    message="La carátula declara {declarado} documentos del tipo {tipo} y el sobre trae {encontrado}.",
    fix="Corrija SubTotDTE: tipo y cantidad de documentos.",
    source="XSD26 EnvioDTE; severidad inferida",
    sii="rechazo",
    severity="reject",
    confidence="media",
    forms=XML,
    level="envelope",
    fields=(f"{CARATULA}/SubTotDTE",),
)
def subtotals_are_the_documents(envelope: Envelope, ctx: Context) -> Faults:
    said: Counter[str] = Counter()
    for row in envelope.caratula.rows("SubTotDTE"):
        amount = row.amount("NroDTE")
        said[row.text("TpoDTE")] += int(amount) if amount is not None else 0
    found = Counter(str(document.tipo) for document in envelope.documents)
    for tipo in sorted(said.keys() | found.keys()):
        if said[tipo] != found[tipo]:
            yield Fault(
                f"{CARATULA}/SubTotDTE",
                tipo=tipo or "(sin tipo)",
                declarado=said[tipo],
                encontrado=found[tipo],
            )


@rule(
    "ENV-02",
    title="El RUT emisor de la carátula no coincide con el de los documentos.",
    message="La carátula es de {caratula} y el documento {numero} lo emite {emisor}.",
    fix="Envíe en un mismo sobre sólo documentos del emisor de la carátula.",
    source="XSD26; severidad inferida",
    sii="rechazo",
    severity="reject",
    confidence="media",
    forms=XML,
    level="envelope",
    received="review",
    fields=(f"{CARATULA}/RutEmisor",),
)
def issuer_is_the_documents(envelope: Envelope, ctx: Context) -> Faults:
    issuer = envelope.caratula.text("RutEmisor")
    for document in envelope.documents:
        if issuer and document.issuer and document.issuer.upper() != issuer.upper():
            yield Fault(
                f"{CARATULA}/RutEmisor",
                document=document.number,
                caratula=issuer,
                numero=document.number,
                emisor=document.issuer,
            )


@rule(
    "ENV-03",
    title="El receptor de la carátula no es el SII.",
    message="El receptor de la carátula es {receptor} y el SII es 60803000-K.",
    fix="Para enviar al SII use 60803000-K (otro RUT es el sobre para el cliente).",
    source="XSD26; SMOY",
    sii="aviso",
    severity="warn",
    confidence="media",
    forms=XML,
    level="envelope",
    modes={"emission"},
    fields=(f"{CARATULA}/RutReceptor",),
)
def receiver_is_the_sii(envelope: Envelope, ctx: Context) -> Faults:
    receiver = envelope.caratula.text("RutReceptor")
    if receiver and receiver.upper() != SII_RUT:
        yield Fault(f"{CARATULA}/RutReceptor", receptor=receiver)


def _certificate(envelope: Envelope) -> Certificate | None:
    return read_certificate(
        text(envelope.shell, "Signature", "KeyInfo", "X509Data", "X509Certificate")
    )


@also_on_envelopes("SIG-04")
def key_is_the_certificates(envelope: Envelope, ctx: Context) -> Faults:
    if Defect.KEY_MISMATCH in envelope.signature_check.defects:
        yield Fault("Signature/KeyInfo")


@also_on_envelopes("SIG-11")
def signature_follows_the_profile(envelope: Envelope, ctx: Context) -> Faults:
    if Defect.PROFILE in envelope.signature_check.defects:
        for path, reason in deviations(child(envelope.shell, "Signature")):
            yield Fault(path, motivo=reason)


@rule(
    "ENV-04",
    title="El RUT que envía no es el del certificado que firma el sobre.",
    message="RutEnvia es {envia} y el certificado que firma el sobre es de {titular}.",
    fix="RutEnvia debe ser el RUT del titular del certificado.",
    source="LAPP ENV-3-6; ODOO (Rut No Autorizado a Firmar)",
    sii="rechazo",
    severity="reject",
    sii_code="ENV-3-6",
    confidence="media",
    forms=XML,
    level="envelope",
    fields=(f"{CARATULA}/RutEnvia",),
)
def sender_is_the_signer(envelope: Envelope, ctx: Context) -> Faults:
    certificate = _certificate(envelope)
    sender = envelope.caratula.text("RutEnvia")
    if not sender or certificate is None or not certificate.rut:
        return
    if (normal_rut(sender) or sender) != certificate.rut:
        yield Fault(f"{CARATULA}/RutEnvia", envia=sender, titular=certificate.rut)


@rule(
    "ENV-05",
    title="La resolución de la carátula no corresponde al ambiente.",
    message="NroResol es {resolucion} y {motivo}.",
    fix="En certificación NroResol es 0; en producción el número real.",
    source="SMOY CRT-3-19",
    sii="aviso",
    severity="warn",
    sii_code="CRT-3-19",
    confidence="media",
    forms=XML,
    level="envelope",
    fields=(f"{CARATULA}/NroResol",),
    note="El ambiente se conoce por los folios, o porque quien llama lo dice («ambiente»).",
)
def resolution_is_of_the_environment(envelope: Envelope, ctx: Context) -> Faults:
    resolution = envelope.caratula.amount("NroResol")
    if resolution is None:
        return
    other, name, idk = (
        ("produccion", "producción", PRODUCTION_IDK)
        if resolution == 0
        else ("certificacion", "certificación", CERTIFICATION_IDK)
    )
    if ctx.environment == other:
        reason = f"el ambiente indicado es {name}"
    elif any(int(found) == idk for found in set(_IDK.findall(envelope.raw))):
        reason = f"los folios son de {name} (IDK {idk})"
    else:
        return
    yield Fault(f"{CARATULA}/NroResol", resolucion=resolution, motivo=reason, ambiente=other)


@rule(
    "ENV-06",
    title="El sobre trae demasiados documentos.",
    message="El sobre trae {cantidad} documentos y el máximo de {sobre} es {maximo}.",
    fix="Máximo 2.000 DTE (500 boletas) por envío.",
    source="XSD26 maxOccurs",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    level="envelope",
    fields=("SetDTE/DTE",),
)
def envelope_is_not_too_large(envelope: Envelope, ctx: Context) -> Faults:
    most = MAX_DOCUMENTS.get(envelope.kind, max(MAX_DOCUMENTS.values()))
    if len(envelope.fragments) > most:
        yield Fault("SetDTE", cantidad=len(envelope.fragments), sobre=envelope.kind, maximo=most)


@rule(
    "ENV-07",
    title="La firma del sobre no es válida.",
    message="La firma del sobre no es válida: {motivo}.",
    fix="Vuelva a firmar el SetDTE.",
    source="LAPP (firma del envío); medido en cesiones (AEC), que se firman igual",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    level="envelope",
    received="review",
    fields=("EnvioDTE/Signature",),
    note="SetDTE se verifica en su lugar, con el xmlns:xsi de la raíz. También falla si el certificado no "
    "estaba vigente en TmstFirmaEnv. El sobre de intercambio no pasa por el SII: en un documento "
    "recibido, el certificado vencido del sobre es un aviso y lo demás se revisa.",
)
def envelope_signature_is_valid(envelope: Envelope, ctx: Context) -> Faults:
    check = envelope.signature_check
    for kind, reason in check.defects.items():
        if kind not in {Defect.MISSING, Defect.KEY_MISMATCH, Defect.PROFILE}:
            yield Fault("Signature", motivo=reason)
    moment = envelope.caratula.moment("TmstFirmaEnv")
    if (
        check.certificate is not None
        and moment is not None
        and not check.certificate.valid_at(moment)
    ):
        yield Fault(
            "Signature",
            severity="warn" if ctx.mode == "reception" else None,
            fix=_NOT_THE_DOCUMENT if ctx.mode == "reception" else None,
            motivo="el certificado no estaba vigente al firmar el sobre",
        )


@rule(
    "ENV-08",
    title="El sobre no está firmado.",
    fix="Firme el SetDTE.",
    source="XSD26 minOccurs=1",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    level="envelope",
    fields=("EnvioDTE/Signature",),
)
def envelope_is_signed(envelope: Envelope, ctx: Context) -> Faults:
    if child(envelope.shell, "Signature", "SignedInfo") is None:
        yield Fault("Signature")


@rule(
    "ENV-09",
    title="La nota aparece en el sobre antes que el documento que referencia.",
    message="El documento {numero} referencia al {posterior} (tipo {tipo}, folio {folio}), que viene después.",
    fix="Ordene el sobre: primero la factura, después la nota.",
    source="Inferido; LAPP REF-3-750",
    sii="aviso",
    severity="warn",
    confidence="baja",
    types=NOTES,
    forms=XML,
    level="envelope",
    fields=("SetDTE/DTE",),
)
def notes_come_after_what_they_refer_to(envelope: Envelope, ctx: Context) -> Faults:
    places: dict[tuple[str, str], int] = {}
    for document in envelope.documents:
        places.setdefault((str(document.tipo), document.folio.lstrip("0")), document.number)
    for document in envelope.documents:
        for row in document.references if document.tipo in NOTES else ():
            later = places.get((row.tipo, row.folio.lstrip("0")), 0)
            if later > document.number:
                yield Fault(
                    "SetDTE",
                    document=document.number,
                    line=document.line,
                    numero=document.number,
                    posterior=later,
                    tipo=row.tipo,
                    folio=row.folio,
                )


# The schema each envelope must name in xsi:schemaLocation.
SCHEMAS = {"EnvioDTE": "EnvioDTE_v10.xsd", "EnvioBOLETA": "EnvioBOLETA_v11.xsd"}


@rule(
    "ENV-10",
    title="El sobre no nombra su esquema en xsi:schemaLocation.",
    message="El sobre {motivo}; el suyo es {esperado}.",
    fix="Ponga en la raíz, antes de firmar, "
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://www.sii.cl/SiiDte EnvioDTE_v10.xsd" (EnvioBOLETA_v11.xsd en boletas).',
    source="práctica: 3 informes independientes y 8 proyectos derivados (SCH-00001 «Invalid Schema Name»)",
    sii="rechazo",
    severity="reject",
    sii_code="SCH-00001",
    confidence="alta",
    forms=XML,
    level="envelope",
    modes=EMISSION,
    fields=("EnvioDTE/@xsi:schemaLocation", "EnvioBOLETA/@xsi:schemaLocation"),
    note="No se dice de un sobre que ni siquiera declara xmlns:xsi: de esos no se ha visto respuesta. Si "
    "el sobre es para el receptor y no para el SII, sólo se avisa.",
)
def envelope_names_its_schema(envelope: Envelope, ctx: Context) -> Faults:
    expected = SCHEMAS.get(envelope.kind)
    if expected is None or XSI not in envelope.shell.nsmap.values():
        return
    found = envelope.shell.get(f"{{{XSI}}}schemaLocation")
    pairs = (found or "").split()
    schemas = dict(zip(pairs[::2], pairs[1::2], strict=False))
    if schemas.get(SII, "").rpartition("/")[2] == expected:
        return
    if found is None:
        reason = "no lleva xsi:schemaLocation"
    elif SII not in schemas:
        reason = f"lleva un xsi:schemaLocation sin el espacio {SII}"
    else:
        reason = f"nombra el esquema «{schemas[SII][:60]}»"
    receiver = envelope.caratula.text("RutReceptor").upper()
    yield Fault(
        f"{envelope.kind}/@xsi:schemaLocation",
        severity="warn" if receiver and receiver != SII_RUT else None,
        motivo=reason,
        esperado=expected,
    )
