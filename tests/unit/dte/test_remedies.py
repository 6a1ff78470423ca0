"""What is no document, or no schema's: named, with the remedy for its cause."""

import re

import pytest

from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import read_xml
from dte.rules.engine import finding_of
from tests.factories import envelope, signed
from tests.factories.judged import finding, findings

pytestmark = [pytest.mark.unit, pytest.mark.usefixtures("caf_authority")]

CAF = '<?xml version="1.0"?>\n<AUTORIZACION><CAF version="1.0"><DA><RS>MUÑOZ</RS></DA></CAF></AUTORIZACION>'


@pytest.mark.parametrize(
    ("raw", "code", "says", "fix"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "XML-01", "es un PDF", "Suba el XML"),
        (b"\x89PNG\r\n\x1a\n\x00", "XML-01", "imagen PNG", "Suba el XML"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "XML-01", "imagen JPEG", "Suba el XML"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8", "XML-01", "imagen WEBP", "Suba el XML"),
        (b"PK\x03\x04\x14\x00", "XML-01", "ZIP", "batch"),
        (b"Estimado cliente, adjunto su factura", "XML-01", "es texto", "Suba el XML"),
        (b"", "XML-01", "vacío", "Suba el XML"),
        (b" \n\t ", "XML-01", "vacío", "Suba el XML"),
        (b"<!DOCTYPE html>\n<html><body>Error 500", "XML-01", "página web", "Descargue"),
        (b"<html><body>Error</body></html>", "XML-05", "«html»", "página web"),
        (b"PD94bWwgdmVyc2lvbj0iMS4wIj8+" * 4, "XML-01", "base64", "Decodifíquelo"),
        (b"\n" + signed(33), "XML-01", "línea en blanco", "Borre"),
        (b"  " + signed(33), "XML-01", "espacios antes", "Borre"),
        (b"Documento:\n" + signed(33), "XML-01", "texto antes", "Borre"),
        (CAF.encode("iso-8859-1"), "XML-05", "AUTORIZACION", "CAF"),
        (CAF.encode("utf-8"), "XML-05", "AUTORIZACION", "CAF"),
        (CAF.replace("?>", ' encoding="UTF-8"?>', 1).encode("iso-8859-1"), "XML-05", "AUTORIZ", "CAF"),
        (re.sub(rb' encoding="[^"]*"', b"", signed(33)), "XML-01", "no declara su codif", "Declare"),
        (signed(33).partition(b"\n")[2], "XML-01", "no declara su codif", "Declare"),
        (signed(33).replace(b"ISO-8859-1", b"UTF-8"), "XML-01", "declara UTF-8", "Declare"),
        (re.sub(rb' encoding="[^"]*"', b"", envelope([signed(33)])), "XML-01", "no declara", "Declare"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_its_remedy(raw, code, says, fix):
    with pytest.raises(Unreadable) as refused:
        list(read_xml(raw).documents())
    found = finding_of(refused.value)
    assert found.code == code
    assert says in found.message
    assert fix in found.fix


@pytest.mark.parametrize(
    ("old", "new", "path", "fix"),
    [
        (b"TpoDTE", b"TipoDTE", "SetDTE/Caratula/SubTotDTE[1]/TipoDTE", "se llama TpoDTE"),
        (b"GiroEmis>", b"GiroEmisor>", "Encabezado/Emisor/GiroEmisor", "se llama GiroEmis"),
        (b"RznSoc>", b"RznSocEmisor>", "Encabezado/Emisor/RznSocEmisor", "se llama RznSoc"),
        (b"<NmbItem>", b"<Xyz>1</Xyz><NmbItem>", "Detalle[1]/Xyz", "Quite Xyz en Detalle[1]"),
        (b"<TasaIVA>19</TasaIVA>", b"", None, ""),
        (b"<FchResol>2014-08-22</FchResol>", b"", "SetDTE/Caratula/FchResol", "Agregue FchResol"),
        (b"<GiroRecep>", b"<GiroRecep>" + b"x" * 50, "Encabezado/Receptor/GiroRecep", "Acorte"),
        (b"<Folio>123</Folio><", b"<", None, ""),
    ],
)
def test_a_deviation_of_the_schema_says_what_to_do(old, new, path, fix):
    raw = envelope([signed(33)]).replace(old, new)
    fixes = {found.path: found.fix for found in findings(raw) if found.code == "XSD-01"}
    if path is not None:
        assert fix in fixes[path]


def test_what_stands_out_of_order_is_told_its_place():
    raw = signed(33)
    tag = b"<FchEmis>2026-03-02</FchEmis>"
    moved = raw.replace(tag, b"", 1).replace(b"<FmaPago>1</FmaPago>", b"<FmaPago>1</FmaPago>" + tag)
    assert "después de Folio" in finding(moved, "XSD-01").fix
