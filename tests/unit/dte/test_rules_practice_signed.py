"""What the SII was seen to do with signatures, stamps and names: each kind of report in several instances."""

import re
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from dte.documents.names import same_name
from dte.judging.report import judge_xml
from dte.parsing.xml import read_xml
from dte.rules.registry import Context
from tests.documents import AS_OF, BUYER
from tests.factories import envelope, signed, signer
from tests.factories.judged import codes, finding, findings
from tests.factories.keys import Signer, private_key

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("caf_authority")]

C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
ENVELOPED = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"


def report(raw, **context):
    return judge_xml(read_xml(raw), Context(**{"as_of": AS_OF, **context}))


# --- The inside of a signature --------------------------------------------------------------------

TRANSFORM = f'<Transform Algorithm="{ENVELOPED}"/>'
# Replaced before SignedInfo is signed: the signature itself is good.
SIGNED_SHAPES = [
    ("<DigestMethod", f"<Transforms>{TRANSFORM}{TRANSFORM}</Transforms><DigestMethod"),
    (
        "<DigestMethod",
        f'<Transforms>{TRANSFORM}<Transform Algorithm="{C14N}"/></Transforms><DigestMethod',
    ),
    ("<DigestMethod", "<Transforms></Transforms><DigestMethod"),
    ("<Reference ", '<Reference Type="http://www.w3.org/2000/09/xmldsig#Object" '),
    ("<Reference ", '<Reference Id="r" '),
    ("<SignedInfo>", "<SignedInfo><Otro/>"),
    ("</SignedInfo>", "<Object/></SignedInfo>"),
    ("</Reference>", "<Object/></Reference>"),
]
# Replaced afterwards: nobody signs it.
KEY_SHAPES = [
    (rb"(<X509Certificate>.*</X509Certificate>)", rb"\1\1"),
    (rb"<X509Certificate>", b"<X509SubjectName>CN=x</X509SubjectName><X509Certificate>"),
    (rb"</X509Certificate>", b"</X509Certificate><X509CRL>AAAA</X509CRL>"),
    (rb"(<KeyValue>.*</KeyValue>)(<X509Data>.*</X509Data>)", rb"\2\1"),
    (rb"<KeyInfo>", b"<KeyInfo><KeyName>clave</KeyName>"),
    (rb"<KeyInfo>", b'<KeyInfo Id="k">'),
    (rb"<SignatureValue>", b'<SignatureValue Id="v">'),
    (rb"(<Modulus>.*</Modulus>)(<Exponent>.*</Exponent>)", rb"\2\1"),
    (rb"</X509Data>", b"</X509Data><X509Data><X509Certificate>AAAA</X509Certificate></X509Data>"),
    (rb"<KeyInfo>", b"<KeyInfo>texto"),
    (rb"<X509Data>", b'<X509Data><x:X xmlns:x="urn:x"/>'),
]


@pytest.mark.parametrize("shape", SIGNED_SHAPES)
def test_a_signed_info_outside_the_profile_is_found(shape):
    document = signed(33, signing={"reshape": shape})
    found = finding(document, "SIG-11")
    assert found.severity == "reject"
    assert found.path.startswith("Signature/SignedInfo")
    assert not codes(document, "SIG") & {"SIG-02", "SIG-03"}
    outside = envelope([signed(33)], signing={"reshape": shape})
    assert finding(outside, "SIG-11").severity == "reject"
    assert "ENV-07" not in codes(outside) or "Object" in shape[1] or "Otro" in shape[1]


@pytest.mark.parametrize(("old", "new"), KEY_SHAPES)
def test_a_key_info_outside_the_profile_is_found(old, new):
    raw, times = re.subn(old, new, signed(33), count=1, flags=re.DOTALL)
    assert times
    assert finding(raw, "SIG-11").severity == "reject"
    before, mark, after = envelope([signed(33)]).rpartition(b"<Signature ")
    assert "SIG-11" in codes(before + mark + re.sub(old, new, after, count=1, flags=re.DOTALL))


