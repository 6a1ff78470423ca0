"""ENV: the envelope that carries documents to the SII or to the receiver."""

import re
from collections import Counter

from dte.crypto import Certificate, Defect, read_certificate
from dte.crypto.authorities import CERTIFICATION_IDK, PRODUCTION_IDK
from dte.crypto.certificate import normal_rut
from dte.documents.envelope import Envelope
from dte.formato.elements import child, text
from dte.formato.tipos import NOTES
from dte.rules.findings import Fault
from dte.rules.registry import XML, Context, Faults, also_on_envelopes, family, rule

family("ENV", "Sobre de envío")

CARATULA = "SetDTE/Caratula"
SII_RUT = "60803000-K"
# EnvioDTE_v10.xsd and EnvioBOLETA_v11.xsd, maxOccurs of DTE.
MAX_DOCUMENTS = {"EnvioDTE": 2000, "EnvioBOLETA": 500}

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
    message="NroResol es {resolucion} y los folios son de {ambiente} (IDK {idk}).",
    fix="En certificación NroResol es 0; en producción el número real.",
    source="SMOY CRT-3-19",
    sii="aviso",
    severity="warn",
    sii_code="CRT-3-19",
    confidence="media",
    forms=XML,
    level="envelope",
    fields=(f"{CARATULA}/NroResol",),
)
def resolution_is_of_the_environment(envelope: Envelope, ctx: Context) -> Faults:
    resolution = envelope.caratula.amount("NroResol")
    if resolution is None:
        return
    expected, name = (
        (PRODUCTION_IDK, "producción") if resolution == 0 else (CERTIFICATION_IDK, "certificación")
    )
    if any(int(idk) == expected for idk in set(_IDK.findall(envelope.raw))):
        yield Fault(f"{CARATULA}/NroResol", resolucion=resolution, ambiente=name, idk=expected)


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
    fields=("EnvioDTE/Signature",),
    note="SetDTE se verifica en su lugar, con el xmlns:xsi de la raíz. También falla si el certificado no "
    "estaba vigente en TmstFirmaEnv.",
)
def envelope_signature_is_valid(envelope: Envelope, ctx: Context) -> Faults:
    check = envelope.signature_check
    for kind, reason in check.defects.items():
        if kind not in {Defect.MISSING, Defect.KEY_MISMATCH}:
            yield Fault("Signature", motivo=reason)
    moment = envelope.caratula.moment("TmstFirmaEnv")
    if (
        check.certificate is not None
        and moment is not None
        and not check.certificate.valid_at(moment)
    ):
        yield Fault("Signature", motivo="el certificado no estaba vigente al firmar el sobre")


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
        for tipo, folio, _ in document.references if document.tipo in NOTES else ():
            later = places.get((tipo, folio.lstrip("0")), 0)
            if later > document.number:
                yield Fault(
                    "SetDTE",
                    document=document.number,
                    line=document.line,
                    numero=document.number,
                    posterior=later,
                    tipo=tipo,
                    folio=folio,
                )
