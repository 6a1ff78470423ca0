"""XML signatures as the SII's format wants them, computed on the text of the fragment.

Nothing here uses the code under test: an element is canonicalised by serialising it, parsing it alone
and canonicalising that whole document.
"""

import hashlib

from lxml import etree

from tests.factories.keys import Signer, b64

SII = "http://www.sii.cl/SiiDte"
XMLDSIG = "http://www.w3.org/2000/09/xmldsig#"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


def canonical(fragment: str) -> bytes:
    """Canonical bytes of a fragment that declares everything in scope."""
    return etree.tostring(etree.fromstring(fragment), method="c14n", with_comments=False)


def signature(
    fragment: str,
    uri: str,
    signer: Signer,
    *,
    algorithm: str = f"{XMLDSIG}rsa-sha1",
    digest_algorithm: str = f"{XMLDSIG}sha1",
    c14n: str = C14N,
    transform: str = "",
    key_value: tuple[str, str] | None = None,
    certificate: str | None = None,
    declared: str = "",
    reshape: tuple[str, str] = ("", ""),
) -> str:
    """Return the Signature element over ``fragment``.

    Args:
        fragment: the signed element, declaring every namespace that counts.
        uri: ID it is referred to by, without ``#``; empty for an empty reference.
        signer: who signs.
        algorithm: SignatureMethod that is declared; the value is always RSA-SHA1.
        digest_algorithm: DigestMethod that is declared.
        c14n: CanonicalizationMethod that is declared.
        transform: one transform of the reference.
        key_value: other numbers for RSAKeyValue.
        certificate: other text for X509Certificate.
        reshape: text of SignedInfo that is replaced before it is signed, and by what.
        declared: declarations in scope of SignedInfo when it is signed (`` xmlns:xsi="…"``).
    """
    digest = b64(hashlib.sha1(canonical(fragment)).digest())  # noqa: S324
    transforms = (
        f'<Transforms><Transform Algorithm="{transform}"/></Transforms>' if transform else ""
    )
    info = (
        f'<SignedInfo><CanonicalizationMethod Algorithm="{c14n}"/>'
        f'<SignatureMethod Algorithm="{algorithm}"/><Reference URI="{f"#{uri}" if uri else ""}">{transforms}'
        f'<DigestMethod Algorithm="{digest_algorithm}"/><DigestValue>{digest}</DigestValue>'
        "</Reference></SignedInfo>"
    )
    info = info.replace(*reshape) if reshape[0] else info
    scoped = info.replace("<SignedInfo>", f'<SignedInfo xmlns="{XMLDSIG}"{declared}>')
    modulus, exponent = key_value or signer.numbers
    return (
        f'<Signature xmlns="{XMLDSIG}">{info}'
        f"<SignatureValue>{signer.sign(canonical(scoped))}</SignatureValue><KeyInfo><KeyValue>"
        f"<RSAKeyValue><Modulus>{modulus}</Modulus><Exponent>{exponent}</Exponent></RSAKeyValue>"
        f"</KeyValue><X509Data><X509Certificate>{signer.der if certificate is None else certificate}"
        "</X509Certificate></X509Data></KeyInfo></Signature>"
    )
