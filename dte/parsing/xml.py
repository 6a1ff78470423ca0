"""Reading XML: one DTE, or an EnvioDTE or EnvioBOLETA of many, without trusting a byte of it.

The file is cut at ``<DTE`` and ``</DTE>`` before it is parsed. So each document is parsed, judged and
forgotten on its own (an envelope of 2,000 costs the memory of one), and the signature checks get the
very bytes that were signed. What is left, the envelope's shell, is parsed like any XML: nothing in the
file escapes the parser.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from lxml import etree

from dte.documents.document import LATIN_1, Dte, Values, XmlSource, to_type
from dte.documents.envelope import Envelope
from dte.formato.elements import children, local, namespace_of, parse_or_none, parser, source_line
from dte.formato.frame import frame_of_dte, frame_of_envelope, stray_attributes
from dte.formato.outline import Field, outline
from dte.formato.reading import FOREIGN, Problem, XmlReader
from dte.formato.tipos import BODIES, BOLETAS, ENVELOPES
from dte.parsing.recognise import cause_of, wrong_encoding
from dte.parsing.unreadable import Unreadable

# Our own limits (rule XML-07). A real DTE has a few dozen KB and 12 levels.
MAX_BYTES = 5 * 1024 * 1024
MAX_DEPTH = 64
MAX_ELEMENTS = 200_000
MAX_TEXT = 30_000

# Every encoding whose markup is plain ASCII bytes, so that cutting the file cannot be fooled.
_ENCODINGS = LATIN_1 | {
    "utf-8", "us-ascii", "ascii", "iso-8859-2", "iso-8859-9", "iso-8859-15", "windows-1252", "cp1252",
}  # fmt: skip
_DECLARATION = re.compile(
    rb"""<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._-]{0,40})["'][^>]*\?>"""
)
_STANDALONE = re.compile(rb"""<\?xml\s[^>]*?standalone\s*=\s*["'](yes|no)["'][^>]*\?>""")
# One pass over the markup that matters. Comments, CDATA and instructions are stepped over, because a
# '<DTE' inside them is no tag; one that never closes matches bare and stops the scan. The attribute part
# is possessive and stops at '<': no input makes it scan the file twice.
_MARKUP = re.compile(
    rb"""<(?:!--(?P<comment>.*?-->)?"""
    rb"""|!\[CDATA\[(?P<cdata>.*?\]\]>)?"""
    rb"""|\?(?P<pi>.*?\?>)?"""
    rb"""|(?P<doctype>!DOCTYPE)"""
    rb"""|(?P<open>(?:[A-Za-z_][\w.-]{0,40}:)?DTE(?=[\s/>])"""
    rb"""(?:[^<>"']|"[^"<]*"|'[^'<]*')*+>)"""
    rb"""|(?P<close>/(?:[A-Za-z_][\w.-]{0,40}:)?DTE\s*>))""",
    re.DOTALL,
)
_BELOW_THE_LIMIT: Any = etree.XPath(f"boolean({'/'.join('*' * MAX_DEPTH)})")
_LONG_TEXT = re.compile(rb">[^<]{%d}" % (MAX_TEXT + 1))
# What people send in the place of a document, by the root the SII gives it.
_OTHER_KINDS = {
    "AUTORIZACION": "Esto es un CAF, la autorización de folios con que se timbra, y no un documento; "
    "no lo edite. Suba el DTE o el sobre.",
    "AEC": "Esto es una cesión (AEC). Suba el DTE o el sobre.",
    "DTECedido": "Esto es parte de una cesión (AEC). Suba el DTE o el sobre.",
    "RespuestaDTE": "Esto es una respuesta de intercambio. Suba el DTE o el sobre que responde.",
    "EnvioRecibos": "Esto es un envío de recibos de mercaderías. Suba el DTE o el sobre.",
    "RESULTADO_ENVIO": "Esto es el resultado de un envío, la respuesta del SII. Suba el DTE o el sobre.",
    "LibroCompraVenta": "Esto es un libro de compras y ventas (IECV). Suba el DTE o el sobre.",
    "LibroGuia": "Esto es un libro de guías. Suba el DTE o el sobre.",
    "ConsumoFolios": "Esto es un reporte de consumo de folios (RCOF). Suba el DTE o el sobre.",
    "Documento": "Suba el archivo completo, con su etiqueta <DTE> y su firma.",
    "html": "Esto es una página web. Descargue de nuevo el XML del documento.",
    "TED": "Esto es sólo el timbre. Suba el DTE completo.",
}
# Bytes that may stand for a character outside ISO-8859-1 or for a control: only where there are some is
# every text looked at. Deleting them and comparing lengths is ten times faster than searching.
_ODD_LATIN = bytes(range(0x7F, 0xA0))
_ODD_OTHER = bytes(range(0x7F, 0x100))