@pytest.mark.parametrize("transform", ["", C14N, ENVELOPED])
@pytest.mark.parametrize("tipo", [33, 39, 43, 110])
def test_a_signature_of_the_profile_is_left_alone(tipo, transform):
    signing = {"transform": transform}
    kind = "EnvioBOLETA" if tipo == 39 else "EnvioDTE"
    raw = envelope([signed(tipo, signing=signing)], kind=kind, signing=signing)
    assert not codes(raw, "SIG")
    assert not codes(raw.replace(b"<KeyInfo>", b"<KeyInfo>\n  <!-- llave -->"), "SIG-11")


def test_the_path_leads_to_the_line():
    raw = signed(33).replace(b"<X509Data>", b"\n<X509Data>\n<X509CRL/>")
    found = finding(raw, "SIG-11")
    assert found.path == "Signature/KeyInfo/X509Data"
    assert raw.split(b"\n")[found.line - 1].startswith(b"<X509Data>")


# --- Base64 in lines ------------------------------------------------------------------------------


def broken(text, every=20, end=b"\n"):
    return end + end.join(text[i : i + every] for i in range(0, len(text), every)) + end


@pytest.mark.parametrize("name", [b"FRMT", b"FRMA", b"M", b"E"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\t\t  ", b" "])
def test_base64_in_a_stamp_may_be_broken_into_lines(name, end):
    pattern = rb"(<%b(?: [^>]*)?>)([^<]*)" % name
    raw, times = re.subn(pattern, lambda tag: tag[1] + broken(tag[2], end=end), signed(33))
    assert times == 1
    # The document's own signature is over the file as it was before.
    assert codes(raw) <= {"SIG-02"}


@pytest.mark.parametrize("name", ["DigestValue", "SignatureValue", "X509Certificate", "Modulus"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"&#13;\n"])
def test_base64_outside_what_is_signed_may_be_broken_into_lines(name, end):
    def lines(found):
        return found[1] + broken(found[2], 64, end) + found[3]

    pattern = rf"(<{name}>)([^<]*)(</{name}>)".encode()
    raw = re.sub(pattern, lines, signed(33))
    assert codes(raw) <= ({"SIG-03"} if name == "DigestValue" else set())


@pytest.mark.parametrize("text", [b"no es base64!", b"AAA", b"A=AA"])
def test_what_is_no_base64_is_still_found(text):
    raw = re.sub(rb"(<FRMT[^>]*>)[^<]*", rb"\1" + text, signed(33))
    assert {"XSD-01", "TED-10"} <= codes(raw)


# --- Namespaces and changes after signing ---------------------------------------------------------


def in_envelope(document, **options):
    return envelope([document], **options)


@pytest.mark.parametrize("tipo", [33, 39, 52, 110])
def test_a_dte_that_lost_its_namespace_in_the_envelope_is_found(tipo):
    kind = "EnvioBOLETA" if tipo == 39 else "EnvioDTE"
    raw = in_envelope(signed(tipo, namespace=False, signed_namespace=True), kind=kind)
    found = finding(raw, "SIG-02")
    assert found.severity == "review"
    assert "xmlns" in found.fix
    assert "SIG-02" not in codes(raw, mode="reception")


def test_a_dte_signed_without_the_namespace_is_left_alone():
    assert "SIG-02" not in codes(in_envelope(signed(33, namespace=False)))
    assert "SIG-02" not in codes(in_envelope(signed(33)))


def test_a_dte_of_the_siis_portal_is_left_alone():
    raw = signed(33, namespace=False, signed_namespace=True, identifier="MiPE76192083-1234")
    assert "SIG-02" not in codes(in_envelope(raw))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda raw: re.sub(rb">\s+<", b"><", raw), "no edite"),
        (lambda raw: raw.replace(b"<MntTotal>1190", b"<MntTotal>9190"), "no edite"),
        (lambda raw: raw.replace(b"<Detalle>", b"\n      <Detalle>"), "no edite"),
    ],
)
def test_a_change_after_signing_is_found(change, says):
    assert says in finding(change(signed(33)), "SIG-02").fix


