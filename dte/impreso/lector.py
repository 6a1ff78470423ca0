"""Reads the PDF417 stamps and the text of a PDF or an image: a program of its own, run for each file.

    python lector.py < FILE > RESULT

It imports nothing of the service and runs apart from it: what a hostile file does to the renderer or the
decoder ends with this process, whose processor time, memory and files are limited, and the service does
not keep 50 MB of libraries for a rare task. ``hojas.py`` runs it and reads its JSON.
"""

import base64
import io
import json
import resource
import signal
import sys
import time
from collections.abc import Iterator
from itertools import pairwise

import pypdfium2 as pdfium
import zxingcpp
from PIL import Image, ImageOps, UnidentifiedImageError

CPU_SECONDS = 1.8
"""Of processor time, after which the process is ended; it stops by itself a little before."""
ENOUGH_SECONDS = 1.3
MEMORY = 70 * 1024 * 1024
"""Bytes that it may allocate beyond what it has once its libraries are loaded."""
MAX_BYTES_OF_IMAGE = 40_000_000
MAX_PIXELS = 9_000_000
"""Of what is searched; larger pages are searched at a smaller scale."""
LEAST_ENLARGEMENT = 1.4
"""Pages that MAX_PIXELS does not let grow by this much are not searched at a larger size."""
MAX_SIDE = 30_000
MAX_PAGES = 30
MAX_TEXT = 20_000
POINTS = 72
DPI = 300

_PDF417 = zxingcpp.barcode_formats_from_str("PDF417")

# Skew is looked for up to this many degrees, in halves and then in eighths.
MAX_SKEW = 7
_SMALL = 700


class RefusedError(Exception):
    """The file cannot be read; the word says why."""


def main() -> None:
    """Read the file and write what was found."""
    content = sys.stdin.buffer.read()
    limit()
    try:
        result = read(content)
    except RefusedError as refused:
        result = {"error": str(refused)}
    except MemoryError:
        result = {"error": "complex"}
    sys.stdout.write(json.dumps(result))


def limit() -> None:
    """Bound time, memory and files, once the libraries are loaded."""
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # its signal ends the process
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:  # not on Linux: the pixels are limited all the same
        return
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))


def read(content: bytes) -> dict[str, object]:
    """Return the stamps, the text and how many pages were looked at."""
    if b"%PDF" in content[:1024]:
        return _read_pdf(content)
    page = _open_image(content)
    stamps = _stamps(page, upright=False)
    return {"pages": 1, "looked": 1, "text": "", "stamps": [_stamp(1, one) for one in stamps]}


def _stamp(number: int, content: bytes) -> dict[str, object]:
    return {"page": number, "content": base64.b64encode(content).decode()}


def _read_pdf(content: bytes) -> dict[str, object]:
    try:
        document = pdfium.PdfDocument(content)
        count = len(document)
    except pdfium.PdfiumError as error:
        raise RefusedError("encrypted" if "assword" in str(error) else "damaged") from error
    if not count:
        raise RefusedError("empty")
    looked = 0
    texts: list[tuple[int, str]] = []
    stamps: list[dict[str, object]] = []
    for number in _order(min(count, MAX_PAGES)):
        try:
            page = document[number]
            texts.append((number, _text(page)))
            found = [] if stamps else _stamps(_render(page), upright=True)
        except pdfium.PdfiumError as error:
            if count == 1:
                raise RefusedError("damaged") from error
            continue
        looked += 1
        stamps += [_stamp(number + 1, one) for one in found]
        if time.process_time() > ENOUGH_SECONDS or (stamps and looked >= 5):
            break
    text = "\n".join(text for _, text in sorted(texts))
    return {"pages": count, "looked": looked, "text": text[:MAX_TEXT], "stamps": stamps}


def _order(count: int) -> list[int]:
    """The stamp is on the last page of a document, which most often is the first."""
    return list(dict.fromkeys([0, count - 1, *range(count)]))


def _text(page: pdfium.PdfPage) -> str:
    try:
        text: str = page.get_textpage().get_text_bounded()
    except pdfium.PdfiumError:
        return ""
    return text[:MAX_TEXT]


