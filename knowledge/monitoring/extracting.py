"""From what a server sent to the text that the page is there for: HTML or PDF, in whatever charset.

What frames the text – menus, headers, footers, forms – is cut away by the document's own structure and
by the names that its author gave, never by guesses about which part reads like an article: a list of
circulars is links and nothing else, and a guess that falls differently would look like a change.
"""

import codecs
import io
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urljoin, urlsplit

if TYPE_CHECKING:
    from lxml.html import HtmlElement

MAX_PDF_PAGES: Final = 600
MAX_TEXT: Final = 3_000_000  # characters; more is no page that people read

_FRAME_TAGS: Final = [
    "script",
    "style",
    "noscript",
    "template",
    "nav",
    "header",
    "footer",
    "aside",
    "form",
    "select",
    "button",
    "input",
    "textarea",
    "iframe",
    "svg",
    "object",
    "embed",
    "dialog",
]
_FRAME_ROLES: Final = frozenset(
    [
        "navigation",
        "banner",
        "contentinfo",
        "search",
        "complementary",
        "menu",
        "menubar",
        "alert",
        "status",
        "timer",
    ]
)
# Words of a class or an id that name a part around the text.
_FRAME_WORDS: Final = frozenset(
    [
        "menu",
        "nav",
        "navbar",
        "navigation",
        "navegacion",
        "breadcrumb",
        "breadcrumbs",
        "migas",
        "sidebar",
        "footer",
        "pie",
        "header",
        "cabecera",
        "encabezado",
        "topbar",
        "banner",
        "social",
        "share",
        "compartir",
        "buscador",
        "search",
        "skip",
        "cookie",
        "cookies",
        "carousel",
        "carrusel",
        "slider",
        "reloj",
        "clock",
        "contador",
        "counter",
        "visitas",
        "hora",
        "indicadores",
    ]
)
_WORD_BREAK: Final = re.compile(r"[^a-z]+|(?<=[a-z])(?=[A-Z])")
_FILE: Final = re.compile(r"\.(pdf|docx?|xlsx?|zip|xsd|xml|txt)$", re.IGNORECASE)
_META_CHARSET: Final = re.compile(
    rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE
)
_BLOCKS: Final = frozenset(
    [
        "p",
        "div",
        "ul",
        "ol",
        "dl",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "blockquote",
        "pre",
        "section",
        "article",
    ]
)
_LEAST_MAIN: Final = 80  # characters; less is an empty place that a script fills


class UnreadableError(Exception):
    """The answer holds no text that we can read."""


def extract(body: bytes, content_type: str, url: str) -> str:
    """Return the text of a page.

    Args:
        body: What the server sent.
        content_type: Its ``Content-Type`` header.
        url: Where it came from, which links are relative to.

    Raises:
        UnreadableError: It is neither HTML nor PDF nor text, or it is broken.
    """
    kind = content_type.partition(";")[0].strip().casefold()
    if kind == "application/pdf" or body[:1024].lstrip().startswith(b"%PDF-"):
        text = _of_pdf(body)
    elif kind in ("", "text/html", "application/xhtml+xml") or _looks_like_html(body):
        text = _of_html(_decode(body, content_type), url)
    elif kind.startswith("text/") or kind in ("application/xml", "application/json"):
        text = _decode(body, content_type)
    else:
        raise UnreadableError(f"No se lee contenido de tipo {kind[:60]}.")
    text = text.replace("\x00", "")
    if len(text) > MAX_TEXT:
        raise UnreadableError("El texto es demasiado largo.")
    return text


def _looks_like_html(body: bytes) -> bool:
    start = body[:1024].lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))


def _decode(body: bytes, content_type: str) -> str:
    """Decode, whatever the server claims: the SII serves ISO-8859-1 that it calls UTF-8, and the reverse.

    Text of ISO-8859-1 with an accent in it is hardly ever valid UTF-8, so what is valid is UTF-8.
    """
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if body.startswith(mark):
            return body.decode(name, "replace")
    declared = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", content_type, re.IGNORECASE)
    meta = _META_CHARSET.search(body[:4096])
    names = [declared[1] if declared else "", meta[1].decode("ascii", "replace") if meta else ""]
    for name in ("utf-8", *names):
        if name.casefold() in ("iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii", ""):
            continue  # what everybody reads as windows-1252 (WHATWG Encoding, 4.2)
        try:
            return body.decode(name)
        except (LookupError, UnicodeError):
            continue
    return body.decode("cp1252", "replace")


# --- HTML -----------------------------------------------------------------------------------------