def test_the_remedy_knows_a_document_that_was_indented_afterwards():
    flat = signed(33, indented=False)
    raw = flat.replace(b"><Encabezado>", b">\n  <Encabezado>")
    assert "sangría" in finding(raw, "SIG-02").fix


def test_the_remedy_knows_a_document_that_was_coded_again_afterwards():
    raw = signed(33).decode("iso-8859-1").encode("utf-8")
    assert "codificación" in finding(raw, "SIG-02").fix


def test_the_remedy_knows_a_document_signed_in_its_envelope():
    declared = ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    assert "por separado" in finding(signed(33, signed_declared=declared), "SIG-02").fix


# --- What was received ----------------------------------------------------------------------------

EXPIRED = signer(
    name="Certificado Vencido",
    start=datetime(2023, 1, 1, tzinfo=UTC),
    end=datetime(2025, 1, 1, tzinfo=UTC),
)


@pytest.mark.parametrize(
    ("raw", "recommendation"),
    [
        (envelope([signed(33)], by=EXPIRED), "send"),
        (envelope([signed(34), signed(52)], by=EXPIRED), "send"),
        (envelope([signed(33)], unsigned=True), "send"),
        (envelope([signed(33)], totals={"33": 2}), "send"),
        (envelope([signed(33)], caratula={"RutEnvia": "7654321-6"}), "send"),
        (envelope([signed(33)]).replace(b"SetDoc", b"Set Doc"), "review"),
        (envelope([signed(33)], in_context=False), "review"),
    ],
)
def test_a_good_document_in_a_bad_envelope_is_accepted(raw, recommendation):
    received = report(raw, mode="reception", receiver=BUYER)
    assert {one.verdict.recommendation for one in received.documents} == {"send"}
    assert received.recommendation == recommendation
    for statement in (received.as_dict(), received.envelope.as_dict()):
        assert "reclamar el documento en" not in statement["valid_for_sii"]["statement"]
    assert report(raw).recommendation == "reject"


def test_a_bad_document_in_a_bad_envelope_is_not():
    received = report(
        envelope([signed(33).replace(b"<MntTotal>1190", b"<MntTotal>9190")], by=EXPIRED),
        mode="reception",
    )
    assert received.recommendation == "reject"
    assert "reclamar el documento en" in received.as_dict()["valid_for_sii"]["statement"]


def test_a_note_to_another_receiver_than_its_document_is_found():
    invoice = signed(33, {"Encabezado/IdDoc/Folio": "77"})
    other = {"Encabezado/Receptor/RUTRecep": "78111222-4"}
    for documents in ([invoice, signed(61, other)], [signed(61, other), invoice]):
        found = finding(envelope(documents), "REF-18")
        assert (found.severity, found.sii_code) == ("review", "REF-3-751")
        assert found.document == documents.index(signed_like(documents, b"<TipoDTE>61")) + 1
    assert "REF-18" not in codes(envelope([invoice, signed(61)]))
    assert "REF-18" not in codes(envelope([signed(33), signed(61, other)]))  # another folio
    mention = other | {"Referencia[1]/CodRef": None}
    assert "REF-18" not in codes(envelope([invoice, signed(61, mention)]))


def signed_like(documents, text):
    return next(raw for raw in documents if text in raw)


@pytest.mark.parametrize(
    ("environment", "resolution", "found"),
    [
        ("produccion", "0", True),
        ("certificacion", "80", True),
        ("produccion", "80", False),
        ("certificacion", "0", False),
        ("", "0", False),
    ],
)
def test_the_resolution_is_of_the_environment_that_was_given(environment, resolution, found):
    raw = envelope([signed(33)], caratula={"NroResol": resolution})
    assert ("ENV-05" in codes(raw, environment=environment)) is found