def _render(page: pdfium.PdfPage) -> Image.Image:
    """Render a page in grey, at a scale that its size allows."""
    width, height = page.get_size()
    if not (0 < width < 1e6 and 0 < height < 1e6):
        raise RefusedError("too_large")
    scale = min(DPI / POINTS, (MAX_PIXELS / (width * height)) ** 0.5)
    if max(width, height) * scale > MAX_SIDE or min(width, height) * scale < 1:
        raise RefusedError("too_large")
    image: Image.Image = page.render(scale=scale, grayscale=True).to_pil()
    return image


def _open_image(content: bytes) -> Image.Image:
    """Return an image in grey; a large JPEG is decoded at a smaller scale."""
    Image.MAX_IMAGE_PIXELS = None  # what is too large is refused here, by what decoding would take
    try:
        opened = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
        if opened.format == "JPEG":
            factor = max(1.0, (opened.width * opened.height / MAX_PIXELS) ** 0.5)
            opened.draft("L", (int(opened.width / factor), int(opened.height / factor)))
        image: Image.Image = opened
        size = image.width * image.height * len(image.getbands())
        if size > MAX_BYTES_OF_IMAGE or max(image.size) > MAX_SIDE:
            raise RefusedError("too_large")
        if "A" in image.getbands() or "transparency" in image.info:
            image = _on_white(image)
        grey = ImageOps.exif_transpose(image.convert("L"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise RefusedError("damaged") from error
    if grey.width * grey.height > MAX_PIXELS:
        factor = (MAX_PIXELS / (grey.width * grey.height)) ** 0.5
        grey = grey.resize(
            (int(grey.width * factor), int(grey.height * factor)), Image.Resampling.BOX
        )
    return grey


def _on_white(image: Image.Image) -> Image.Image:
    """What is transparent is paper."""
    layered = image.convert("LA")
    white = Image.new("L", image.size, 255)
    white.paste(layered.getchannel("L"), mask=layered.getchannel("A"))
    return white


def _stamps(page: Image.Image, *, upright: bool) -> list[bytes]:
    """Return the contents of the PDF417 on a page: as it is, then put straight, then enlarged."""
    for variant in _variants(page, upright=upright):
        found = [one.bytes for one in zxingcpp.read_barcodes(variant, formats=_PDF417) if one.valid]
        if found:
            return found
        if time.process_time() > ENOUGH_SECONDS:
            break
    return []


def _variants(page: Image.Image, *, upright: bool) -> Iterator[Image.Image]:
    """Yield the page as it may be readable; an image is likelier to stand askew than a PDF."""
    yield page
    askew = skew(page)
    if abs(askew) >= 0.25:
        yield _turn(page, askew)
    if page.height < page.width * 1.1 and not upright:  # lying on its side, lines run upwards
        side = page.transpose(Image.Transpose.ROTATE_90)
        if abs(lean := skew(side)) >= 0.25:
            yield _turn(side, lean)
    factor = min(2.0, (MAX_PIXELS / (page.width * page.height)) ** 0.5)
    if factor < LEAST_ENLARGEMENT:
        return
    # From the page itself: a picture turned once is sharper than one turned and enlarged.
    size = (int(page.width * factor), int(page.height * factor))
    larger = page.resize(size, Image.Resampling.BICUBIC)
    yield _turn(larger, askew) if abs(askew) >= 0.1 else larger


def _turn(page: Image.Image, degrees: float) -> Image.Image:
    return page.rotate(degrees, resample=Image.Resampling.BICUBIC, fillcolor=255)


def skew(page: Image.Image) -> float:
    """Return by how many degrees a page must be turned so that its lines are level.

    Where they are, the darkness of the rows changes most from one row to the next.
    """
    height = min(max(1, round(page.height * _SMALL / page.width)), 2 * _SMALL)
    small = ImageOps.invert(page.resize((_SMALL, height), Image.Resampling.BOX))
    halves = [degrees / 2 for degrees in range(-2 * MAX_SKEW, 2 * MAX_SKEW + 1)]
    best = max(halves, key=lambda degrees: _sharpness(small, degrees))
    return max((best + step / 8 for step in range(-3, 4)), key=lambda one: _sharpness(small, one))


def _sharpness(small: Image.Image, degrees: float) -> int:
    turned = small.rotate(degrees, resample=Image.Resampling.NEAREST, fillcolor=0)
    rows = turned.resize((1, small.height), Image.Resampling.BOX).tobytes()
    return sum((one - other) ** 2 for one, other in pairwise(rows))


if __name__ == "__main__":
    main()