class Fragment(NamedTuple):
    """Where one document stands in the file."""

    start: int
    tag_end: int
    end: int


@dataclass(frozen=True, slots=True)
class XmlFile:
    """A file that was cut but whose documents are not parsed yet."""

    raw: bytes
    encoding: str
    fragments: tuple[Fragment, ...]
    envelope: Envelope | None
    namespace: str

    @property
    def standalone(self) -> str:
        """What the declaration says of it: ``yes``, ``no`` or nothing."""
        declared = _STANDALONE.match(self.raw)
        return declared[1].decode() if declared else ""

    def documents(self) -> Iterator[Dte]:
        """Read the documents one at a time; each is let go before the next.

        Raises:
            Unreadable: At the first that cannot be read; ``attempts`` goes on to the next.
        """
        for attempt in self.attempts():
            if isinstance(attempt, Unreadable):
                raise attempt
            yield attempt

    def attempts(self) -> Iterator[Dte | Unreadable]:
        """Read each document, or say why it cannot be read: one bad one does not hide the others."""
        line, position = 1, 0
        for fragment in self.fragments:
            line += self.raw.count(b"\n", position, fragment.start)
            position = fragment.start
            try:
                yield _read_dte(self, fragment, line)
            except Unreadable as exc:
                yield exc


def read_xml(
    raw: bytes, *, max_bytes: int = MAX_BYTES, max_elements: int = MAX_ELEMENTS
) -> XmlFile:
    """Check the file as a whole and find its documents.

    Raises:
        Unreadable: With the rule (XML-01, 02, 05 or 07) that stops the reading.
    """
    if len(raw) > max_bytes:
        raise Unreadable("XML-07", exceso=f"pesa {len(raw)} bytes y el máximo es {max_bytes}")
    raw, encoding = _to_ascii_markup(raw)
    if raw.count(b"<") - raw.count(b"</") > max_elements:
        raise Unreadable("XML-07", exceso=f"trae más de {max_elements} etiquetas")
    if len(raw) > MAX_TEXT and (long_text := _LONG_TEXT.search(raw)):
        line = raw.count(b"\n", 0, long_text.start()) + 1
        raise Unreadable(
            "XML-07", line=line, exceso=f"trae un texto de más de {MAX_TEXT} caracteres"
        )
    fragments = _cut(raw)
    if fragments is None:
        _parse(raw, encoding)  # says where it breaks; if it does not, the tags of DTE do not pair
        raise Unreadable("XML-01", motivo="las etiquetas DTE no están balanceadas")
    return _read_shell(raw, encoding, fragments)