def _of_html(markup: str, url: str) -> str:
    # Some ten megabytes of memory that only a run needs.
    from inscriptis.html_engine import Inscriptis
    from inscriptis.model.config import ParserConfig
    from lxml import etree, html

    markup = re.sub(r"^\s*<\?xml[^>]*\?>", "", markup)
    if not markup.strip():
        raise UnreadableError("La página está vacía.")
    try:
        root = html.document_fromstring(markup)
        _cut_frame(root)
        root = _main(root)
        _show_files(root, url)
        _flatten_layout_tables(root)
        text: str = Inscriptis(root, ParserConfig(table_cell_separator=" | ")).get_text()
    except (etree.LxmlError, ValueError, RecursionError) as exc:
        raise UnreadableError("La página no se puede leer.") from exc
    return text


def _cut_frame(root: "HtmlElement") -> None:
    """Take out what stands around the text, but nothing that holds the text itself."""
    from lxml import etree

    etree.strip_elements(root, etree.Comment, etree.ProcessingInstruction, with_tail=False)
    whole = len(" ".join(root.itertext()))
    for element in list(root.iter(etree.Element)):
        if element.tag in ("html", "body", "main", "article") or element.getparent() is None:
            continue
        tagged = element.tag in _FRAME_TAGS
        if not (tagged or _is_named_frame(element) or _is_hidden(element)):
            continue
        if element.tag == "header" and any(
            up.tag in ("main", "article") for up in element.iterancestors()
        ):
            continue  # the heading of the text
        holds_text = element.tag in ("form", "header") or not tagged
        if holds_text and (
            next(element.iter("main", "article"), None) is not None
            or 2 * len(" ".join(element.itertext())) > whole
        ):
            continue  # old pages are one form, or call the place of the text by such a name
        element.drop_tree()


def _is_named_frame(element: "HtmlElement") -> bool:
    if element.get("role", "") in _FRAME_ROLES:
        return True
    names = f"{element.get('class', '')} {element.get('id', '')}"
    return any(word.lower() in _FRAME_WORDS for word in _WORD_BREAK.split(names))


def _is_hidden(element: "HtmlElement") -> bool:
    style = element.get("style", "").replace(" ", "").casefold()
    hidden = "display:none" in style or "visibility:hidden" in style
    return hidden or element.get("hidden") is not None or element.get("aria-hidden") == "true"


def _main(root: "HtmlElement") -> "HtmlElement":
    """Return the part that the page itself calls its main one, if it says so and it is not empty."""
    for found in root.xpath("//main | //*[@role='main']"):
        if len(" ".join(found.itertext()).strip()) >= _LEAST_MAIN:
            return found
    return root


def _show_files(root: "HtmlElement", url: str) -> None:
    """Write the path of a linked file behind its link: another file under the same words is a change."""
    for link in root.iter("a"):
        try:
            target = urlsplit(urljoin(url, link.get("href", "").strip()))
        except ValueError:
            continue
        path = unquote(target.path).partition(";")[0]  # without a session
        if target.scheme in ("http", "https") and _FILE.search(path):
            last = link[-1] if len(link) else None
            shown = f" [{path}]"
            if last is None:
                link.text = (link.text or "") + shown
            else:
                last.tail = (last.tail or "") + shown


def _flatten_layout_tables(root: "HtmlElement") -> None:
    """Turn tables that only place things into blocks, and cells of real tables into single lines."""
    for table in reversed(list(root.iter("table"))):
        cells = list(table.iter("td", "th"))
        if any(_is_placed(cell) for cell in cells):
            for part in table.iter("table", "tbody", "thead", "tfoot", "tr", "td", "th"):
                part.tag = "div"
        else:
            for cell in cells:
                for part in cell.iter(*_BLOCKS, "br"):
                    part.tag = "span"
                    part.text = f" {part.text or ''}"
                    part.tail = f" {part.tail or ''}"


def _is_placed(cell: "HtmlElement") -> bool:
    """Whether a cell holds more than the value of a row."""
    blocks = [part for part in cell.iterdescendants() if part.tag in _BLOCKS]
    return (
        len(blocks) > 1
        or next(cell.iter("table"), None) is not None
        or len(list(cell.iter("li"))) > 1
    )


# --- PDF ------------------------------------------------------------------------------------------


def _of_pdf(body: bytes) -> str:
    """Return the running text; where its lines end is the printer's affair and says nothing."""
    import pypdf
    from pypdf.errors import PyPdfError

    try:
        reader = pypdf.PdfReader(io.BytesIO(body))
        if len(reader.pages) > MAX_PDF_PAGES:
            raise UnreadableError("El PDF tiene demasiadas páginas.")
        pages = [page.extract_text() for page in reader.pages]
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise UnreadableError("El PDF no se puede leer.") from exc
    text = "\n".join(pages)
    if not text.strip():
        raise UnreadableError("El PDF no trae texto, solo imágenes.")
    text = re.sub(r"(?im)^\s*p[áa]gina\s+\d+(\s+de\s+\d+)?\s*$|^\s*\d{1,4}\s*$", "", text)
    text = re.sub(r"(?<=[a-záéíóúñ])-\n(?=[a-záéíóúñ])", "", text)
    return re.sub(r"\s+", " ", text)
