"""Printed documents: the stamp is read from paper, verified, and compared with page and XML."""

import random
import zlib
from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from dte.examining.examination import Case
from dte.examining.given import Given
from dte.impreso import examine
from dte.impreso.hojas import read_pages
from dte.impreso.timbre import read_stamp
from dte.models import Validation
from tests.factories import envelope, signed
from tests.factories.impreso import (
    SIZES,
    one_page,
    page,
    picture,
    raw_pdf,
    scan,
    stamp_of,
    stream,
)
from tests.factories.keys import new_small_key

pytestmark = [
    pytest.mark.unit,
    pytest.mark.django_db,
    pytest.mark.urls("dte.urls"),
    pytest.mark.usefixtures("caf_authority"),
]

AS_OF = datetime(2026, 3, 5, 12, tzinfo=UTC)
PATH = "/api/dte/validate"


def examined(raw, document=None, environment=""):
    return examine(Given(raw, document=document), Case(as_of=AS_OF, environment=environment))


def codes(raw, document=None):
    return {found.code for found in examined(raw, document).findings}


VALID = {
    "PDF": lambda: page(),
    "boleta": lambda: page(signed(39)),
    "nota": lambda: page(signed(61)),
    "last of three pages": lambda: page(pages_before=2),
    "scan at 150 dpi": lambda: scan(page(), angle=2.5),
    "scan at 300 dpi": lambda: scan(page(), dpi=300, angle=-3),
    "PNG": lambda: scan(page(), dpi=200, form="PNG"),
    "upside down": lambda: scan(page(), angle=180),
    "on its side": lambda: scan(page(), angle=90),
    "accents": lambda: page(
        signed(33, {"Encabezado/Receptor/RznSocRecep": "Panadería Ñuñoa & Cía."})
    ),
}
ANOTHER = {"MNT": "999999"}
FAULTY = {
    "no stamp": (lambda: page(stamp=b""), "IMP-01"),
    "another PDF417": (lambda: page(stamp=b"https://example.cl/documento/123"), "IMP-02"),
    "an edited stamp": (
        lambda: page(stamp=stamp_of(signed(33)).replace(b"<MNT>1190<", b"<MNT>1199<")),
        "IMP-03",
    ),
    "a stamp of another key": (
        lambda: page(signed(33, stamping={"key": new_small_key()})),
        "IMP-03",
    ),
    "a forged CAF": (lambda: page(signed(33, caf={"authority": new_small_key(65537)})), "IMP-04"),
    "a CAF of nobody": (lambda: page(signed(33, caf={"idk": 7})), "IMP-05"),
    "a test": (lambda: page(signed(33, caf={"idk": 100})), "IMP-06"),
    "a CAF of another type": (lambda: page(signed(33, caf={"tipo": "34"})), "IMP-07"),
    "a CAF of another issuer": (lambda: page(signed(33, caf={"issuer": "96790240-3"})), "IMP-07"),
    "a folio out of range": (lambda: page(signed(33, caf={"last": 100})), "IMP-08"),
    "an expired CAF": (lambda: page(signed(33, caf={"granted": "2025-01-10"})), "IMP-09"),
    "from the future": (
        lambda: page(signed(33, {"Encabezado/IdDoc/FchEmis": "2026-05-02"})),
        "IMP-10",
    ),
    "without an amount": (
        lambda: page(stamp=stamp_of(signed(33)).replace(b"<MNT>1190</MNT>", b"")),
        "IMP-11",
    ),
    "another total on the page": (lambda: page(texts={"MntTotal": "8901190"}), "IMP-12"),
    "another folio on the page": (lambda: page(texts={"Folio": "1234"}), "IMP-12"),
    "another receiver on the page": (lambda: page(texts={"RUTRecep": "96790240-3"}), "IMP-12"),
}


@pytest.mark.parametrize("name", VALID)
def test_a_good_print_is_said_to_be_genuine(name):
    found = examined(VALID[name]())
    assert [(one.code, one.message) for one in found.findings] == []
    assert found.state == "autentico"
    assert found.summary["folio"] == "123"


