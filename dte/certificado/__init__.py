"""The certificate with which an issuer signs: .pfx or .p12 with its password, .pem, .cer. Nothing is kept."""

from datetime import UTC, timedelta
from typing import Final

from cryptography import x509

from dte.certificado import notices
from dte.certificado.opening import Opened, looks_like_one, open_file
from dte.crypto.authorities import trusted_issuers
from dte.crypto.certificate import Certificate, describe
from dte.documents.document import SANTIAGO
from dte.documents.rut import tidy
from dte.examining.examination import Ask, Case, Examination, Kind
from dte.examining.given import Given
from dte.examining.notices import spell_out
from dte.examining.refused import Refused
from dte.rules.findings import Finding, spell

SOON: Final = timedelta(days=30)
PASSWORDS: Final = ("password", "clave", "contrasena", "contraseña")
_PASSWORD: Final = Ask(
    "password", "Clave del certificado", "Se usa para abrirlo y no se guarda.", "password"
)
_ISSUER: Final = Ask("emisor", "RUT del emisor", "Para saber si sirve para firmar por esa empresa.")
_HEADLINES: Final = {
    "vigente": "Certificado vigente",
    "por vencer": "Certificado por vencer",
    "vencido": "Certificado vencido",
    "con clave": "Falta la clave",
    "incompleto": "Certificado incompleto",
    "inservible": "No sirve para firmar",
}
_CHECKED: Final = (
    "RUT del titular, vigencia y emisor del certificado",
    "que la llave privada sea la del certificado",
    "tipo y largo de la llave, y uso permitido",
)
_NOT_CHECKED: Final = (
    "revocación del certificado",
    "si el emisor autorizó en el SII a su titular a firmar y enviar",
    "la cadena de certificación, salvo la que el servicio tenga configurada",
)


def examine(given: Given, case: Case) -> Examination:
    """Examine a certificate file.

    Raises:
        Refused: It is none, or opening it would take too long.
    """
    password = next((given.fields[name] for name in PASSWORDS if given.fields.get(name)), "")
    opened = open_file(given.content, password)
    if opened.certificate is None:
        return _without(opened, password)
    certificate = describe(opened.certificate)
    if certificate is None:
        raise Refused(notices.UNREADABLE.at("/", motivo="su contenido no es válido"))
    issuer = tidy(given.fields.get("emisor", ""))
    findings = [
        *_about_key(opened, certificate, password),
        *_about_time(certificate, case),
        *_about_holder(certificate, issuer),
    ]
    state = _state(findings, opened)
    asks = [_PASSWORD] if opened.locked else []
    return Examination(
        state=state,
        headline=_HEADLINES[state],
        statement=_statement(state, certificate, case),
        findings=findings,
        summary=_summary(certificate, opened),
        facts=_facts(certificate, opened),
        checked=_CHECKED,
        not_checked=_NOT_CHECKED,
        asks=asks if issuer else [*asks, _ISSUER],
        confidence=85,
    )


def _without(opened: Opened, password: str) -> Examination:
    """Answer for a file that did not show its certificate."""
    if opened.locked:
        notice = notices.WRONG_PASSWORD if password else notices.LOCKED
        return Examination(
            state="con clave",
            headline="La clave no abre el archivo" if password else _HEADLINES["con clave"],
            statement="El certificado está protegido: con su clave se puede revisar.",
            findings=[notice.at("/")],
            facts=[("Contenido", "protegido con clave")],
            not_checked=("todo: el archivo no se abrió",),
            asks=[_PASSWORD],
            confidence=98,
        )
    return Examination(
        state="incompleto",
        headline=_HEADLINES["incompleto"],
        statement="Con este archivo no se puede firmar.",
        findings=[notices.NO_CERTIFICATE.at("/")],
        not_checked=_NOT_CHECKED,
        confidence=98,
    )


def _about_key(opened: Opened, certificate: Certificate, password: str) -> list[Finding]:
    findings = []
    if opened.locked:
        findings.append((notices.WRONG_PASSWORD if password else notices.LOCKED).at("/"))
    elif not opened.has_key:
        findings.append(notices.NO_KEY.at("/"))
    elif not opened.key_fits:
        findings.append(notices.OTHER_KEY.at("/"))
    elif not opened.protected:
        findings.append(notices.OPEN_KEY.at("/"))
    if certificate.key is None:
        findings.append(notices.NOT_RSA.at("/"))
    elif certificate.key.bits < 2048:
        findings.append(notices.SHORT_KEY.at("/", bits=certificate.key.bits))
    uses = _uses(certificate.parsed)
    if uses is not None and not {"firma digital", "no repudio"} & set(uses):
        findings.append(notices.NOT_FOR_SIGNING.at("/", usos=", ".join(uses) or "ninguno"))
    return findings


