"""The cryptography of the SII's documents: stamp, folio authorisation, signatures and certificates.

Functions on lxml elements and bytes; no models, no network. What a check finds is a value, also when
the input is hostile: nothing here raises because of what a document says.
"""

from dte.crypto.certificate import Certificate, read_certificate
from dte.crypto.parts import count_ids, signatures_of, verify_part
from dte.crypto.signature import Defect, SignatureCheck
from dte.crypto.timbre import StampCheck, Status, Verification, verify_stamp
from dte.crypto.xmldsig import verify_document, verify_envelope

__all__ = [
    "Certificate",
    "Defect",
    "SignatureCheck",
    "StampCheck",
    "Status",
    "Verification",
    "count_ids",
    "read_certificate",
    "signatures_of",
    "verify_document",
    "verify_envelope",
    "verify_part",
    "verify_stamp",
]