# --- Names ----------------------------------------------------------------------------------------


def issued_by(common, organisation):
    """A certificate whose issuer calls itself so."""
    key = private_key("another authority")
    parts = [(NameOID.COUNTRY_NAME, "CL"), (NameOID.ORGANIZATION_NAME, organisation)]
    name = x509.Name(
        [x509.NameAttribute(oid, text) for oid, text in (*parts, (NameOID.COMMON_NAME, common))]
    )
    person = signer()
    builder = (
        x509.CertificateBuilder()
        .subject_name(person.certificate.subject)
        .issuer_name(name)
        .public_key(person.key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2025, 6, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 6, 1, tzinfo=UTC))
    )
    for extension in person.certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return Signer(person.key, builder.sign(key, hashes.SHA256()))


@pytest.mark.parametrize(
    ("common", "organisation", "known"),
    [
        ("Firma.Digital Clase 2", "Trust Service Provider SPA.", True),
        ("CA TSP", "TRUST SERVICE PROVIDER S.p.A", True),
        ("E-CERTCHILE CA 02", "E-CERTCHILE", True),
        ("ECERT Firma Simple", "Empresa Nacional de Certificación Electrónica E-CertChile", True),
        ("E-SIGN CLASS 2", "E-Sign S.A.", True),
        ("Acepta.com Autoridad Certificadora Clase 2", "Acepta.com S.A.", True),
        ("IDOK FIRMA ELECTRONICA", "BPO Advisors SpA", True),
        ("CertiNet Clase 2", "CertiNet S.A.", True),
        ("FIRMA.CL", "Otra", True),
        ("Autoridad de Pruebas", "Mi Empresa", False),
    ],
)
def test_an_accredited_provider_is_known_under_its_names(common, organisation, known):
    raw = signed(33, by=issued_by(common, organisation))
    assert ("SIG-09" not in {found.code for found in findings(raw)}) is known


@pytest.mark.parametrize(
    ("registered", "name"),
    [
        ("COMERCIALIZADORA Y SERVICIOS DEL SUR LIM", "Comercializadora y Servicios del Sur Ltda."),
        ("COMERCIALIZADORA Y SERVICIOS DEL SUR LTD", "Comercializadora y Servicios del Sur Limitada"),
        ("TRANSPORTES E INVERSIONES ALTO JAHUEL SO", "Transportes e Inversiones Alto Jahuel Sociedad "
         "por Acciones"),
        ("SERVICIOS AGRICOLAS HERMANOS DEL VALLE S", "Servicios Agrícolas Hermanos del Valle SpA"),
        ("SOC COMERCIAL LOS HERMANOS DEL RIO LIMIT", "Sociedad Comercial Los Hermanos del Río Ltda"),
        ("CONSTRUCTORA E INMOBILIARIA LOS BOLDOS S", "Constructora e Inmobiliaria Los Boldos S.A."),
        ("EMPRESA DE TRANSPORTES QUILODRAN VERA E.", "Empresa de Transportes Quilodrán Vera EIRL"),
        ("PANADERIA Y PASTELERIA PEREZ Y COMPANIA", "Panadería & Pastelería Pérez & Cía."),
    ],
)  # fmt: skip
def test_a_name_the_sii_cut_is_the_same(registered, name):
    assert len(registered) >= 38
    assert same_name(registered, name)


@pytest.mark.parametrize(
    ("registered", "name"),
    [
        (
            "COMERCIALIZADORA Y SERVICIOS DEL SUR LIM",
            "Comercializadora y Servicios del Norte Ltda.",
        ),
        ("COMERCIALIZADORA Y SERVICIOS DEL SUR LIM", "Comercializadora y Servicios del Sur SpA"),
        ("FRUTAS DEL SUR LIMITADA", "Frutas del Sur SpA"),
        ("FRUTAS SA", "Frutas SpA"),
    ],
)
def test_another_name_is_another(registered, name):
    assert not same_name(registered, name)