def _uses(parsed: x509.Certificate) -> list[str] | None:
    """Return what the key may be used for; None where the certificate does not limit it."""
    try:
        usage = parsed.extensions.get_extension_for_class(x509.KeyUsage).value
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return None
    names = {
        "firma digital": usage.digital_signature,
        "no repudio": usage.content_commitment,
        "cifrado de llaves": usage.key_encipherment,
        "cifrado de datos": usage.data_encipherment,
        "firma de certificados": usage.key_cert_sign,
    }
    return [name for name, allowed in names.items() if allowed]


def _about_time(certificate: Certificate, case: Case) -> list[Finding]:
    now = case.as_of.astimezone(UTC)
    until = certificate.not_after.astimezone(SANTIAGO).date()
    if now > certificate.not_after:
        return [notices.EXPIRED.at("/", vence=until)]
    if now < certificate.not_before:
        since = certificate.not_before.astimezone(SANTIAGO).date()
        return [notices.NOT_YET.at("/", desde=since)]
    if certificate.not_after - now < SOON:
        return [notices.EXPIRES_SOON.at("/", vence=until, dias=(certificate.not_after - now).days)]
    return []


def _about_holder(certificate: Certificate, issuer: str) -> list[Finding]:
    findings = []
    authorities = trusted_issuers()
    if certificate.parsed.issuer == certificate.parsed.subject:
        findings.append(notices.SELF_SIGNED.at("/"))
    elif not certificate.accredited_name and not certificate.issued_by(authorities):
        findings.append(notices.NOT_ACCREDITED.at("/", emisor=_provider(certificate.parsed)))
    if not certificate.rut:
        findings.append(notices.NO_RUT.at("/"))
    elif issuer and issuer != certificate.rut:
        findings.append(notices.OF_ANOTHER.at("/", rut=certificate.rut, emisor=issuer))
    return findings


def _provider(parsed: x509.Certificate) -> str:
    """Return the common name of who issued it, else its organisation."""
    for oid in (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME):
        if found := parsed.issuer.get_attributes_for_oid(oid):
            return str(found[0].value)[:100]
    return parsed.issuer.rfc4514_string()[:100]


def _state(findings: list[Finding], opened: Opened) -> str:
    codes = {found.code for found in findings}
    if "CER-05" in codes:
        return "vencido"
    if any(found.severity == "reject" for found in findings):
        return "inservible"
    if opened.locked:
        return "con clave"
    if "CER-10" in codes:
        return "incompleto"
    return "por vencer" if "CER-07" in codes else "vigente"


def _statement(state: str, certificate: Certificate, case: Case) -> str:
    until = spell_out(certificate.not_after.astimezone(SANTIAGO).date())
    days = (certificate.not_after - case.as_of.astimezone(UTC)).days
    said = {
        "vencido": f"Venció el {until}: lo que se firme con él, el SII lo rechaza.",
        "inservible": "Con este certificado el SII no acepta la firma de documentos.",
        "con clave": "Se leyó el certificado; la llave privada está protegida con clave.",
        "incompleto": "El certificado se puede leer, pero con este archivo no se puede firmar.",
    }
    return said.get(state, f"Sirve para firmar hasta el {until}: quedan {spell(days)} días.")


def _summary(certificate: Certificate, opened: Opened) -> dict[str, object]:
    return {
        "rut": certificate.rut,
        "holder": certificate.holder,
        "issued_by": certificate.issuer,
        "accredited": certificate.accredited_name,
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "key_bits": certificate.key.bits if certificate.key else None,
        "private_key": opened.has_key,
        "private_key_fits": opened.key_fits,
        "protected": opened.protected,
        "chain": opened.others,
    }


def _facts(certificate: Certificate, opened: Opened) -> list[tuple[str, str]]:
    key = "no viene"
    if opened.has_key:
        key = "corresponde" if opened.key_fits else "no corresponde"
        key = "protegida con clave" if opened.locked else key
    return [
        ("Titular", certificate.holder),
        ("RUT", certificate.rut),
        ("Emitido por", _provider(certificate.parsed)),
        ("Vale desde", certificate.not_before.astimezone(SANTIAGO).strftime("%d-%m-%Y")),
        ("Vence", certificate.not_after.astimezone(SANTIAGO).strftime("%d-%m-%Y")),
        ("Llave", f"RSA de {certificate.key.bits} bits" if certificate.key else "no es RSA"),
        ("Llave privada", key),
    ]


KIND = Kind(
    name="Certificado",
    title="Certificado digital",
    recognise=looks_like_one,
    examine=examine,
    keeps_content=False,
    keeps_answer=False,
)
