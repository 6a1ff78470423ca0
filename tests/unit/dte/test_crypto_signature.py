"""XML signatures of documents: the readings that count, forgeries, and hostile input."""

import pytest
from lxml import etree

from dte.crypto import Defect, verify_document
from tests.documents import TYPES
from tests.factories import signed, signer
from tests.factories.keys import elliptic_certificate, number, private_key
from tests.factories.signature import SII, XSI

pytestmark = pytest.mark.unit

XSI_DECLARATION = f' xmlns:xsi="{XSI}"'


def defects(raw):
    return set(verify_document(etree.fromstring(raw)).defects)


def reason(raw, fault):
    return verify_document(etree.fromstring(raw)).defects[fault]


@pytest.mark.parametrize("tipo", TYPES)
def test_a_signed_document_verifies(tipo):
    check = verify_document(etree.fromstring(signed(tipo)))
    assert check.valid
    assert check.certificate.rut == "9876543-3"


@pytest.mark.parametrize("signed_namespace", [True, False])
def test_a_document_without_namespace_verifies_signed_with_or_without_it(signed_namespace):
    assert not defects(signed(33, namespace=False, signed_namespace=signed_namespace))


def test_a_namespace_added_after_signing_is_explained():
    raw = signed(33, namespace=True, signed_namespace=False)
    assert defects(raw) == {Defect.NAMESPACE}
    assert "xmlns" in reason(raw, Defect.NAMESPACE)


def test_declarations_added_when_a_document_is_exported_alone_are_explained():
    raw = signed(33).replace(b"<DTE ", b"<DTE" + XSI_DECLARATION.encode() + b" xsi:x='1' ", 1)
    assert defects(raw) == {Defect.NAMESPACE}


def test_signing_inside_the_envelope_is_explained():
    raw = signed(33, signed_declared=XSI_DECLARATION)
    assert defects(raw) == {Defect.DIGEST}
    assert "xmlns:xsi" in reason(raw, Defect.DIGEST)


def test_a_namespace_the_document_declares_itself_counts():
    raw = signed(33, signed_declared=XSI_DECLARATION)
    raw = raw.replace(b"<Documento ", b"<Documento" + XSI_DECLARATION.encode() + b" ")
    assert not defects(raw)


@pytest.mark.parametrize("namespace", [True, False])
def test_a_document_inside_an_envelope_verifies_as_an_isolated_fragment(namespace):
    text = signed(33, namespace=namespace).decode("iso-8859-1").partition("?>")[2]
    root = etree.fromstring(f'<E xmlns="{SII}"{XSI_DECLARATION}>\n<!-- c -->{text}\n</E>')
    (dte,) = root.iterfind("{*}DTE")
    assert verify_document(dte).valid


def test_comments_around_the_document_do_not_matter():
    raw = signed(33).replace(b"<DTE ", b"<!-- a --><?p i?><DTE ", 1)
    raw = raw.replace(b"\n<Documento ", b"\n<!-- <Documento> -->\n<Documento ", 1)
    assert not defects(raw + b"<!-- z -->")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<MontoItem>1000", b"<MontoItem>9000"),
        (b"Curic", b" Curic"),
        (b"</Detalle>", b"</Detalle> "),
    ],
)
def test_a_change_after_signing_breaks_the_digest(old, new):
    assert defects(signed(33).replace(old, new)) == {Defect.DIGEST}


def test_a_changed_signature_value_is_found():
    raw = signed(33)
    start = raw.index(b"<SignatureValue>") + 16
    swapped = b"B" if raw[start : start + 1] == b"A" else b"A"
    assert defects(raw[:start] + swapped + raw[start + 1 :]) == {Defect.VALUE}


def test_a_signature_of_someone_elses_key_is_found():
    mallory = signer("12345670-K", name="Mallory")
    assert defects(signed(33, by=mallory, signing={
        "key_value": signer().numbers, "certificate": signer().der
    })) == {Defect.VALUE}  # fmt: skip


def test_a_key_value_that_is_not_the_certificates_is_found():
    other = private_key("other").public_key().public_numbers()
    numbers = (number(other.n), number(other.e))
    assert defects(signed(33, signing={"key_value": numbers})) == {Defect.KEY_MISMATCH}


def test_an_unsigned_document_is_found():
    raw = signed(33)
    start, end = raw.index(b"<Signature "), raw.index(b"</Signature>") + 12
    assert defects(raw[:start] + raw[end:]) == {Defect.MISSING}
    assert defects(b"<DTE/>") == {Defect.MISSING}


def test_a_signature_without_signed_info_is_found():
    assert defects(signed(33).replace(b"SignedInfo", b"OtraInfo")) == {Defect.MISSING}


@pytest.mark.parametrize("uri", ["F999T33", "", "xpointer(/)"])
def test_a_reference_to_something_else_is_found(uri):
    assert Defect.REFERENCE in defects(signed(33, uri=uri or " "))


@pytest.mark.parametrize(
    "signing",
    [
        {"algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"},
        {"digest_algorithm": "http://www.w3.org/2001/04/xmlenc#sha256"},
        {"c14n": "http://www.w3.org/2001/10/xml-exc-c14n#"},
        {"transform": "http://www.w3.org/TR/1999/REC-xslt-19991116"},
    ],
)
def test_other_algorithms_are_found(signing):
    assert defects(signed(33, signing=signing)) == {Defect.ALGORITHM}


@pytest.mark.parametrize(
    "transform",
    [
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
    ],
)
def test_transforms_without_effect_are_accepted(transform):
    assert not defects(signed(33, signing={"transform": transform}))


