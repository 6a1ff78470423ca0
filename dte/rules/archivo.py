"""XML: the file itself. Most of these are raised by the readers, before there is a document."""

import re
from collections import Counter
from collections.abc import Iterator

from dte.documents.document import LATIN_1, Dte
from dte.documents.envelope import Envelope
from dte.formato.namespaces import SII
from dte.rules.findings import Fault
from dte.rules.registry import (
    EMISSION,
    EVERY_FORM,
    XML,
    Context,
    Faults,
    also_on_envelopes,
    by_reader,
    family,
    rule,
)

family("XML", "El archivo")

_OUTSIDE = re.compile(r"[^\t\n\r\x20-\x7e\x80-\xff]")
_C1_CONTROL = re.compile(r"[\x80-\x9f]")
MAX_LINE = 4090
MAX_SHOWN = 5
# Beginning with its letters, not with the blank before them, it is found ten times faster.
_ID = re.compile(rb"""ID(?<=\sID)\s*=\s*["']([^"'<]*)["']""")

rule(
    "XML-01",
    title="El archivo no es XML bien formado.",
    message="El archivo no es XML bien formado: {motivo}.",
    fix="Regenere el archivo: hay etiquetas sin cerrar, caracteres '&' o '<' sin escapar, o el "
    "archivo llegó cortado.",
    source="F2.2 p.10 (escape de & y <); LAPP ENV-3-0",
    sii="rechazo",
    severity="reject",
    sii_code="ENV-3-0",
    confidence="alta",
    forms=XML,
    level="file",
    fields=("/",),
)(by_reader)

rule(
    "XML-02",
    title="El archivo declara un DOCTYPE o entidades; no se procesa por seguridad.",
    fix="Quite la declaración <!DOCTYPE ...> del archivo; un DTE nunca la lleva.",
    source="Regla propia de seguridad",
    sii="n/a",
    severity="reject",
    confidence="alta",
    forms=XML,
    level="file",
    fields=("/",),
)(by_reader)

rule(
    "XML-05",
    title="El archivo no es un DTE ni un envío de DTE.",
    message="El archivo no es un DTE ni un envío de DTE: su raíz es «{raiz}».",
    fix="Suba el XML del DTE (o del EnvioDTE/EnvioBOLETA), no el CAF, el libro, la cesión ni la "
    "respuesta.",
    source="XSD26",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    level="file",
    fields=("/",),
)(by_reader)

rule(
    "XML-07",
    title="El archivo excede los límites de tamaño o profundidad que acepta el validador.",
    message="El archivo excede los límites que acepta el validador: {exceso}.",
    fix="Divida el envío, o use /api/dte/validate/batch, que admite 32 MB; un DTE real no supera unas "
    "decenas de KB ni 12 niveles.",
    source="Regla propia: 5 MB por documento, 64 niveles, 200.000 etiquetas, 30.000 caracteres por texto",
    sii="n/a",
    severity="reject",
    forms=EVERY_FORM,
    level="file",
    fields=("/",),
)(by_reader)


@rule(
    "XML-03",
    title="El archivo no está codificado en ISO-8859-1.",
    message="El archivo declara la codificación {codificacion} y el SII usa ISO-8859-1.",
    fix='Genere el XML con la declaración encoding="ISO-8859-1" y guárdelo en esa codificación.',
    source="SMOY (envíos en ISO-8859-1); un DTE real aceptado declara WINDOWS-1252, por eso no es rechazo",
    sii="aviso",
    severity="warn",
    confidence="media",
    forms=XML,
    fields=("/",),
)
def encoding_is_iso_8859_1(dte: Dte, ctx: Context) -> Faults:
    if dte.xml and ctx.number == 1 and dte.xml.encoding.lower() not in LATIN_1:
        yield Fault("", line=1, codificacion=dte.xml.encoding)