def _to_ascii_markup(raw: bytes) -> tuple[bytes, str]:
    """Return the bytes in an encoding whose markup is ASCII, and the encoding's name."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raw = _decode_utf16(raw)
    if (cause := cause_of(raw)) is not None:
        raise Unreadable("XML-01", line=1, motivo=cause.reason, fix=cause.fix)
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    declared = _DECLARATION.match(raw)
    encoding = declared[1].decode("ascii") if declared else ""
    if (encoding or "utf-8").lower() not in _ENCODINGS:
        raise Unreadable("XML-01", line=1, motivo=f"no se admite la codificación «{encoding}»")
    if (cause := wrong_encoding(raw, encoding)) is not None:
        # What it is counts more than how it is coded: a CAF of the SII declares no encoding.
        _refuse_other_roots(raw)
        raise Unreadable("XML-01", line=1, motivo=cause.reason, fix=cause.fix)
    return raw, encoding or "UTF-8"


def _refuse_other_roots(raw: bytes) -> None:
    """Say what the file is where it is no document, reading its bytes as ISO-8859-1."""
    root = parse_or_none(raw, "ISO-8859-1")
    if root is not None and local(root) not in {"DTE", "SetDTE", *ENVELOPES}:
        raise _other_kind(root)


def _other_kind(root: etree._Element) -> Unreadable:
    name = local(root)
    return Unreadable("XML-05", line=source_line(root), raiz=name, fix=_OTHER_KINDS.get(name))


def _decode_utf16(raw: bytes) -> bytes:
    try:
        text = raw.decode("utf-16")
    except UnicodeDecodeError as exc:
        raise Unreadable(
            "XML-01", line=1, motivo="no es UTF-16, aunque empieza como si lo fuera"
        ) from exc
    return re.sub(r"^<\?xml[^>]*\?>", "", text, count=1).encode("utf-8")


def _cut(raw: bytes) -> tuple[Fragment, ...] | None:
    """Find the outermost DTE elements; None when the markup does not close."""
    fragments: list[Fragment] = []
    depth = start = tag_end = 0
    for match in _MARKUP.finditer(raw):
        kind = match.lastgroup
        if kind == "doctype":
            raise Unreadable("XML-02", line=raw.count(b"\n", 0, match.start()) + 1)
        if kind is None:
            return None
        if kind == "open":
            if not depth:
                start, tag_end = match.span()
            depth += not match[0].endswith(b"/>")
        elif kind == "close":
            depth -= 1
        else:
            continue
        if depth < 0:
            return None
        if not depth:
            fragments.append(Fragment(start, tag_end, match.end()))
    return None if depth else tuple(fragments)


def _read_shell(raw: bytes, encoding: str, fragments: tuple[Fragment, ...]) -> XmlFile:
    shell = _parse(_shell_bytes(raw, fragments), encoding)
    root = local(shell)
    if _too_deep(shell):
        raise Unreadable("XML-07", exceso=f"tiene más de {MAX_DEPTH} niveles")
    if root == "DTE":
        return XmlFile(raw, encoding, fragments, None, namespace_of(shell))
    if root not in ENVELOPES and root != "SetDTE":
        raise _other_kind(shell)
    holder = shell if root == "SetDTE" else next(iter(children(shell, "SetDTE")), shell)
    if not fragments or len(children(holder, "DTE")) != len(fragments):
        raise Unreadable("XML-05", line=source_line(shell), raiz=root)
    caratulas = children(holder, "Caratula")
    reader = XmlReader(namespace=namespace_of(caratulas[0]) if caratulas else "")
    data = {}
    if caratulas:
        data = reader.read(caratulas[0], outline("caratula"), "SetDTE/Caratula")
        reader.problems += stray_attributes(
            caratulas[0], outline("caratula"), reader, "SetDTE/Caratula/"
        )
    envelope = Envelope(
        kind=root,
        caratula=Values(data),
        raw=raw,
        shell=shell,
        fragments=tuple((fragment.start, fragment.end) for fragment in fragments),
        encoding=encoding,
        problems=(*frame_of_envelope(shell, holder), *reader.problems),
    )
    return XmlFile(raw, encoding, fragments, envelope, namespace_of(holder))


def _shell_bytes(raw: bytes, fragments: tuple[Fragment, ...]) -> bytes:
    """Return the file with each document emptied to its tag; every line keeps its number."""
    parts: list[bytes] = []
    position = 0
    for start, tag_end, end in fragments:
        tag = raw[start:tag_end].removesuffix(b">").removesuffix(b"/")
        parts += [raw[position:start], tag, b"/>", b"\n" * raw.count(b"\n", tag_end, end)]
        position = end
    parts.append(raw[position:])
    return b"".join(parts)


def _read_dte(file: XmlFile, fragment: Fragment, first_line: int) -> Dte:
    raw = file.raw[fragment.start : fragment.end]
    element = _parse(raw, file.encoding, first_line, _inherited(file, raw))
    body = next((child for child in children(element) if local(child) in BODIES), None)
    tipo = _tipo_of(body) if body is not None else 0
    kind = local(body) if body is not None else "Documento"
    reader = XmlReader(first_line, namespace_of(body) if body is not None else "")
    data = {}
    if body is not None:
        data = reader.read(body, _outline_of(kind, tipo))
        reader.problems += stray_attributes(body, _outline_of(kind, tipo), reader)
        reader.problems += frame_of_dte(element, body, first_line)
    if body is not None and namespace_of(body) != namespace_of(element):
        reader.problems.append(Problem(kind, FOREIGN, first_line + source_line(body) - 1))
    if _too_deep(element):
        raise Unreadable("XML-07", line=first_line, exceso=f"tiene más de {MAX_DEPTH} niveles")
    return Dte(
        data,
        form="xml",
        tipo=tipo,
        kind=kind,
        problems=tuple(reader.problems),
        odd_text=_is_odd(raw, file.encoding),
        xml=XmlSource(
            raw=raw,
            element=element,
            body=body,
            encoding=file.encoding,
            first_line=first_line,
            standalone=file.standalone,
            namespace=namespace_of(element)
            or (file.namespace if b"xmlns=" not in raw[:200] else ""),
        ),
    )


def _is_odd(raw: bytes, encoding: str) -> bool:
    odd = _ODD_LATIN if encoding.lower() in LATIN_1 else _ODD_OTHER
    # The two letters that UTF-8 read as ISO-8859-1 is full of, and Spanish has not.
    twice = b"\xc3" in raw or b"\xc2" in raw
    return twice or b"&#" in raw or len(raw.translate(None, odd)) != len(raw)


def _outline_of(kind: str, tipo: int) -> Field:
    """The element says which format applies; only boletas share theirs, ``Documento``, with others."""
    if kind == "Documento":
        return outline("boleta" if tipo in BOLETAS else "documento")
    return outline(kind.lower())


def _tipo_of(body: etree._Element) -> int:
    node = body
    for name in ("Encabezado", "IdDoc", "TipoDTE"):
        found = children(node, name)
        if not found:
            return 0
        node = found[0]
    return to_type(node.text or "")


def _inherited(file: XmlFile, raw: bytes) -> bytes:
    """Return the declarations a fragment needs from outside to be parsed alone: prefixes in use only.

    A document is signed alone: one declaration too many, and its signature does not verify.
    """
    if file.envelope is None or b":" not in raw[: raw.index(b">")]:
        return b""
    holder = children(file.envelope.shell, "SetDTE") or [file.envelope.shell]
    return b"".join(
        f' xmlns:{prefix}="{uri}"'.encode()
        for prefix, uri in holder[0].nsmap.items()
        if prefix
        and f"{prefix}:".encode() in raw
        and f"xmlns:{prefix}=".encode() not in raw[: raw.index(b">")]
    )


def _parse(
    raw: bytes, encoding: str, first_line: int = 1, declarations: bytes = b""
) -> etree._Element:
    if declarations:
        name_end = re.compile(rb"[\s/>]").search(raw).start()  # type: ignore[union-attr]
        raw = raw[:name_end] + declarations + raw[name_end:]
    try:
        root = etree.fromstring(raw, parser(encoding))
    except etree.XMLSyntaxError as exc:
        line = (exc.lineno or 1) + first_line - 1
        if "depth" in str(exc):
            raise Unreadable(
                "XML-07", line=line, exceso=f"tiene más de {MAX_DEPTH} niveles"
            ) from exc
        raise Unreadable("XML-01", line=line, motivo=_reason(exc)) from exc
    if root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("XML-02", line=1)  # unreachable unless the scan above is fooled
    return root


_REASONS = {
    etree.ErrorTypes.ERR_DOCUMENT_EMPTY: "el archivo está vacío",
    etree.ErrorTypes.ERR_DOCUMENT_END: "sobra contenido después del último elemento",
    etree.ErrorTypes.ERR_TAG_NAME_MISMATCH: "una etiqueta de cierre no corresponde a la abierta",
    etree.ErrorTypes.ERR_TAG_NOT_FINISHED: "falta cerrar una etiqueta, o el archivo llegó cortado",
    etree.ErrorTypes.ERR_GT_REQUIRED: "a una etiqueta le falta «>»",
    etree.ErrorTypes.ERR_NAME_REQUIRED: "hay un «<» o «&» sin escapar",
    etree.ErrorTypes.ERR_ENTITYREF_SEMICOL_MISSING: "hay un «&» sin escapar",
    etree.ErrorTypes.ERR_UNDECLARED_ENTITY: "usa una entidad que el XML no define",
    etree.ErrorTypes.ERR_LT_IN_ATTRIBUTE: "hay un «<» dentro de un atributo",
    etree.ErrorTypes.ERR_ATTRIBUTE_REDEFINED: "un elemento repite un atributo",
    etree.ErrorTypes.ERR_ATTRIBUTE_NOT_STARTED: "el valor de un atributo no va entre comillas",
    etree.ErrorTypes.ERR_INVALID_CHAR: "contiene un carácter que el XML no admite",
    etree.ErrorTypes.ERR_INVALID_ENCODING: "sus bytes no son de la codificación que declara",
    etree.ErrorTypes.ERR_UNSUPPORTED_ENCODING: "declara una codificación desconocida",
    etree.ErrorTypes.NS_ERR_UNDEFINED_NAMESPACE: "usa un prefijo sin declarar",
}


def _reason(exc: etree.XMLSyntaxError) -> str:
    """Why it is not well formed; libxml2's own words are English and name lines of a fragment."""
    code: int = getattr(exc, "code", 0)  # the stubs do not know it
    return _REASONS.get(code, "hay un error de sintaxis")


def _too_deep(root: etree._Element) -> bool:
    """Tell whether any element stands deeper than the limit."""
    return bool(_BELOW_THE_LIMIT(root))
