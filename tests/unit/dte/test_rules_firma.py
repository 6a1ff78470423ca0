"""The SIG family: each rule fires on its fault and is silent on a valid document."""

from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import serialization

from tests.documents import TYPES, document, findings, read
from tests.factories import signed, signer
from tests.factories.judged import codes, finding
from tests.factories.keys import certificate_authority, number, private_key

pytestmark = pytest.mark.unit

OTHER = private_key("other").public_key().public_numbers()


@pytest.mark.parametrize("tipo", TYPES)
def test_a_valid_document_has_no_signature_finding(tipo):
    assert not codes(signed(tipo), "SIG")


def test_an_unsigned_document_is_found():
    raw = signed(33)
    start, end = raw.index(b"<Signature "), raw.index(b"</Signature>") + 12
    assert codes(raw[:start] + raw[end:], "SIG") == {"SIG-01"}


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("SIG-01", {"uri": "F999T33"}),
        ("SIG-02", {"signed_namespace": False}),
        ("SIG-04", {"signing": {"key_value": (number(OTHER.n), number(OTHER.e))}}),
        ("SIG-07", {"signing": {"algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"}}),
        ("SIG-10", {"signing": {"certificate": "bm90IGEgY2VydGlmaWNhdGU="}}),
    ],
)
def test_a_wrong_signature_is_found(code, options):
    assert codes(signed(33, **options), "SIG") == {code}


def test_a_document_changed_after_signing_is_found():
    raw = signed(33).replace(b"Camino a Coelemu 100", b"Camino a Coelemu 101")
    assert codes(raw, "SIG") == {"SIG-02"}
    assert finding(raw, "SIG-02").sii_code == "DTE-3-505"


def test_a_signature_by_another_key_is_found():
    impostor = signer("12345670-K", name="Impostor")
    signing = {"key_value": signer().numbers, "certificate": signer().der}
    assert codes(signed(33, by=impostor, signing=signing), "SIG") == {"SIG-03"}


@pytest.mark.parametrize(("mode", "severity"), [("emission", "reject"), ("reception", "warn")])
def test_a_namespace_added_later_matters_only_before_sending(mode, severity):
    found = finding(signed(33, signed_namespace=False), "SIG-02", mode=mode)
    assert found.severity == severity


@pytest.mark.parametrize(
    ("start", "end", "fires"),
    [
        (datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 2, 27, tzinfo=UTC), True),
        (datetime(2026, 3, 10, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), True),
        (datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC), False),
    ],
)
def test_the_certificate_must_be_valid_when_signing_not_today(start, end, fires):
    raw = signed(33, by=signer(start=start, end=end))
    assert ("SIG-05" in codes(raw, "SIG")) is fires


def test_the_validity_finding_names_the_days():
    by = signer(
        start=datetime(2020, 1, 1, 12, tzinfo=UTC), end=datetime(2023, 1, 1, 12, tzinfo=UTC)
    )
    message = finding(signed(33, by=by), "SIG-05").message
    assert "2020-01-01" in message
    assert "2023-01-01" in message
    assert "2026-03-02" in message


def test_a_certificate_without_rut_is_found():
    assert codes(signed(33, by=signer("")), "SIG") == {"SIG-06"}


def test_the_signed_document_hidden_elsewhere_is_found():
    raw = signed(33).replace(b"</Signature>", b"<Object/></Signature>")
    assert codes(raw, "SIG") == {"SIG-08", "SIG-11"}


def test_an_unknown_issuer_is_a_warning():
    found = finding(signed(33), "SIG-09")
    assert found.severity == "warn"
    assert "Los Boldos" in found.message


def test_a_trusted_issuer_is_not(settings, tmp_path):
    path = tmp_path / "issuers.pem"
    path.write_bytes(certificate_authority().certificate.public_bytes(serialization.Encoding.PEM))
    settings.DTE_TRUSTED_CERTIFICATES = str(path)
    assert finding(signed(33), "SIG-09") is None


def test_json_has_no_signature_to_judge():
    found = findings(document(33), "json")
    assert not {finding.code for finding in found if finding.code.startswith("SIG")}
    assert read(document(33), "json").signature_check is None