def test_the_signed_document_hidden_in_the_signature_is_found():
    raw = signed(33)
    start, end = raw.index(b"<Documento "), raw.index(b"</Documento>") + 12
    original = raw[start:end].replace(b"<Documento ", f'<Documento xmlns="{SII}" '.encode())
    forged = raw.replace(b'ID="F123T33"', b'ID="F124T33"', 1).replace(b">1190<", b">9990<")
    forged = forged.replace(b"</Signature>", b"<Object>" + original + b"</Object></Signature>")
    assert {Defect.WRAPPED, Defect.REFERENCE} <= defects(forged)


def test_a_second_element_with_the_same_id_is_found():
    raw = signed(33, {"Detalle[1]/NmbItem": "x"}).replace(b"<Detalle>", b'<Detalle ID="F123T33">')
    assert Defect.WRAPPED in defects(raw)


def test_a_text_that_looks_like_the_id_is_no_wrapping():
    assert not defects(signed(33, {"Detalle[1]/NmbItem": 'ver ID="F123T33"'}))


@pytest.mark.parametrize(
    "extra",
    [
        b"<Documento/>",
        b"<Signature/>",
        b"<Otro><Documento ID='x'/></Otro>",
        b"<x:Exportaciones xmlns:x='urn:x'/>",
        b"<Otro ID='F123T33'/>",
    ],
)
@pytest.mark.parametrize("place", [b"</DTE>", b"\n<Documento "])
def test_extra_elements_that_pose_as_the_document_are_found(place, extra):
    both = extra + place if place == b"</DTE>" else b"\n" + extra + place
    found = defects(signed(33).replace(place, both, 1))
    assert found & {Defect.WRAPPED, Defect.REFERENCE, Defect.MISSING}


def test_what_providers_add_beside_the_signature_is_no_wrapping():
    extra = b'<DocPersonalizado dteID="1"><campoString name="a">b</campoString></DocPersonalizado>'
    assert not defects(signed(33).replace(b"</DTE>", extra + b"</DTE>"))


def test_a_certificate_of_another_kind_of_key_is_found():
    signing = {"certificate": elliptic_certificate()}
    assert defects(signed(33, signing=signing)) == {Defect.UNREADABLE}


def prefixed(raw):
    """Write the signature with the prefix ds, as some libraries do; its value no longer counts."""
    start, end = raw.index(b"<Signature "), raw.index(b"</Signature>") + 12
    mark = (
        raw[start:end]
        .replace(b"</", b"</ds:")
        .replace(b"<", b"<ds:")
        .replace(b"<ds:/ds:", b"</ds:")
    )
    return raw[:start] + mark.replace(b"xmlns=", b"xmlns:ds=", 1) + raw[end:]


def test_a_signature_with_a_prefix_is_read_by_its_names():
    raw = prefixed(signed(33))
    assert b"<ds:SignedInfo>" in raw
    check = verify_document(etree.fromstring(raw))
    # What was signed had no prefix; everything else about it is as it should be.
    assert set(check.defects) == {Defect.VALUE}
    assert check.certificate.rut == "9876543-3"


def test_a_tree_repaired_by_a_lenient_parser_is_an_answer():
    raw = signed(33).replace(b"<SignatureValue>", b"<Tota:/><SignatureValue>")
    root = etree.fromstring(raw, etree.XMLParser(recover=True))
    assert verify_document(root).defects


def test_a_second_element_of_the_same_name_leaves_no_certain_place():
    raw = signed(33).replace(b"</Totales>", b"</Totales><Documento >x</Documento>")
    assert Defect.WRAPPED in defects(raw)


def test_an_opening_tag_in_an_instruction_leaves_no_certain_place():
    raw = signed(33).replace(b"<Detalle>", b"<?x <Documento > ?><Detalle>")
    assert Defect.WRAPPED in defects(raw)


def test_a_processing_instruction_cannot_pose_as_the_document():
    raw = signed(33)
    document = raw[raw.index(b"<Documento ") : raw.index(b"</Documento>") + 12]
    forged = raw.replace(b">1190<", b">9990<").replace(
        b"\n<Documento ", b"\n<?x " + document + b"?>\n<Documento ", 1
    )
    assert defects(forged)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<X509Certificate>", b"<X509Certificate>####"),
        (b"<X509Certificate>", b"<X509Certificate>AAAA"),
        (b"<X509Certificate>", b"<X509Certificate>" + b"A" * 50_000),
        (b"X509Certificate", b"Otro"),
        (b"<Modulus>", b"<Modulus>" + b"AQAB" * 1000),
        (b"<Exponent>AQAB<", b"<Exponent>AQ==<"),
        (b"<Exponent>AQAB<", b"<Exponent><"),
        (b"<RSAKeyValue>", b"<RSAKeyValue/><RSAKeyValue>"),
    ],
)
def test_a_key_or_certificate_that_is_none_is_found(old, new):
    assert Defect.UNREADABLE in defects(signed(33).replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<DigestValue>", b"<DigestValue>%"),
        (b"DigestValue", b"Otro"),
        (b"<SignatureValue>", b"<SignatureValue>%"),
        (b"SignatureValue", b"Otro"),
        (b"Reference", b"Otra"),
        (b'xmlns="http://www.w3.org/2000/09/xmldsig#"', b'xmlns="relative"'),
        (b'<DTE xmlns="http://www.sii.cl/SiiDte"', b'<DTE xmlns="relative"'),
        (b"<Signature ", b"<a:Signature xmlns:a='relative' "),
    ],
)
def test_a_hostile_signature_is_an_answer(old, new):
    raw = signed(33).replace(old, new)
    if b"<a:Signature" in raw:
        raw = raw.replace(b"</Signature>", b"</a:Signature>")
    assert defects(raw)
