"""RespuestaDTE: what the receiver of documents answers to their issuer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from dte.crypto import SignatureCheck, count_ids, verify_part
from dte.documents.document import Values
from dte.examining.examination import Ask, Case, Examination, Kind, Table
from dte.examining.given import Given
from dte.formato.elements import child, children
from dte.formato.reading import Problem
from dte.formato.structure import ONCE, Times, frame, read_part
from dte.respuesta import avisos, parties
from dte.respuesta.parties import Named
from dte.rules.findings import Finding

MOST: Final = 1_000
ENVELOPE_STATES: Final = {
    "1": "error de esquema",
    "2": "error de firma",
    "3": "el RUT del receptor no corresponde",
    "90": "el archivo está repetido",
    "91": "el archivo es ilegible",
    "99": "otro motivo",
}
"""EstadoRecepEnv, RespuestaEnvioDTE_v10.xsd."""
DOCUMENT_STATES: Final = {
    "1": "error de firma",
    "2": "error en el RUT del emisor",
    "3": "error en el RUT del receptor",
    "4": "el documento está repetido",
    "99": "otro motivo",
}
"""EstadoRecepDTE, RespuestaEnvioDTE_v10.xsd."""
RESULTS: Final = {"0": "aceptado", "1": "aceptado con discrepancias", "2": "rechazado"}
_SII: Final = "Es un acuerdo entre las partes: lo que vale ante el SII es el Registro de aceptación o reclamo."
DOCUMENT: Final = Ask("document", "XML del documento", "Para compararlo con la respuesta.", "file")


@dataclass(slots=True)
class Exchange:
    """A RespuestaDTE taken apart."""

    cover: Values
    envelopes: list[Values]
    received: list[Named]
    results: list[Named]
    check: SignatureCheck
    problems: list[Problem] = field(default_factory=list)

    @property
    def named(self) -> list[Named]:
        """Every document it names."""
        return [*self.results, *self.received]


def read(given: Given) -> Exchange:
    """Take a RespuestaDTE apart; what does not fit the schema is among the problems."""
    root = given.tree.root
    body = child(root, "Resultado")
    ids = count_ids(root)
    problems = list(
        frame(root, "RespuestaDTE", {"Resultado": ONCE, "Signature": ONCE}, ("version",))
    )
    envelopes: list[Values] = []
    received: list[Named] = []
    results: list[Named] = []
    cover: dict[str, object] = {}
    if body is not None:
        several = Times(0, MOST)
        parts = {"Caratula": ONCE, "RecepcionEnvio": several, "ResultadoDTE": several}
        problems += frame(body, "Resultado", parts, ("ID",))
        element = child(body, "Caratula")
        cover = read_part(element, "respuesta", "Caratula", problems) if element is not None else {}
        for number, node in enumerate(children(body, "RecepcionEnvio")[:MOST], 1):
            path = f"RecepcionEnvio[{number}]"
            data = read_part(node, "recepcion", path, problems)
            envelopes.append(Values(data))
            received += [
                Named(f"{path}/RecepcionDTE[{place}]", Values(row))
                for place, row in enumerate(data.get("RecepcionDTE") or [], 1)
            ]
        for number, node in enumerate(children(body, "ResultadoDTE")[:MOST], 1):
            path = f"ResultadoDTE[{number}]"
            results.append(Named(path, Values(read_part(node, "resultado", path, problems))))
    check = verify_part(body, child(root, "Signature"), ids)
    return Exchange(Values(cover), envelopes, received, results, check, problems)


def examine(given: Given, case: Case) -> Examination:
    """Examine a RespuestaDTE."""
    answer = read(given)
    findings = [
        *parties.structure(answer.problems),
        *parties.signature(
            answer.check, "la respuesta", "Signature", answer.cover.moment("TmstFirmaResp")
        ),
        *_cover(answer),
        *_envelopes(answer.envelopes),
        *_received(answer.received),
        *_results(answer.results),
        *parties.from_receiver(answer.named, answer.cover.text("RutResponde")),
        *parties.against_document(answer.named, given.document),
        *parties.against_history(answer.named, case),
    ]
    state = _state(answer)
    one = answer.named[0] if len(answer.named) == 1 else None
    return Examination(
        state=state,
        headline=_HEADLINES[state],
        statement=f"{_STATEMENTS[state]} {_SII}",
        findings=findings,
        summary={
            "type": one.tipo if one else None,
            "folio": one.folio if one else "",
            "issuer": {"rut": answer.cover.text("RutRecibe"), "name": ""},
            "receiver": {"rut": answer.cover.text("RutResponde"), "name": ""},
            "signature": "valid" if answer.check.valid else "invalid",
            "documents": [_row(named) for named in answer.named[:MOST]],
        },
        facts=[
            ("Responde", answer.cover.text("RutResponde")),
            ("Emisor", answer.cover.text("RutRecibe")),
            ("Respuesta N°", answer.cover.text("IdRespuesta")),
            ("Firmada", answer.cover.text("TmstFirmaResp").replace("T", " ")),
            ("Firma", "válida" if answer.check.valid else "no es válida"),
            ("Contacto", answer.cover.text("MailContacto")),
        ],
        tables=_tables(answer),
        checked=(
            "estructura según el esquema del SII",
            "firma y vigencia del certificado",
            "estados",
        ),
        not_checked=(
            "lo que el receptor hizo en el Registro de aceptación o reclamo del SII",
            "el documento mismo, salvo que se adjunte o se haya validado aquí",
        ),
        answered=[named.answered() for named in answer.named[:MOST]],
        asks=() if given.document is not None else (DOCUMENT,),
        confidence=90,
    )


_HEADLINES: Final = {
    "aceptado": "Aceptado por el receptor",
    "con discrepancias": "Aceptado con discrepancias",
    "rechazado": "Rechazado por el receptor",
    "recibido": "Recibido por el receptor",
    "no recibido": "No recibido por el receptor",
    "vacía": "Respuesta sin contenido",
}
_STATEMENTS: Final = {
    "aceptado": "El receptor aceptó el contenido.",
    "con discrepancias": "El receptor aceptó, pero no está de acuerdo en todo.",
    "rechazado": "El receptor no acepta el contenido.",
    "recibido": "El receptor acusa recibo; todavía no dice si acepta.",
    "no recibido": "El receptor dice que no pudo recibirlo.",
    "vacía": "No dice nada de ningún documento.",
}


def _state(answer: Exchange) -> str:
    results = {one.values.text("EstadoDTE") for one in answer.results}
    for code, state in (("2", "rechazado"), ("1", "con discrepancias"), ("0", "aceptado")):
        if code in results:
            return state
    states = {one.text("EstadoRecepEnv") for one in answer.envelopes}
    states |= {one.values.text("EstadoRecepDTE") for one in answer.received}
    if not states:
        return "vacía"
    return "recibido" if states <= {"0"} else "no recibido"


def _cover(answer: Exchange) -> Iterator[Finding]:
    found = len(answer.envelopes) + len(answer.results)
    stated = answer.cover.text("NroDetalles")
    if not found:
        yield avisos.EMPTY.at("Resultado")
    elif stated.isdecimal() and int(stated) != found:
        yield avisos.COUNT.at("Caratula/NroDetalles", dice=int(stated), vienen=found)


def _envelopes(envelopes: Sequence[Values]) -> Iterator[Finding]:
    for number, one in enumerate(envelopes, 1):
        state = one.text("EstadoRecepEnv")
        if state in ENVELOPE_STATES:
            yield avisos.ENVELOPE_REFUSED.at(
                f"RecepcionEnvio[{number}]/EstadoRecepEnv",
                estado=ENVELOPE_STATES[state],
                glosa=one.text("RecepEnvGlosa"),
            )


def _received(received: Sequence[Named]) -> Iterator[Finding]:
    for one in received:
        state = one.values.text("EstadoRecepDTE")
        if state in DOCUMENT_STATES:
            yield avisos.NOT_RECEIVED.at(
                one.path,
                documento=one.name,
                estado=DOCUMENT_STATES[state],
                glosa=one.values.text("RecepDTEGlosa"),
            )


def _results(results: Sequence[Named]) -> Iterator[Finding]:
    notices = {"1": avisos.DISCREPANCY, "2": avisos.REFUSED}
    for one in results:
        notice = notices.get(one.values.text("EstadoDTE"))
        if notice is None:
            continue
        glosa = one.values.text("EstadoDTEGlosa")
        yield notice.at(f"{one.path}/EstadoDTE", documento=one.name, glosa=glosa)
        if not one.values.text("CodRchDsc"):
            yield avisos.NO_REASON.at(f"{one.path}/CodRchDsc", documento=one.name)


def _row(named: Named) -> dict[str, object]:
    return {
        "type": named.tipo,
        "folio": named.folio,
        "state": named.values.text("EstadoDTE") or named.values.text("EstadoRecepDTE"),
        "glosa": named.values.text("EstadoDTEGlosa") or named.values.text("RecepDTEGlosa"),
    }


def _tables(answer: Exchange) -> list[Table]:
    rows = [
        (
            one.name,
            RESULTS.get(one.values.text("EstadoDTE"), "")
            or DOCUMENT_STATES.get(one.values.text("EstadoRecepDTE"), "recibido"),
            one.values.text("EstadoDTEGlosa") or one.values.text("RecepDTEGlosa"),
        )
        for one in answer.named[:200]
    ]
    return [Table("Documentos", ("Documento", "Estado", "Glosa"), rows)] if rows else []


def recognise(given: Given) -> bool:
    """Tell by the root."""
    return given.root == "RespuestaDTE"


KIND = Kind(
    name="RespuestaDTE",
    title="Respuesta del receptor (RespuestaDTE)",
    recognise=recognise,
    examine=examine,
)
