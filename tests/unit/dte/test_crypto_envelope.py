"""The envelope's signature, over documents that are never in memory together as trees."""

import re

import pytest

from dte.crypto import Defect, verify_document, verify_envelope
from dte.parsing.xml import read_xml
from tests.factories import envelope, signed
from tests.factories.signature import SII, XSI

pytestmark = pytest.mark.unit


def check(raw):
    places = [match.span() for match in re.finditer(rb"<DTE[ >].*?</DTE>", raw, re.DOTALL)]
    return verify_envelope(raw, places, "ISO-8859-1")


def defects(raw):
    return set(check(raw).defects)


@pytest.mark.parametrize("kind", ["EnvioDTE", "EnvioBOLETA"])
def test_a_signed_envelope_verifies(kind):
    assert check(envelope([signed(33), signed(61), signed(52)], kind=kind)).valid
    assert check(envelope([signed(33)])).certificate.rut == "9876543-3"


def test_documents_without_a_namespace_of_their_own_verify():
    raw = envelope([signed(33, namespace=False), signed(61)])
    assert not defects(raw)


@pytest.mark.parametrize(
    "declared", [f' xmlns:xsi="{XSI}"', f' xmlns="{SII}"', ' xmlns:x="urn:x"', ' x="1&amp;2"']
)
def test_documents_that_declare_again_what_is_in_scope_verify(declared):
    documents = [signed(33).replace(b"<Documento ", f"<Documento{declared} ".encode())]
    assert not defects(envelope(documents))


def test_a_signed_info_signed_without_the_roots_declarations_verifies():
    assert not defects(envelope([signed(33)], signing={"declared": ""}))


def test_a_set_signed_outside_its_envelope_does_not_verify():
    assert defects(envelope([signed(33)], in_context=False)) == {Defect.DIGEST}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<NroResol>80", b"<NroResol>81"),
        (b"<MontoItem>1000", b"<MontoItem>1001"),
        (b"</DTE>\n<DTE", b"</DTE><DTE"),
        (b"</DTE>\n</SetDTE>", b"</DTE></SetDTE>"),
    ],
)
def test_any_change_breaks_the_digest(old, new):
    assert defects(envelope([signed(33), signed(61)]).replace(old, new)) == {Defect.DIGEST}


def test_documents_in_another_order_break_the_digest():
    first, second = (raw.partition(b"?>\n")[2] for raw in (signed(33), signed(61)))
    raw = envelope([signed(33), signed(61)])
    swapped = raw.replace(first, b"@@").replace(second, first).replace(b"@@", second)
    assert swapped != raw
    assert defects(swapped) == {Defect.DIGEST}


def test_an_unsigned_envelope_is_found():
    assert defects(envelope([signed(33)], unsigned=True)) == {Defect.MISSING}


def test_the_signature_must_name_the_set():
    raw = envelope([signed(33)]).replace(b'<SetDTE ID="SetDoc"', b'<SetDTE ID="Otro"')
    assert Defect.REFERENCE in defects(raw)


def test_a_second_set_is_found():
    raw = envelope([signed(33)]).replace(b"</SetDTE>", b'</SetDTE><SetDTE ID="x"/>')
    assert Defect.WRAPPED in defects(raw)


def test_a_broken_document_is_an_answer():
    raw = envelope([signed(33)]).replace(b"</Totales>", b"<Totales>")
    assert defects(raw) == {Defect.DIGEST}


def outer(raw, old, new):
    """Replace in the envelope's own signature, the last of the file."""
    head, found, tail = raw.rpartition(b"</SetDTE>")
    return head + found + tail.replace(old, new)


def test_an_envelope_signature_without_its_parts_is_an_answer():
    raw = envelope([signed(33)])
    assert defects(outer(raw, b"SignedInfo", b"Otro")) == {Defect.MISSING}
    assert Defect.DIGEST in defects(outer(raw, b"DigestValue", b"Otro"))
    assert Defect.WRAPPED in defects(outer(raw, b"</Signature>", b"<Signature/></Signature>"))


def test_an_empty_document_that_is_none_of_the_documents_breaks_the_digest():
    raw = envelope([signed(33)]).replace(b"</Caratula>", b"</Caratula><DTE/>")
    assert Defect.DIGEST in defects(raw)


def test_an_unknown_encoding_is_an_answer():
    raw = envelope([signed(33)])
    assert set(verify_envelope(raw, [], "no-such-encoding").defects)


def test_documents_read_from_an_envelope_verify_alone():
    raw = envelope([signed(33), signed(34, namespace=False), signed(61, namespace=False)])
    assert all(verify_document(dte.xml.element).valid for dte in read_xml(raw).documents())
