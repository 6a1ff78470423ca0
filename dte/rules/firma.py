"""SIG: the electronic signature of the document and the certificate behind it."""

from dte.crypto import Defect
from dte.crypto.authorities import trusted_issuers
from dte.crypto.profile import deviations
from dte.crypto.xmldsig import CHANGED, RECODED, REINDENTED, SIGNED_IN_ENVELOPE
from dte.documents.document import SANTIAGO, Dte
from dte.formato.elements import child
from dte.rules.findings import Fault
from dte.rules.registry import XML, Context, Faults, family, rule

family("SIG", "Firma")

SIGNATURE = "Signature"
REFERENCE = "Signature/SignedInfo/Reference"
CERTIFICATE = "Signature/KeyInfo/X509Data/X509Certificate"


def _breach(dte: Dte, path: str, *kinds: Defect) -> Faults:
    check = dte.signature_check
    if check is not None and check.defects:
        for kind in kinds:
            if kind in check.defects:
                yield Fault(path, motivo=check.defects[kind])


@rule(
    "SIG-01",
    title="El documento no está firmado o la firma no apunta al documento.",
    message="Firma electrónica ausente o ajena: {motivo}.",
    fix="Firme el DTE; Reference/@URI debe ser #ID del documento.",
    source="XSD26; LAPP DTE-3-505",
    sii="rechazo",
    severity="reject",
    sii_code="DTE-3-505",
    confidence="alta",
    forms=XML,
    fields=(SIGNATURE,),
)
def document_is_signed(dte: Dte, ctx: Context) -> Faults:
    return _breach(dte, SIGNATURE, Defect.MISSING, Defect.REFERENCE)


@rule(
    "SIG-02",
    title="El documento cambió después de firmarse.",
    message="El documento cambió después de firmarse: {motivo}.",
    fix="Vuelva a firmar; no edite el XML firmado.",
    source="LAPP DTE-3-505; SMOY DTE-3-505; medido en documentos aceptados",
    sii="rechazo",
    severity="reject",
    sii_code="DTE-3-505",
    confidence="alta",
    forms=XML,
    fields=(f"{REFERENCE}/DigestValue",),
    note="Se verifica el DTE como fragmento aislado. Con xmlns propio, el resumen se calcula con él; sin "
    "él, sin él: los aceptados con el espacio de nombres del SII son de su propio portal (MiPyme), y los de "
    "otros se revisan (práctica: 3 informes independientes, 8 documentos rechazados). Si sólo se agregó el "
    "xmlns, al recibir es un aviso.",
)
def document_has_not_changed(dte: Dte, ctx: Context) -> Faults:
    for fault in _breach(dte, f"{REFERENCE}/DigestValue", Defect.DIGEST):
        fault.fix = _FIXES.get(fault.values["motivo"])
        yield fault
    for fault in _breach(dte, f"{REFERENCE}/DigestValue", Defect.NAMESPACE):
        if ctx.mode == "reception":
            fault.severity = "warn"  # the content is the signer's, and nobody will send it again
        fault.fix = _KEEP_THE_TAG
        yield fault
    if _lost_its_namespace(dte, ctx):
        yield Fault(
            f"{REFERENCE}/DigestValue",
            severity="review",
            message="El documento se firmó con el xmlns del SII y su etiqueta <DTE> no lo lleva: el SII la "
            "extrae del sobre como texto, y así {motivo}.",
            fix=_KEEP_THE_TAG,
            motivo="el resumen no coincide",
        )


_KEEP_THE_TAG = (
    'Deje en el sobre la etiqueta tal como se firmó, <DTE xmlns="http://www.sii.cl/SiiDte" version="1.0">; '
    "hay bibliotecas (lxml) que le quitan el xmlns por repetido."
)
_FIXES = {
    CHANGED: "Vuelva a firmar después del último cambio; no edite el XML firmado.",
    REINDENTED: "Firme el XML con la misma sangría con que lo envía: no lo formatee después de firmar.",
    RECODED: "Escriba el XML en la codificación en que lo firmó: no lo convierta después de firmar.",
    SIGNED_IN_ENVELOPE: "Firme el DTE por separado, sin el xmlns:xsi del sobre, y póngalo en él después.",
}
# Documents of the SII's own portal (MiPyme) are digested so, and accepted.
_PORTAL_ID = "MIPE"


def _lost_its_namespace(dte: Dte, ctx: Context) -> bool:
    check = dte.signature_check
    if check is None or not check.assumed_namespace or ctx.envelope is None:
        return False
    body = dte.xml.body if dte.xml else None
    portal = body is not None and body.get("ID", "").upper().startswith(_PORTAL_ID)
    return ctx.mode == "emission" and not portal


@rule(
    "SIG-03",
    title="La firma electrónica no es válida.",
    message="La firma electrónica no es válida: {motivo}.",
    fix="Firme con la llave privada del certificado incluido.",
    source="LAPP DTE-3-505; medido en documentos aceptados",
    sii="rechazo",
    severity="reject",
    sii_code="DTE-3-505",
    confidence="alta",
    forms=XML,
    fields=("Signature/SignatureValue",),
)
def signature_is_the_signers(dte: Dte, ctx: Context) -> Faults:
    return _breach(dte, "Signature/SignatureValue", Defect.VALUE)


@rule(
    "SIG-04",
    title="La llave informada no es la del certificado.",
    fix="Incluya en KeyValue la llave pública del mismo certificado.",
    source="Regla propia; el ejemplo oficial F60T33 del SII tiene este defecto",
    sii="reparo",
    severity="reject",
    confidence="baja",
    forms=XML,
    fields=("Signature/KeyInfo",),
)
def key_is_the_certificates(dte: Dte, ctx: Context) -> Faults:
    return _breach(dte, "Signature/KeyInfo", Defect.KEY_MISMATCH)


