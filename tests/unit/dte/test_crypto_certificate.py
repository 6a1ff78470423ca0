"""Certificates: whose they are, when they were valid, and who issued them."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from django.core.exceptions import ImproperlyConfigured

from dte.crypto import read_certificate
from dte.crypto.authorities import read_issuers, trusted_issuers
from dte.crypto.certificate import normal_rut
from tests.factories.keys import b64, certificate_authority, elliptic_certificate, signer

pytestmark = pytest.mark.unit


def read(**options):
    return read_certificate(signer(**options).der)


def test_the_rut_comes_from_the_alternative_name():
    assert read(rut="12345670-K").rut == "12345670-K"


def test_leading_zeros_and_a_small_k_are_forgiven():
    assert read(rut="0012345670-k").rut == "12345670-K"


def test_the_rut_of_the_subjects_serial_number_is_the_fallback():
    assert read(rut="12345670-K", in_subject=True).rut == "12345670-K"


@pytest.mark.parametrize("rut", ["", "12345670-1", "no es un RUT"])
def test_no_rut_is_invented(rut):
    assert read(rut=rut).rut == ""


@pytest.mark.parametrize(("tag", "rut"), [(b"\x0c", "12345670-K"), (b"\x04", "")])
def test_a_rut_written_as_another_string_counts_and_as_bytes_does_not(tag, rut):
    assert read(rut="12345670-K", tag=tag).rut == rut


def test_a_certificate_without_an_rsa_key_has_none():
    certificate = read_certificate(elliptic_certificate())
    assert certificate.key is None
    assert certificate.rut == ""


def test_a_key_of_an_unknown_algorithm_is_none():
    der = base64.b64decode(signer().der)
    rsa_encryption = bytes.fromhex("2a864886f70d010101")
    assert rsa_encryption in der
    certificate = read_certificate(b64(der.replace(rsa_encryption, rsa_encryption[:-1] + b"\x63")))
    assert certificate.key is None


def test_an_unreadable_extension_is_no_rut():
    der = base64.b64decode(signer().der)
    assert b"\x55\x1d\x11" in der  # subjectAltName
    at = der.index(b"\x55\x1d\x11") + 3
    assert read_certificate(b64(der[: at + 2] + b"\xff" + der[at + 3 :])).rut == ""


@pytest.mark.parametrize("text", ["12.345.670-K", " 12345670-K", "012345670-k"])
def test_ruts_are_normalised(text):
    assert normal_rut(text) == "12345670-K"


def test_validity_is_asked_for_a_moment():
    start = datetime(2024, 1, 1, tzinfo=UTC)
    end = datetime(2025, 1, 1, tzinfo=UTC)
    certificate = read(start=start, end=end)
    assert certificate.valid_at(start)
    assert certificate.valid_at(end + timedelta(hours=5))  # a clock in Chile, not in UTC
    assert not certificate.valid_at(end + timedelta(days=2))
    assert not certificate.valid_at(start - timedelta(days=2))


def test_the_key_and_the_names_are_read():
    certificate = read()
    assert certificate.key.bits == 2048
    assert certificate.holder == "Rosa Quilodrán Vera"
    assert "Los Boldos" in certificate.issuer


@pytest.mark.parametrize("text", ["", None, "###", "AAAA", "A" * 20_000])
def test_what_is_no_certificate_is_none(text):
    assert read_certificate(text) is None


def test_a_truncated_certificate_is_none():
    assert read_certificate(signer().der[:400]) is None


def test_an_issuer_is_trusted_when_configured(settings, tmp_path):
    path = tmp_path / "issuers.pem"
    path.write_bytes(certificate_authority().certificate.public_bytes(serialization.Encoding.PEM))
    assert not read().issued_by(trusted_issuers())
    settings.DTE_TRUSTED_CERTIFICATES = str(path)
    assert read().issued_by(trusted_issuers())


def test_another_issuer_is_not():
    impostor = signer("9876543-3", name="Impostor")
    assert not read().issued_by((impostor.certificate,))


def test_an_accredited_name_is_recognised():
    assert not read().accredited_name


def test_a_wrong_trust_setting_is_refused():
    with pytest.raises(ImproperlyConfigured, match="DTE_TRUSTED_CERTIFICATES"):
        read_issuers("/does/not/exist.pem")
