"""Certificate files: what they are worth, and that nothing of them is kept."""

import base64
import logging
import time
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat
from django.core.files.uploadedfile import SimpleUploadedFile

from dte.certificado import KIND
from dte.certificado.der import most_rounds
from dte.examining.examination import Case
from dte.examining.given import Given
from dte.examining.refused import Refused
from dte.models import KeyPolicy, Validation
from tests.documents import AS_OF
from tests.dump import dump
from tests.factories.certificado import (
    PASSWORD,
    accredited_signer,
    key_store,
    pem_certificate,
    pem_key,
    signer,
)
from tests.factories.keys import elliptic_certificate, private_key

pytestmark = pytest.mark.unit


def examine(raw, password=PASSWORD, day=None, **fields):
    given = Given(raw, filename=fields.pop("filename", ""), fields={"password": password, **fields})
    assert KIND.recognise(given)
    return KIND.examine(given, Case(day or AS_OF))


def codes(examination):
    return {found.code for found in examination.findings}


def usage(**allowed):
    names = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
        "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in names})


def pem(*parts):
    return b"".join(parts)


GOOD = {
    "pfx": (key_store, PASSWORD),
    "pfx without password": (lambda: key_store(password=""), ""),
    "pfx as base64": (lambda: base64.encodebytes(key_store()), PASSWORD),
    "pem, key open": (lambda: pem(pem_key(), pem_certificate()), ""),
    "pem, key with password": (lambda: pem(pem_certificate(), pem_key(password=PASSWORD)), PASSWORD),
    "pem, older form": (
        lambda: pem(pem_certificate(), pem_key(form=PrivateFormat.TraditionalOpenSSL)), "",
    ),
    "pem, older form with password": (
        lambda: pem(pem_certificate(), pem_key(password=PASSWORD, form=PrivateFormat.TraditionalOpenSSL)),
        PASSWORD,
    ),
    "pem as openssl writes it": (
        lambda: pem(b"Bag Attributes\n    localKeyID: 01\n", pem_certificate(), b"Key Attributes\n", pem_key()), "",
    ),
    "pem with its chain": (lambda: pem(pem_certificate(signer(name="Otra")), pem_certificate(), pem_key()), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_good_certificate(name):
    make, password = GOOD[name]
    found = examine(make(), password, emisor="9.876.543-3")
    assert found.state == "vigente"
    assert codes(found) <= {"CER-18"}
    assert (found.summary["rut"], found.summary["private_key_fits"]) == ("9876543-3", True)
    assert found.summary["not_after"].startswith("2028-01-01")
    assert found.asks == []


def after(year, month=1, day=1):
    return datetime(year, month, day, 12, tzinfo=UTC)


FAULTS = {
    "expired": (lambda: examine(key_store(), day=after(2028, 1, 2)), "CER-05", "vencido"),
    "expires soon": (lambda: examine(key_store(), day=after(2027, 12, 20)), "CER-07", "por vencer"),
    "not yet": (lambda: examine(key_store(), day=after(2024, 12, 1)), "CER-06", "inservible"),
    "no RUT": (lambda: examine(key_store(accredited_signer(""))), "CER-08", "inservible"),
    "nobody accredited its issuer": (lambda: examine(key_store(signer())), "CER-09", "vigente"),
    "no private key": (lambda: examine(pem_certificate()), "CER-10", "incompleto"),
    "only the certificate, in DER": (
        lambda: examine(accredited_signer().certificate.public_bytes(Encoding.DER)), "CER-10", "incompleto",
    ),
    "no certificate": (lambda: examine(pem_key()), "CER-11", "incompleto"),
    "key of another": (
        lambda: examine(key_store(key=private_key("otra"))), "CER-12", "inservible",
    ),
    "key of another, PEM": (
        lambda: examine(pem(pem_certificate(), pem_key(signer(name="Otro Titular")))), "CER-12", "inservible",
    ),
    "elliptic": (lambda: examine(base64.b64decode(elliptic_certificate())), "CER-13", "inservible"),
    "short key": (
        lambda: examine(key_store(accredited_signer(key=rsa.generate_private_key(65537, 1024)))),  # noqa: S505
        "CER-14", "vigente",
    ),
    "not for signing": (
        lambda: examine(key_store(accredited_signer(usage=usage(key_encipherment=True)))), "CER-15", "vigente",
    ),
    "of another than the issuer": (lambda: examine(key_store(), emisor="76192083-9"), "CER-17", "vigente"),
    "locked": (lambda: examine(key_store(), ""), "CER-02", "con clave"),
    "wrong password": (lambda: examine(key_store(), "otra"), "CER-03", "con clave"),
    "locked key in PEM": (
        lambda: examine(pem(pem_certificate(), pem_key(password=PASSWORD)), ""), "CER-02", "con clave",
    ),
    "cut in half": (lambda: examine(key_store()[:-700]), "CER-03", "con clave"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(name):
    make, code, state = FAULTS[name]
    found = make()
    assert code in codes(found)
    assert found.state == state


def test_it_asks_for_the_password_it_needs():
    assert [ask.name for ask in examine(key_store(), "").asks] == ["password"]
    assert [ask.type for ask in examine(key_store(), "").asks] == ["password"]


def test_a_use_that_allows_signing_is_no_fault():
    signs = accredited_signer(usage=usage(digital_signature=True, content_commitment=True))
    assert "CER-15" not in codes(examine(key_store(signs)))


@pytest.mark.parametrize(
    "raw",
    [
        b"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----",
        b"-----BEGIN CERTIFICATE-----\n",
        b"\x30\x82\x01\x00" + b"\x00" * 400,
        b"\x30\x80\x00" + b"\x24\x80" * 5000,
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        b"-----BEGIN CERTIFICATE-----\n" * 6000,
    ],
)
def test_what_is_none_is_refused_at_once(raw):
    started = time.perf_counter()
    with pytest.raises(Refused):
        examine(raw)
    assert time.perf_counter() - started < 1


def test_a_key_store_that_wants_millions_of_rounds_is_not_opened():
    small = key_store(rounds=1234)
    assert most_rounds(small) >= 1234
    greedy = small.replace(b"\x02\x02" + (1234).to_bytes(2, "big"), b"\x02\x02\x7f\xff")
    assert most_rounds(greedy) == 0x7FFF
    with pytest.raises(Refused, match="CER-04"):
        examine(key_store(rounds=400_000))


def test_other_files_are_not_taken_for_certificates():
    for raw in (
        b"<DTE/>",
        b"hola",
        b"%PDF-1.4\n\x00",
        b"\x89PNG\r\n\x1a\n",
        b"PK\x03\x04",
        b"MI casa es su casa",
    ):
        assert not KIND.recognise(Given(raw))


@pytest.mark.django_db
@pytest.mark.urls("dte.urls")
def test_nothing_is_kept(api_client, api_key, caplog, capfd):
    KeyPolicy.objects.create(api_key=api_key[0], keep_documents=True)
    raw, open_pem = key_store(), pem(pem_certificate(), pem_key())
    with caplog.at_level(logging.DEBUG):
        for content, password in (
            (raw, PASSWORD),
            (raw, "otra-clave"),
            (raw[:-300], PASSWORD),
            (open_pem, ""),
        ):
            form = {
                "file": SimpleUploadedFile("firma.pfx", content, "application/x-pkcs12"),
                "password": password, "emisor": "76192083-9",
            }  # fmt: skip
            answer = api_client.post("/api/dte/validate?as_of=2026-03-02T12:00:00-03:00", form)
            assert answer.status_code == 200
    assert answer.json()["summary"]["holder"] == "Rosa Quilodrán Vera"
    written = caplog.text + "".join(capfd.readouterr()) + dump()
    secrets = [
        PASSWORD, "otra-clave", "PRIVATE KEY", "9876543-3", "Quilodr", "firma.pfx", "E-Sign",
        *open_pem.decode().split("\n")[1:4], base64.b64encode(raw).decode()[:40], raw.hex()[:40],
    ]  # fmt: skip
    assert [secret for secret in secrets if secret in written] == []
    rows = Validation.objects.filter(kind="Certificado")
    assert rows.count() == 4
    assert {(row.digest, row.document, row.issuer) for row in rows} == {("", None, "")}
    assert rows.filter(codes__code="CER-17").count() == 2
