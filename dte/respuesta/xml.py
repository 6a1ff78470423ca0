"""Answers of the SII in XML: of the upload, of the web services, and by mail."""

from lxml import etree

from dte.examining.given import Given
from dte.examining.tree import read_tree
from dte.formato.elements import child, children, local, text
from dte.parsing.unreadable import Unreadable
from dte.respuesta.answer import (
    MAX_DOCUMENTS,
    DocumentState,
    SiiAnswer,
    Totals,
    split_state,
    to_folio,
    to_int,
    to_rut,
    to_track,
)

ROOTS = frozenset({"RECEPCIONDTE", "RESPUESTA", "RESULTADO_ENVIO", "Envelope"})


def read(given: Given) -> SiiAnswer:
    """Read an answer in XML.

    Raises:
        Unreadable: It is not XML, or a SOAP message with nothing inside.
    """
    return _read(given.tree.root)


def _read(root: etree._Element) -> SiiAnswer:
    name = local(root)
    if name == "Envelope":
        return _read(_unwrapped(root))
    if name == "RECEPCIONDTE":
        return _upload(root)
    if name == "RESULTADO_ENVIO":
        return _mail(root)
    return _service(root)


def _unwrapped(envelope: etree._Element) -> etree._Element:
    """Return the answer that a SOAP message carries, as elements or as escaped text."""
    for node in envelope.iter("*"):
        if local(node) in ROOTS and node is not envelope and local(node) != "Envelope":
            return node
        inside = (node.text or "").strip()
        if inside.startswith("<"):
            root = read_tree(inside.encode()).root if "encoding" not in inside[:80] else None
            root = root if root is not None else read_tree(_recoded(inside)).root
            if local(root) in ROOTS - {"Envelope"}:
                return root
    raise Unreadable("XML-01", motivo="el mensaje SOAP no trae una respuesta del SII")


def _recoded(inside: str) -> bytes:
    """Drop a declaration that no longer holds: the text is Unicode by now."""
    return inside.partition("?>")[2].encode()


def _upload(root: etree._Element) -> SiiAnswer:
    status = text(root, "STATUS")
    errors = [_words(node) for node in root.iter("{*}ERROR")]
    return SiiAnswer(
        state="REC" if status == "0" else "",
        upload=status or "?",
        glosa="Archivo recibido" if status == "0" else "",
        track_id=to_track(text(root, "TRACKID")),
        issuer=to_rut(text(root, "RUTCOMPANY")),
        sender=to_rut(text(root, "RUTSENDER")),
        received=text(root, "TIMESTAMP")[:40],
        file=text(root, "FILE")[:200],
        errors=[error for error in errors if error][:50],
    )


def _service(root: etree._Element) -> SiiAnswer:
    header, body = child(root, "RESP_HDR"), child(root, "RESP_BODY")
    state = text(header, "ESTADO") or text(body, "ESTADO")
    glosa = text(header, "GLOSA_ESTADO") or text(header, "GLOSA") or text(body, "GLOSA")
    details = text(header, "GLOSA_ERR")
    answer = SiiAnswer(
        state=state[:20],
        glosa=glosa[:300],
        track_id=to_track(text(header, "TRACKID") or text(body, "TRACKID")),
        attention=(text(header, "NUM_ATENCION") or text(body, "NUMATENCION"))[:80],
        errors=[details[:500]] if details else [],
    )
    answer.totals = _service_totals(body)
    return answer


def _service_totals(body: etree._Element | None) -> list[Totals]:
    """Read the counts of the body, which repeats its five elements for each type."""
    totals: list[Totals] = []
    row: dict[str, str] = {}
    for node in children(body) if body is not None else ():
        if local(node) == "TIPO_DOCTO" and row:
            totals.append(_totals(row))
            row = {}
        row[local(node)] = node.text or ""
    if "TIPO_DOCTO" in row:
        totals.append(_totals(row))
    return totals[:50]


def _totals(row: dict[str, str]) -> Totals:
    return Totals(
        to_int(row.get("TIPO_DOCTO", "")),
        to_int(row.get("INFORMADOS", "")),
        to_int(row.get("ACEPTADOS", "")),
        to_int(row.get("RECHAZADOS", "")),
        to_int(row.get("REPAROS", "")),
    )


def _mail(root: etree._Element) -> SiiAnswer:
    identity = child(root, "IDENTIFICACION")
    state, glosa = split_state(text(identity, "ESTADO"))
    return SiiAnswer(
        state=state,
        glosa=glosa,
        track_id=to_track(text(identity, "TRACKID")),
        issuer=to_rut(text(identity, "RUTEMISOR")),
        sender=to_rut(text(identity, "RUTENVIA")),
        received=text(identity, "TMSTRECEPCION")[:40],
        totals=[
            Totals(
                to_int(text(node, "TIPODOC")),
                to_int(text(node, "INFORMADO")),
                to_int(text(node, "ACEPTA")),
                to_int(text(node, "RECHAZO")),
                to_int(text(node, "REPARO")),
            )
            for node in root.iter("{*}SUBTOTAL")
        ][:50],
        documents=[_revision(node) for node in list(root.iter("{*}REVISIONDTE"))[:MAX_DOCUMENTS]],
        errors=[_words(node) for node in root.iter("{*}DETERRENVIO")][:50],
    )


def _revision(node: etree._Element) -> DocumentState:
    state, glosa = split_state(text(node, "ESTADO"))
    details = [_words(one) for one in children(node, "DETALLE")]
    return DocumentState(
        to_int(text(node, "TIPODTE")),
        to_folio(text(node, "FOLIO")),
        state,
        glosa,
        [detail for detail in details if detail][:50],
    )


def _words(node: etree._Element) -> str:
    return " ".join("".join(map(str, node.itertext())).split())[:500]