@pytest.mark.parametrize("name", FAULTY)
def test_each_fault_is_found_and_says_what_to_do(name):
    make, code = FAULTY[name]
    found = {one.code: one for one in examined(make()).findings}
    assert code in found
    assert found[code].fix
    assert found[code].source


def test_scans_are_read():
    """150 dpi, turned by up to 5 degrees, JPEG of quality 60; the rate is tests/load/dte_stamps.py's."""
    chance = random.Random(13)
    wanted = stamp_of(signed(33))
    read = 0
    for number in range(8):
        pdf = page(size=SIZES[number % len(SIZES)], stamp=wanted)
        raw = scan(pdf, angle=chance.uniform(-5, 5))
        read += any(stamp.content == wanted for stamp in read_pages(raw).stamps)
    assert read >= 7


@pytest.mark.parametrize("dpi", [100, 150, 200, 250, 300])
def test_a_scan_without_a_stamp_says_so_at_every_resolution(dpi):
    """Not that it is too much to read: what is searched fits the reader's memory."""
    found = examined(scan(page(stamp=b""), dpi=dpi, angle=2))
    assert found.state == "sin_timbre"


def test_the_bytes_of_a_stamp_are_latin_1_and_utf_8_is_told_apart():
    name = {"Encabezado/Receptor/RznSocRecep": "Peñaflor Ñuñoa"}
    latin = stamp_of(signed(33, name))
    assert b"\xf1" in latin
    for content in (latin, latin.decode("iso-8859-1").encode()):
        ted = read_stamp(content)
        assert ted is not None
        assert ted.text("RSR") == "Peñaflor Ñuñoa"
        assert ted.check.stamp.valid
        assert ted.check.caf.valid


@pytest.mark.parametrize(
    "content",
    [b"", b"<TED", b"<TED></TED", b'<!DOCTYPE a><TED/>', b"<TED><![CDATA[x]]></TED>",
     b"<TED>" + b"x" * 9000 + b"</TED>", b"<TED><DD></TED>", bytes(range(256))],
)  # fmt: skip
def test_what_is_no_stamp_is_none(content):
    assert read_stamp(content) is None


def test_the_stamp_stands_beside_the_text_of_the_page():
    (table,) = examined(page()).tables
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["Monto total"] == ("1.190", "sí")
    assert rows["Folio"] == ("123", "sí")
    (table,) = examined(scan(page())).tables
    assert {row[2] for row in table.rows} == {"no se sabe"}


def test_a_print_is_compared_with_its_xml():
    document = signed(33)
    assert codes(page(document), document) == set()
    assert codes(page(document), envelope([signed(61), document])) == set()
    assert codes(page(document), signed(33, {"Encabezado/Totales/MntTotal": "2000"})) == {"IMP-13"}
    assert codes(page(document), signed(34)) == {"IMP-14"}
    assert codes(page(document), b"nada") == {"IMP-15"}
    other_item = signed(33, {"Detalle[1]/NmbItem": "Otra cosa"})
    found = examined(page(document), other_item).findings
    assert [(one.code, one.severity) for one in found] == [("IMP-13", "review")]


def test_the_door_takes_a_print_with_its_xml_and_keeps_a_row(api_client):
    document = signed(33)
    form = {
        "file": SimpleUploadedFile("factura.pdf", page(document), "application/pdf"),
        "document": SimpleUploadedFile("factura.xml", document, "text/xml"),
    }
    query = {"as_of": AS_OF.isoformat()}
    answer = api_client.post(PATH, form, format="multipart", query_params=query)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["kind"], body["state"]) == ("Impreso", "autentico")
    assert body["valid_for_sii"]["statement"].endswith("Coincide con el XML entregado.")
    row = Validation.objects.get(pk=body["id"])
    assert (row.kind, row.tipo, row.folio, row.total) == ("Impreso", 33, "123", 1190)