@rule(
    "XML-04",
    title="Falta el espacio de nombres http://www.sii.cl/SiiDte.",
    message="El DTE está en el espacio de nombres «{espacio}» y debe estar en "
    "http://www.sii.cl/SiiDte.",
    fix='Agregue xmlns="http://www.sii.cl/SiiDte" a la etiqueta DTE (o EnvioDTE).',
    source="XSD26 targetNamespace, elementFormDefault=qualified",
    sii="aviso",
    severity="warn",
    confidence="media",
    forms=XML,
    fields=("DTE/@xmlns",),
    note="Hay documentos aceptados sin él, recortados de un EnvioDTE: se valida como si lo tuviera.",
)
def namespace_is_siidte(dte: Dte, ctx: Context) -> Faults:
    if dte.xml and dte.xml.namespace != SII:
        yield Fault("DTE/@xmlns", espacio=dte.xml.namespace)


@rule(
    "XML-06",
    title="Hay caracteres que no existen en ISO-8859-1 (emoji, comillas tipográficas, guion largo, "
    "símbolo €) o caracteres de control.",
    message="El campo trae el carácter «{caracter}» ({codigo}), que no existe en ISO-8859-1.",
    fix="Reemplace esos caracteres por texto simple (por ejemplo comillas rectas o EUR).",
    source="LAPP ENV-3-0 (emoji informado como dato inválido); lo demás es inferido",
    sii="rechazo",
    severity="reject",
    sii_code="ENV-3-0",
    confidence="media",
    forms=EVERY_FORM,
    fields=("//text()",),
    note="U+0080 a U+009F son bytes de windows-1252 rotulados ISO-8859-1: revisión, no rechazo.",
)
def characters_are_latin_1(dte: Dte, ctx: Context) -> Faults:
    if not dte.odd_text:
        return
    for path, text in _texts(dte.data, ""):
        if found := _OUTSIDE.search(text):
            yield Fault(path, caracter=found[0], codigo=f"U+{ord(found[0]):04X}")
        elif found := _C1_CONTROL.search(_TWICE.sub(_once, text)):
            yield Fault(
                path,
                severity="review",
                message="El campo trae un carácter de control ({codigo}): parece texto "
                "windows-1252 rotulado como ISO-8859-1.",
                codigo=f"U+{ord(found[0]):04X}",
            )


def _texts(node: object, path: str) -> Iterator[tuple[str, str]]:
    """Yield the texts that hold anything beside what ASCII prints, each with its path."""
    if isinstance(node, str):
        if not _is_plain(node):
            yield path, node
    elif isinstance(node, dict):
        for name, value in node.items():
            if not _is_plain(value):
                yield from _texts(value, f"{path}/{name}" if path else name)
    elif isinstance(node, list):
        for number, value in enumerate(node, 1):
            yield from _texts(value, f"{path}[{number}]")


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable()


@rule(
    "XML-08",
    title="Dos elementos del archivo usan el mismo atributo ID.",
    message="El atributo ID «{id}» aparece {veces} veces en el archivo.",
    fix="Use un ID único por documento (por ejemplo F<folio>T<tipo>).",
    source="XSD26 @ID xs:ID; defensa contra envoltura de firmas",
    sii="rechazo",
    severity="reject",
    confidence="alta",
    forms=XML,
    fields=("//@ID",),
)
def ids_are_unique(dte: Dte, ctx: Context) -> Faults:
    raw = ctx.envelope.raw if ctx.envelope and ctx.number == 1 else dte.xml.raw if dte.xml else b""
    if ctx.envelope and ctx.number > 1:
        return
    found = Counter(_ID.findall(raw))
    if found.total() > len(found):
        found = Counter(match[1] for match in _ID.finditer(raw) if _in_a_tag(raw, match.start()))
    for identifier, times in found.items():
        if times > 1:
            yield Fault("", id=identifier.decode("latin-1"), veces=times)


def _in_a_tag(raw: bytes, position: int) -> bool:
    """Tell an attribute from a text or a comment that looks like one."""
    opening = raw.rfind(b"<", 0, position)
    return opening > raw.rfind(b">", 0, position) and raw[opening + 1 : opening + 2] != b"!"


_LINE = re.compile(rb"[^\r\n]*")


