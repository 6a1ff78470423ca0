"""Certificate files: key stores and PEM of the signers of the run."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from tests.factories.keys import (
    RUT_OID,
    Signer,
    _certificate,
    _day,
    _name,
    private_key,
    signer,
)

PASSWORD = "clave-de-ensayo-5512"
ACCREDITED = "E-Sign Class 2 Certificate Authority of the run"


def accredited_signer(
    rut: str = "9876543-3",
    *,
    key: rsa.RSAPrivateKey | None = None,
    usage: x509.KeyUsage | None = None,
) -> Signer:
    """A signer whose issuer calls itself by the name of an accredited provider; valid 2025 to 2027."""
    secret = key or private_key("Rosa Quilodrán Vera")
    builder = _certificate(
        _name("Rosa Quilodrán Vera"), _name(ACCREDITED), secret, _day(2025), _day(2028)
    )
    if rut:
        names = [x509.OtherName(RUT_OID, b"\x16" + bytes([len(rut)]) + rut.encode())]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if usage is not None:
        builder = builder.add_extension(usage, critical=True)
    return Signer(secret, builder.sign(private_key("accredited"), hashes.SHA256()))


def key_store(
    given: Signer | None = None,
    password: str = PASSWORD,
    *,
    rounds: int | None = None,
    with_key: bool = True,
    key: rsa.RSAPrivateKey | None = None,
) -> bytes:
    """A .pfx; with another key than the certificate's where one is given."""
    made = given or accredited_signer()
    encryption: KeySerializationEncryption = NoEncryption()
    if password:
        encryption = BestAvailableEncryption(password.encode())
    if rounds:
        builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(rounds)
        encryption = builder.build(password.encode())
    secret = (key or made.key) if with_key else None
    if key is None:
        return pkcs12.serialize_key_and_certificates(
            b"x", secret, made.certificate, None, encryption
        )
    # cryptography refuses to pair a key with another's certificate: it goes along as one of the chain.
    return pkcs12.serialize_key_and_certificates(b"x", secret, None, [made.certificate], encryption)


def pem_key(
    given: Signer | None = None, password: str = "", form: PrivateFormat = PrivateFormat.PKCS8
) -> bytes:
    """The private key as PEM."""
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return (given or accredited_signer()).key.private_bytes(Encoding.PEM, form, encryption)


def pem_certificate(given: Signer | None = None) -> bytes:
    """The certificate as PEM."""
    return (given or accredited_signer()).certificate.public_bytes(Encoding.PEM)


__all__ = ["PASSWORD", "accredited_signer", "key_store", "pem_certificate", "pem_key", "signer"]