@pytest.mark.parametrize(
    ("make", "media"),
    [(lambda: page(), "application/pdf"), (lambda: scan(page()), "image/jpeg")],
)
def test_the_body_may_be_the_print_itself(api_client, make, media):
    answer = api_client.post(PATH, make(), content_type=media)
    assert answer.status_code == 200
    assert answer.json()["kind"] == "Impreso"
    assert answer.json()["asks"][0]["name"] == "document"


def test_a_total_that_differs_from_the_history_is_a_forgery(api_client):
    api_client.post(PATH, signed(33), content_type="text/xml", query_params={"ai": "never"})
    other = page(signed(33, {"Encabezado/Totales/MntTotal": "11900"}))
    answer = api_client.post(PATH, other, content_type="application/pdf").json()
    assert "IMP-16" in {found["code"] for found in answer["findings"]}


def _flate(width, height, bits=8):
    content = zlib.compress(bytes(width * height * bits // 8), 9)
    entries = b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent %d" % (
        width, height, bits,
    )  # fmt: skip
    return stream(entries + b"/Filter/FlateDecode", content)


REFUSED = {
    "a PDF that is none": lambda: b"%PDF-1.7 hola",
    "a PDF cut": lambda: page()[:600],
    "a PDF of noise": lambda: b"%PDF-1.4\n" + random.Random(1).randbytes(50_000),
    "a PDF without pages": lambda: raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>"
    ),
    "a PDF with a password": lambda: page(password="clave"),
    "a page of kilometres": lambda: one_page(box=b"0 0 99999999 99999999"),
    "a page like a thread": lambda: one_page(box=b"0 0 1 900000"),
    "a PNG that is none": lambda: b"\x89PNG\r\n\x1a\n" + bytes(100),
    "a PNG cut": lambda: scan(page(), form="PNG")[:5000],
    "a JPEG cut at its head": lambda: scan(page())[:120],
    "a PNG of 900 megapixels": lambda: picture("1", (30_000, 30_000), "PNG"),
    "a JPEG of a thousand megapixels": lambda: scan(page())[:0] + _large_jpeg(),
}


def _large_jpeg():
    """A small JPEG that claims to be 65,500 by 65,500."""
    raw = bytearray(picture("L", (64, 64), "JPEG"))
    place = raw.index(b"\xff\xc0") + 5
    raw[place : place + 4] = (65_500).to_bytes(2, "big") * 2
    return bytes(raw)


# Files on which a renderer could spend a day or a gigabyte: refused, or answered that there is no stamp.
BOUNDED = {
    "a form that draws itself": lambda: one_page(
        b"/F Do", b"0 0 612 792", b"/XObject<</F 5 0 R>>",
        stream(b"/Type/XObject/Subtype/Form/BBox[0 0 612 792]/Resources<</XObject<</F 5 0 R>>>>", b"/F Do " * 50),
    ),
    "a million lines": lambda: one_page(b"0 0 m 600 700 l S " * 250_000),
    "a picture of 400 megapixels": lambda: one_page(
        b"600 0 0 700 0 0 cm /I Do", b"0 0 612 792", b"/XObject<</I 5 0 R>>", _flate(20_000, 20_000)
    ),
    "ten thousand pages": lambda: raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[" + b"3 0 R " * 10_000 + b"]/Count 10000>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]>>",
    ),
    "pages in a circle": lambda: raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 9>>"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_by_name(api_client, name):
    answer = api_client.post(PATH, REFUSED[name](), content_type="application/octet-stream")
    assert answer.status_code == 400, answer.json()
    assert answer.json()["code"] == "IMG-01"
    assert answer.json()["findings"][0]["fix"]
    assert not Validation.objects.exists()


@pytest.mark.parametrize("name", BOUNDED)
def test_what_would_take_long_is_bounded(api_client, name):
    answer = api_client.post(PATH, BOUNDED[name](), content_type="application/pdf").json()
    assert answer.get("code", answer.get("state")) in {"IMG-01", "sin_timbre"}
