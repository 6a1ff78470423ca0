"""What stands around the fields: attributes, the frame of a DTE and of an envelope, its Caratula."""

import pytest

from dte.judging.report import judge_xml
from dte.parsing.xml import read_xml
from dte.rules.registry import Context
from tests.documents import AS_OF, TYPES
from tests.factories import envelope, signed
from tests.factories.judged import finding

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("caf_authority")]

CODE = "XSD-01"
XSI = b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def spoiled(old, new, raw=None):
    raw = signed(33) if raw is None else raw
    assert old in raw
    return raw.replace(old, new, 1)


@pytest.mark.parametrize("tipo", TYPES)
def test_a_valid_document_has_nothing_to_say(tipo):
    assert finding(signed(tipo), CODE) is None


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (b"<Folio>", b'<Folio tipo="1">', "Encabezado/IdDoc/Folio/@tipo"),
        (b"<Detalle>", b'<Detalle n="1">', "Detalle/@n"),
        (b'<Documento ID="F123T33">', b'<Documento ID="F123T33" x="1">', "@x"),
        (b'ID="F123T33"', b'ID="123T33"', "@ID"),
        (b'ID="F123T33"', b'ID="F 123"', "@ID"),
        (b' version="1.0">\n<Documento', b' version="1.0" x="1">\n<Documento', "DTE/@x"),
        (b"</DTE>", b"<DocPersonalizado/></DTE>", "DTE/DocPersonalizado"),
        (b"\n</DTE>", b"suelto</DTE>", "DTE"),
        (b"</DTE>", b"<Documento/></DTE>", "DTE/Documento"),
        (b"www.sii.cl/SiiDte", b"www.sii.cl/SiiDTE", "Documento"),
        (b'<Signature xmlns="http://www.w3.org/2000/09/', b'<Signature xmlns="x', "DTE/Signature"),
    ],
)
def test_what_the_schema_has_no_place_for_is_found(old, new, path):
    assert finding(spoiled(old, new), CODE).path == path


def test_a_signature_before_the_document_is_out_of_order():
    raw = signed(33)
    start, end = raw.index(b"<Signature"), raw.index(b"</DTE>")
    mark = raw[start:end].strip()
    moved = raw[:start] + raw[end:]
    found = finding(moved.replace(b"<Documento", mark + b"<Documento", 1), CODE)
    assert (found.path, found.line) == (
        "DTE/Documento",
        moved[: moved.index(b"<Documento")].count(b"\n") + 1 + mark.count(b"\n"),
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b' version="1.0">\n<Documento', b" " + XSI + b' xsi:schemaLocation="a b" version="1.0">\n<Documento'),
        (b"<Detalle>", b"<!-- una nota --><Detalle>"),
        (b"</DTE>", b"<!-- otra -->\n</DTE>"),
    ],
)  # fmt: skip
def test_schema_locations_and_comments_have_a_place(old, new):
    assert finding(spoiled(old, new), CODE) is None


def test_what_was_added_to_the_receivers_copy_is_a_warning_to_the_receiver():
    raw = spoiled(b"</DTE>", b"<DocPersonalizado/></DTE>")
    assert finding(raw, CODE).severity == "reject"
    assert finding(raw, CODE, mode="reception").severity == "warn"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("NroResol", "1234567"),
        ("FchResol", "22-08-2014"),
        ("RutEnvia", "9.876.543-3"),
        ("TmstFirmaEnv", "2026-03-02"),
        ("Ambiente", "1"),
    ],
)
def test_the_caratula_follows_the_format(name, text):
    found = finding(envelope([signed(33)], caratula={name: text}), CODE)
    assert found.path == f"SetDTE/Caratula/{name}"
    assert found.line


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        (b' version="1.0">\n<SetDTE', b' version="2.0">\n<SetDTE', "EnvioDTE/@version"),
        (b' version="1.0">\n<SetDTE', b">\n<SetDTE", "EnvioDTE/@version"),
        (b'<SetDTE ID="SetDoc">', b"<SetDTE>", "SetDTE/@ID"),
        (b'<SetDTE ID="SetDoc">', b'<SetDTE ID="1">', "SetDTE/@ID"),
        (b"</SetDTE>", b"<Otro/></SetDTE>", "SetDTE/Otro"),
        (b"</EnvioDTE>", b"<Otro/></EnvioDTE>", "EnvioDTE/Otro"),
        (b'<Caratula version="1.0">', b'<Caratula version="1.0" a="1">', "SetDTE/Caratula/@a"),
        (b'<Caratula version="1.0">', b"<Caratula>", "SetDTE/Caratula/@version"),
    ],
)
def test_the_envelope_is_put_together_as_the_schema_says(old, new, path):
    assert finding(spoiled(old, new, envelope([signed(33)])), CODE).path == path


def test_an_envelope_without_caratula_lacks_it():
    raw = envelope([signed(33)])
    start, end = raw.index(b"<Caratula"), raw.index(b"</Caratula>") + len(b"</Caratula>")
    assert finding(raw[:start] + raw[end:], CODE).path == "SetDTE/Caratula"


@pytest.mark.parametrize("kind", ["EnvioDTE", "EnvioBOLETA"])
def test_a_valid_envelope_has_nothing_to_say(kind):
    documents = [signed(39)] if kind == "EnvioBOLETA" else [signed(33), signed(52)]
    assert finding(envelope(documents, kind=kind), CODE) is None


def test_a_fault_of_the_envelope_is_its_own_and_no_documents():
    raw = envelope([signed(33)], caratula={"NroResol": "1234567"})
    report = judge_xml(read_xml(raw), Context(as_of=AS_OF))
    assert report.recommendation == "reject"
    assert CODE in {found.code for found in report.envelope.findings}
    assert CODE not in {found.code for found in report.documents[0].findings}
