"""The standard case of a document's signature, judged by signxml as well: an independent reader."""

import random
from datetime import UTC, datetime

import pytest
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import InvalidInput, InvalidSignature
from signxml.verifier import SignatureConfiguration, XMLVerifier

from dte.crypto import verify_document
from tests.documents import TYPES
from tests.factories import signed, signer

pytestmark = pytest.mark.unit

AS_THE_SII_SIGNS = SignatureConfiguration(
    signature_methods=frozenset({SignatureMethod.RSA_SHA1}),
    digest_algorithms=frozenset({DigestAlgorithm.SHA1}),
)
# signxml judges certificates as of today.
SIGNER = signer(end=datetime(2099, 1, 1, tzinfo=UTC))


def signxml_accepts(raw: bytes) -> bool:
    verifier = XMLVerifier()
    # Else lxml's canonical form of a part declares namespaces that the part does not have.
    verifier.excise_empty_xmlns_declarations = True
    try:
        verifier.verify(
            etree.fromstring(raw),
            x509_cert=SIGNER.certificate,
            id_attribute="ID",
            expect_config=AS_THE_SII_SIGNS,
        )
    except (InvalidSignature, InvalidInput, etree.DocumentInvalid, ValueError):
        return False
    return True


def accepted(raw: bytes) -> bool:
    return verify_document(etree.fromstring(raw)).valid


@pytest.mark.parametrize("tipo", TYPES)
def test_both_accept_what_was_signed(tipo):
    raw = signed(tipo, by=SIGNER)
    assert accepted(raw)
    assert signxml_accepts(raw)


@pytest.mark.parametrize("namespace", [True, False])
def test_both_agree_on_documents_changed_after_signing(namespace):
    raw = signed(33, by=SIGNER, namespace=namespace)
    chance = random.Random(9)
    # What is signed and the signature. Before, ours allows for a namespace that came or went; after it,
    # signxml is given the certificate and does not read the document's.
    signed_part = range(raw.index(b"<Documento "), raw.index(b"<KeyInfo>"))
    spots = [at for at in signed_part if chr(raw[at]).isalnum()]
    disagreements, refused = [], 0
    for at in chance.sample(spots, 400):
        spoiled = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        try:
            etree.fromstring(spoiled)
        except etree.XMLSyntaxError:
            continue
        verdict = accepted(spoiled)
        refused += not verdict
        if verdict != signxml_accepts(spoiled):
            disagreements.append((raw[at - 20 : at + 20], verdict))
    assert disagreements == []
    assert refused > 100
