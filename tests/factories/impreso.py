"""Printed documents: a page with the text and the stamp of a signed document, as PDF, scan or photo.

page(signed(33))                                # a PDF
scan(page(signed(33)), angle=3, dpi=150)        # the same page out of a scanner, as JPEG
"""

import io
from html import unescape

import numpy as np
import pypdfium2 as pdfium
import zxingcpp
from fpdf import FPDF
from PIL import Image

from tests.factories import signed

Size = tuple[int, float, float]
# Columns of the PDF417, and its width and height in millimetres: up to 9 × 4 cm, as the SII's manual of
# printed samples allows.
SIZES: tuple[Size, ...] = (
    (8, 60, 40), (10, 65, 35), (12, 75, 35), (14, 80, 30), (16, 80, 28), (18, 85, 25), (18, 90, 40),
)  # fmt: skip
USUAL = SIZES[2]
_LINES = 34


def stamp_of(document: bytes) -> bytes:
    """The TED of a document, as emitters put it into the PDF417: on one line."""
    return document[document.index(b"<TED") : document.index(b"</TED>") + 6]


def _value(document: bytes, name: str) -> str:
    text = document.decode("iso-8859-1")
    return unescape(text.partition(f"<{name}>")[2].partition("<")[0])


def pdf417(content: bytes, columns: int = USUAL[0]) -> Image.Image:
    """The picture of a PDF417, two pixels a module."""
    code = zxingcpp.create_barcode(
        content, zxingcpp.BarcodeFormat.PDF417, columns=columns, ec_level="5"
    )
    drawn = zxingcpp.write_barcode_to_image(code, scale=2, add_quiet_zones=False)
    return Image.fromarray(np.array(drawn, copy=True))


def page(
    document: bytes | None = None,
    *,
    size: Size = USUAL,
    stamp: bytes | None = None,
    texts: dict[str, str] | None = None,
    pages_before: int = 0,
    password: str = "",
) -> bytes:
    """Return a PDF of the printed document.

    Args:
        document: what is printed; a valid invoice when not given.
        size: columns, width and height of the PDF417.
        stamp: what the PDF417 holds, instead of the document's stamp; empty for none.
        texts: values that the text says instead, by the element's name.
        pages_before: pages of other text before it.
        password: needed to open the PDF.
    """
    document = signed(33) if document is None else document
    said = {name: _value(document, name) for name in ("RUTEmisor", "RUTRecep", "Folio", "FchEmis")}
    said |= {
        name: _value(document, name) for name in ("RznSoc", "RznSocRecep", "MntTotal", "NmbItem")
    }
    said |= texts or {}
    total = said["MntTotal"]
    shown = f"{int(total):,}".replace(",", ".") if total.isdigit() else total
    pdf = FPDF(format="letter")
    pdf.set_font("helvetica", size=10)
    if password:
        pdf.set_encryption(owner_password="dueño", user_password=password)
    for number in range(pages_before):
        pdf.add_page()
        pdf.cell(0, 5, f"Anexo {number + 1}: condiciones generales de la venta y del despacho.")
    pdf.add_page()
    head = (
        f"R.U.T.: {said['RUTEmisor']}",
        f"FACTURA ELECTRONICA N° {said['Folio']}",
        f"{said['RznSoc']}",
        f"Fecha de emisión: {said['FchEmis']}",
        f"Señor(es): {said['RznSocRecep']}   R.U.T.: {said['RUTRecep']}",
    )
    body = [
        f"{n}  {said['NmbItem'] if n == 1 else f'Producto {n}'}   {n * 7}" for n in range(1, _LINES)
    ]
    for line in (*head, *body, f"TOTAL $ {shown}"):
        pdf.cell(0, 5, line, new_x="LMARGIN", new_y="NEXT")
    content = stamp_of(document) if stamp is None else stamp
    if content:
        columns, width, height = size
        pdf.image(pdf417(content, columns), x=15, y=222, w=width, h=height)
    return bytes(pdf.output())


def scan(
    pdf: bytes, *, dpi: int = 150, angle: float = 0, quality: int = 60, form: str = "JPEG"
) -> bytes:
    """Return a page as a scanner gives it, turned by some degrees."""
    document = pdfium.PdfDocument(pdf)
    picture = document[len(document) - 1].render(scale=dpi / 72, grayscale=True).to_pil()
    turned = picture.rotate(angle, resample=Image.Resampling.BICUBIC, expand=True, fillcolor=255)
    out = io.BytesIO()
    turned.save(out, form, **({"quality": quality} if form == "JPEG" else {}))
    return out.getvalue()


def picture(mode: str, size: tuple[int, int], form: str, **options: object) -> bytes:
    """Return an empty picture."""
    out = io.BytesIO()
    Image.new(mode, size, 0).save(out, form, **options)
    return out.getvalue()


def raw_pdf(*objects: bytes) -> bytes:
    """Return a PDF of these objects, the first of which is the catalogue; damaged as they are."""
    out, places = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + b"xref\n0 %d\n0000000000 65535 f \n%strailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1, table, len(objects) + 1, len(out),
    )  # fmt: skip


def stream(entries: bytes, content: bytes) -> bytes:
    """Return a stream object."""
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(content), content)


def one_page(
    content: bytes = b"", box: bytes = b"0 0 612 792", resources: bytes = b"", *more: bytes
) -> bytes:
    """Return a PDF of one page with this content; ``more`` objects begin at number 5."""
    return raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R/Resources<<%s>>>>"
        % (box, resources),
        stream(b"", content),
        *more,
    )