@rule(
    "SIG-05",
    title="El certificado digital no estaba vigente al firmar.",
    message="El certificado vale del {desde} al {hasta} y el documento se firmó el {firmado}.",
    fix="Renueve el certificado y vuelva a firmar.",
    source="F2.2 p.45 I1 (vigente al momento de generar la firma)",
    sii="rechazo",
    severity="reject",
    confidence="media",
    forms=XML,
    fields=("Signature/KeyInfo/X509Data", "TmstFirma"),
    note="Tolerancia de un día por la zona horaria: TmstFirma no la lleva. La revocación no se consulta.",
)
def certificate_was_valid(dte: Dte, ctx: Context) -> Faults:
    check = dte.signature_check
    moment = dte.moment("TmstFirma")
    if check is None or check.certificate is None or moment is None:
        return
    certificate = check.certificate
    if not certificate.valid_at(moment):
        yield Fault(
            CERTIFICATE,
            desde=certificate.not_before.astimezone(SANTIAGO).date(),
            hasta=certificate.not_after.astimezone(SANTIAGO).date(),
            firmado=moment.date(),
        )


@rule(
    "SIG-06",
    title="No se pudo leer el RUT del titular del certificado.",
    message="El certificado de «{titular}» no trae un RUT válido.",
    fix="Use un certificado de firma tributaria emitido por un proveedor acreditado.",
    source="CLSII (RUT en SAN otherName 1.3.6.1.4.1.8321.1); presente en todos los certificados reales",
    sii="aviso",
    severity="warn",
    confidence="media",
    forms=XML,
    fields=(CERTIFICATE,),
)
def certificate_names_its_holder(dte: Dte, ctx: Context) -> Faults:
    check = dte.signature_check
    if check is not None and check.certificate is not None and not check.certificate.rut:
        yield Fault(CERTIFICATE, titular=check.certificate.holder)


@rule(
    "SIG-07",
    title="La firma usa algoritmos que el SII no acepta.",
    message="La firma usa algoritmos que el SII no acepta: {motivo}.",
    fix="Use C14N 1.0, rsa-sha1 y sha1.",
    source="XSD26 xmldsignature_v10.xsd (algoritmos fijos)",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    fields=("Signature/SignedInfo",),
    note="El esquema admite además dsa-sha1; aquí no se verifica y se informa.",
)
def algorithms_are_the_siis(dte: Dte, ctx: Context) -> Faults:
    return _breach(dte, "Signature/SignedInfo", Defect.ALGORITHM)


@rule(
    "SIG-08",
    title="La firma cubre otro elemento y no el documento visible (posible fraude).",
    message="La firma no cubre sin ambigüedad el documento visible: {motivo}.",
    fix="Regenere el documento; no acepte este archivo.",
    source="Regla propia: defensa contra la envoltura de firmas",
    sii="n/a",
    severity="reject",
    confidence="alta",
    forms=XML,
    fields=(REFERENCE,),
)
def signature_covers_what_is_seen(dte: Dte, ctx: Context) -> Faults:
    return _breach(dte, REFERENCE, Defect.WRAPPED)


@rule(
    "SIG-09",
    title="El certificado no proviene de una autoridad acreditada conocida.",
    message="El certificado lo emitió «{emisor}», que no es una autoridad acreditada conocida.",
    fix="Use un certificado de un proveedor acreditado (E-Sign, Acepta, E-CertChile, IDok, ...).",
    source="F2.2 p.45 I1; SII, pregunta frecuente 001.003.0539 (proveedores acreditados)",
    sii="aviso",
    severity="warn",
    confidence="media",
    forms=XML,
    fields=(CERTIFICATE,),
    note="Con DTE_TRUSTED_CERTIFICATES se verifica la firma del emisor; sin él, sólo su nombre.",
)
def certificate_is_accredited(dte: Dte, ctx: Context) -> Faults:
    check = dte.signature_check
    if check is None or check.certificate is None:
        return
    trusted = trusted_issuers()
    certificate = check.certificate
    if not (certificate.issued_by(trusted) if trusted else certificate.accredited_name):
        yield Fault(CERTIFICATE, emisor=certificate.issuer)


@rule(
    "SIG-10",
    title="El certificado incluido en la firma no se puede leer.",
    message="No se puede leer el certificado o la llave de la firma: {motivo}.",
    fix="Incluya el certificado completo en base64 (formato DER).",
    source="XSD26 base64Binary; CLSII; regla propia: llaves de hasta 4096 bits",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    fields=(CERTIFICATE,),
)
def certificate_is_readable(dte: Dte, ctx: Context) -> Faults:
    return _breach(dte, CERTIFICATE, Defect.UNREADABLE)


@rule(
    "SIG-11",
    title="La firma no sigue el esquema restringido del SII.",
    message="La firma no sigue el esquema restringido del SII: {motivo}.",
    fix="Firme con el perfil del SII: una Reference con un Transform, KeyInfo con KeyValue y después "
    "X509Data con un solo X509Certificate, y nada más.",
    source="XSD26 xmldsignature_v10.xsd; práctica: 3 informes independientes (LSX-00204, "
    "cvc-complex-type 2.4.d)",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    fields=(SIGNATURE,),
    note="También la firma del sobre.",
)
def signature_follows_the_profile(dte: Dte, ctx: Context) -> Faults:
    check = dte.signature_check
    if dte.xml and check is not None and Defect.PROFILE in check.defects:
        for path, reason in deviations(child(dte.xml.element, "Signature")):
            yield Fault(path, motivo=reason)