@rule(
    "XML-09",
    title=f"Una línea del archivo tiene más de {MAX_LINE} caracteres.",
    message="La línea {linea} del archivo tiene {largo} caracteres y el SII lee hasta {maximo}.",
    fix="Parta la línea entre etiquetas ANTES de firmar; lo ya firmado no se toca: vuelva a generarlo con "
    "saltos de línea, o córtela sólo fuera de lo firmado.",
    source="práctica: 8 informes independientes (CHR-00002 «Line too long», medido en maullin y en junio "
    "de 2026)",
    sii="rechazo",
    severity="reject",
    sii_code="CHR-00002",
    confidence="alta",
    forms=XML,
    modes=EMISSION,
    fields=("/",),
    note="El SII la mide antes de leer el esquema.",
)
def lines_are_not_too_long(dte: Dte, ctx: Context) -> Faults:
    if dte.xml and ctx.envelope is None:
        yield from _long_line(dte.xml.raw, dte.xml.first_line)


@also_on_envelopes("XML-09")
def lines_of_the_envelope_are_not_too_long(envelope: Envelope, ctx: Context) -> Faults:
    yield from _long_line(envelope.raw, 1)


def _long_line(raw: bytes, first_line: int) -> Faults:
    """One finding is enough: a file with one such line usually has many."""
    start = 0
    # From the last line break within reach to the next: a look every few lines, not at every one.
    while len(raw) - start > MAX_LINE:
        reach = start + MAX_LINE + 1
        end = max(raw.rfind(b"\n", start, reach), raw.rfind(b"\r", start, reach))
        if end < 0:
            line = first_line + raw.count(b"\n", 0, start)
            length = _LINE.match(raw, start).end() - start  # type: ignore[union-attr]  # it may be empty
            yield Fault("", line=line, linea=line, largo=length, maximo=MAX_LINE)
            return
        start = end + 1


@rule(
    "XML-10",
    title='La declaración del XML dice standalone="no".',
    fix="Quite la palabra standalone de la primera línea; está fuera de lo firmado. En Java: "
    "transformer.setOutputProperty(OMIT_XML_DECLARATION) y escriba la declaración usted.",
    source="práctica: 1 informe (SCH-00001 hasta quitar la palabra, notas de un proyecto Spring Boot)",
    sii="rechazo",
    severity="review",
    sii_code="SCH-00001",
    confidence="baja",
    forms=XML,
    modes=EMISSION,
    fields=("/",),
)
def declaration_is_not_standalone_no(dte: Dte, ctx: Context) -> Faults:
    if dte.xml and ctx.number == 1 and dte.xml.standalone == "no":
        yield Fault("", line=1)


@rule(
    "XML-11",
    title="El texto se codificó dos veces: donde va una tilde se leen dos signos.",
    message="El campo dice «{texto}» y debía decir «{esperado}»: se codificó dos veces.",
    fix="Corrija el programa que escribe el texto (toma por ISO-8859-1 lo que está en UTF-8) y emita de "
    "nuevo; si ya lo envió, el SII lo acepta y el impreso sale mal.",
    source="práctica: 2 informes independientes (certificador-pudu, FacturasNicMMXXV)",
    sii="aviso",
    severity="warn",
    confidence="alta",
    forms=EVERY_FORM,
    fields=("//text()",),
)
def text_is_encoded_once(dte: Dte, ctx: Context) -> Faults:
    if not dte.odd_text:
        return
    shown = 0
    for path, text in _texts(dte.data, ""):
        repaired = _TWICE.sub(_once, text)
        if repaired != text:
            yield Fault(path, texto=text.strip()[:80], esperado=repaired.strip()[:80])
            shown += 1
            if shown == MAX_SHOWN:
                return


# What UTF-8 of an accented letter reads like in ISO-8859-1, or in windows-1252 where they differ.
_TWICE = re.compile("[\u00c2\u00c3]([\u0080-\u00bf]|[€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ])")


def _once(found: re.Match[str]) -> str:
    for charset in ("latin-1", "cp1252"):
        try:
            return found[0].encode(charset).decode("utf-8")
        except UnicodeError:
            continue
    return found[0]
