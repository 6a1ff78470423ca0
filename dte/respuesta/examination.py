"""What the SII answered: what happened, what to do now, for which document."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from dte.examining.examination import Answered, Ask, Case, Examination, Table
from dte.examining.given import Given
from dte.formato.tipos import TYPE_NAMES
from dte.parsing.unreadable import Unreadable
from dte.respuesta import json, notices, texto, xml
from dte.respuesta.answer import DocumentState, SiiAnswer, Totals, rule_codes, to_track
from dte.respuesta.estados import ESTADOS, outcome_of
from dte.rules import REGISTRY
from dte.rules.findings import Finding, spell
from dte.rules.registry import SiiOutcome

MOST_SHOWN: Final = 200
_BY_CODE: Final = {unit.sii_code: unit for unit in REGISTRY.values() if unit.sii_code}
_HEADLINES: Final = {
    "rejected": "Rechazado por el SII",
    "objected": "Aceptado con reparos",
    "accepted": "Aceptado por el SII",
    "annulled": "Folio anulado",
}
_ASKS: Final = (
    Ask("track_id", "N° de envío (track ID)", "Para saber a qué documentos responde."),
    Ask(
        "validation",
        "Identificador de la validación",
        "El que dio este servicio al validar el envío.",
    ),
)


def examine(given: Given, case: Case) -> Examination:
    """Explain one answer.

    Raises:
        Unreadable: There is no answer in it.
    """
    answer = read(given)
    if not answer.says_something:
        raise Unreadable("XML-01", motivo="no trae ningún estado del SII")
    answer.track_id = answer.track_id or to_track(given.fields.get("track_id", ""))
    findings = [*_about_envelope(answer), *_about_documents(answer)]
    outcome = overall(answer)
    return Examination(
        state=answer.state or f"STATUS {answer.upload}",
        headline=_headline(answer, outcome),
        statement=_statement(answer),
        findings=findings,
        summary=_summary(answer, outcome),
        facts=_facts(answer),
        tables=_tables(answer),
        checked=("estado, glosa y totales", "cada documento con reparo o rechazo"),
        not_checked=("si la respuesta viene de verdad del SII: no trae firma",),
        answered=list(_answered(answer)),
        asks=() if answer.track_id or answer.documents else _ASKS,
        confidence=95 if answer.state in ESTADOS or answer.upload else 60,
    )


def read(given: Given) -> SiiAnswer:
    """Read an answer in whatever form it came."""
    if given.form == "json":
        return json.read(given)
    if given.root:
        return xml.read(given)
    if not texto.is_mail(given):
        return texto.read(given.text)
    files, words = texto.parts_of_mail(given)
    for content in files:
        inside = Given(content)
        if inside.root in xml.ROOTS:
            return xml.read(inside)
    return texto.read(words or given.text)


def overall(answer: SiiAnswer) -> SiiOutcome:
    """Return what became of the documents as a whole; the worst of them, empty while open."""
    found = {outcome_of(one.state) for one in answer.documents}
    for totals in answer.totals:
        found |= {"rejected"} if totals.rejected else set()
        found |= {"objected"} if totals.objected else set()
        found |= {"accepted"} if totals.accepted else set()
    own = outcome_of(answer.state)
    found |= {own} if own else set()
    order: tuple[SiiOutcome, ...] = ("rejected", "annulled", "objected", "accepted")
    return next((outcome for outcome in order if outcome in found), "")


def _about_envelope(answer: SiiAnswer) -> Iterator[Finding]:
    if answer.upload not in {"", "0"}:
        notice = notices.UPLOAD.get(answer.upload)
        said = notice.at("STATUS") if notice else None
        yield said or notices.OTHER_UPLOAD.at("STATUS", status=answer.upload[:20])
        yield from (notices.DETAIL.at("DETAIL", donde="", detalle=one) for one in answer.errors)
        return
    estado = ESTADOS.get(answer.state)
    if answer.state == "EPR":
        yield from _processed(answer)
    elif estado is None and answer.state:
        glosa = answer.glosa or "sin glosa"
        yield notices.UNKNOWN.at("ESTADO", estado=answer.state, glosa=glosa)
    elif (notice := notices.STATES.get(answer.state)) and not answer.documents:
        yield notice.at("ESTADO", donde="")
    if estado is None or estado.severity is not None:
        yield from (
            notices.DETAIL.at("ERRORES", donde="", detalle=one, severity="warn", fix=_fix(one))
            for one in answer.errors[:20]
        )


def _processed(answer: SiiAnswer) -> Iterator[Finding]:
    totals = _sum(answer.totals)
    states = Counter(outcome_of(one.state) for one in answer.documents)
    rejected = max(totals.rejected, states["rejected"])
    objected = max(totals.objected, states["objected"])
    informed = max(totals.informed, rejected + objected)
    if rejected:
        yield notices.REJECTED_INSIDE.at("ESTADO", rechazados=rejected, informados=informed)
    if objected:
        yield notices.OBJECTED_INSIDE.at("ESTADO", reparos=objected, informados=informed)
    if not answer.totals and not answer.documents:
        yield notices.OPEN_INSIDE.at("ESTADO")


def _about_documents(answer: SiiAnswer) -> Iterator[Finding]:
    for one in answer.documents[:MOST_SHOWN]:
        yield from _about_document(one)


def _about_document(one: DocumentState) -> Iterator[Finding]:
    """Say what the SII said of one document: each detail on its own, or the state where it gives none."""
    place, where = f"tipo {one.tipo} folio {one.folio}", f"{name_of(one)}: "
    notice = notices.STATES.get(one.state)
    if one.state and one.state not in ESTADOS:
        yield notices.UNKNOWN.at(place, estado=one.state, glosa=one.glosa or "sin glosa")
    elif notice is not None and not one.details:
        yield notice.at(place, donde=where)
    for detail in one.details:
        codes = rule_codes(detail)
        yield (notice or notices.DETAIL).at(
            place,
            message="{donde}{detalle}",
            donde=where,
            detalle=detail,
            severity=None if notice else "warn",
            fix=" ".join(filter(None, (_fix(detail), notice.fix if notice else ""))) or None,
            sii_code=codes[0] if codes else "",
        )


def _fix(detail: str) -> str | None:
    """Return what our own rule of that code says to do."""
    for code in rule_codes(detail):
        if code in _BY_CODE:
            return _BY_CODE[code].fix.replace("{", "(").replace("}", ")")
    return None


def _answered(answer: SiiAnswer) -> Iterator[Answered]:
    """Yield what the answer means for the documents: first for all of the upload, then for each."""
    estado = ESTADOS.get(answer.state)
    if not answer.documents or (estado is not None and estado.scope == "envelope"):
        detail = f"{answer.state} {answer.glosa}".strip()
        states = (answer.state,) if answer.state else ()
        rest = _of_the_rest(answer)
        yield Answered(rest, states, detail, issuer=answer.issuer, track_id=answer.track_id)
    for one in answer.documents:
        codes = tuple(dict.fromkeys((one.state, *one.codes)))
        detail = "; ".join(filter(None, (one.glosa, *one.details)))[:2_000]
        yield Answered(
            outcome_of(one.state), tuple(code[:20] for code in codes if code), detail,
            answer.issuer, one.tipo, one.folio, answer.track_id,
        )  # fmt: skip


def _of_the_rest(answer: SiiAnswer) -> SiiOutcome:
    """Return what became of the documents that an answer does not name, where that is certain."""
    if answer.state != "EPR":
        return outcome_of(answer.state)
    totals = _sum(answer.totals)
    if not totals.informed:
        return ""
    if totals.accepted == totals.informed:
        return "accepted"
    if totals.rejected == totals.informed:
        return "rejected"
    if totals.objected == totals.informed:
        return "objected"
    named = Counter(outcome_of(one.state) for one in answer.documents)
    every = named["rejected"] == totals.rejected and named["objected"] == totals.objected
    return "accepted" if every else ""


def _sum(totals: list[Totals]) -> Totals:
    return Totals(
        0,
        sum(one.informed for one in totals),
        sum(one.accepted for one in totals),
        sum(one.rejected for one in totals),
        sum(one.objected for one in totals),
    )


def name_of(one: DocumentState) -> str:
    """Name a document as people do."""
    kind = TYPE_NAMES.get(one.tipo) or (f"Documento tipo {one.tipo}" if one.tipo else "Documento")
    return f"{kind} N° {one.folio}" if one.folio else kind


def _headline(answer: SiiAnswer, outcome: SiiOutcome) -> str:
    if answer.upload not in {"", "0"}:
        return "El SII no recibió el archivo"
    totals = _sum(answer.totals)
    if answer.state == "EPR" and totals.rejected and totals.rejected < totals.informed:
        return "Procesado, con documentos rechazados"
    if outcome:
        return _HEADLINES[outcome]
    estado = ESTADOS.get(answer.state)
    if estado is None:
        return "Respuesta del SII"
    if answer.state == "EPR":
        return "Envío procesado"
    return {"envelope": "En proceso en el SII", "service": "La consulta falló"}.get(
        estado.scope if answer.state not in {"RPT", "VOF"} else "", estado.glosa
    )


def _statement(answer: SiiAnswer) -> str:
    estado = ESTADOS.get(answer.state)
    if answer.upload == "0":
        return (
            f"El SII recibió el archivo con el número {answer.track_id}. Todavía no lo revisa: consulte "
            "el estado con ese número."
        )
    if answer.upload:
        return "El archivo no entró al SII: ningún documento quedó recibido."
    if estado is None:
        return answer.glosa or "El SII respondió con un estado que no se conoce aquí."
    if answer.state == "EPR" and answer.totals:
        return _counted(_sum(answer.totals))
    named = answer.documents[0] if len(answer.documents) == 1 else None
    if named is not None and answer.state == named.state:
        return f"{name_of(named)}. {estado.happened} {estado.todo}"
    return f"{estado.happened} {estado.todo}"


def _counted(totals: Totals) -> str:
    parts = {
        "aceptó": totals.accepted,
        "aceptó con reparos": totals.objected,
        "rechazó": totals.rejected,
    }
    found = [f"{verb} {spell(count)}" for verb, count in parts.items() if count]
    said = (
        " y ".join(filter(None, (", ".join(found[:-1]), *found[-1:]))) or "no dijo qué fue de ellos"
    )
    many = "documento" if totals.informed == 1 else "documentos"
    return f"El SII revisó {spell(totals.informed)} {many}: {said}."


def _summary(answer: SiiAnswer, outcome: SiiOutcome) -> dict[str, object]:
    one = answer.documents[0] if len(answer.documents) == 1 else None
    totals = _sum(answer.totals)
    return {
        "state": answer.state,
        "glosa": answer.glosa,
        "outcome": outcome or None,
        "track_id": answer.track_id,
        "type": (one.tipo or None) if one else None,
        "folio": one.folio if one else "",
        "issuer": {"rut": answer.issuer, "name": ""},
        "informed": totals.informed,
        "accepted": totals.accepted,
        "rejected": totals.rejected,
        "objected": totals.objected,
        "documents": [
            {
                "type": document.tipo or None,
                "folio": document.folio,
                "state": document.state,
                "outcome": outcome_of(document.state) or None,
                "codes": document.codes,
                "details": list(document.details),
            }
            for document in answer.documents[:MOST_SHOWN]
        ],
    }


def _facts(answer: SiiAnswer) -> list[tuple[str, str]]:
    state = " · ".join(filter(None, (answer.state, answer.glosa)))
    return [
        ("Estado", state[:120]),
        ("N° de envío", answer.track_id),
        ("Emisor", answer.issuer),
        ("Enviado por", answer.sender),
        ("Recibido", answer.received),
        ("Archivo", answer.file),
        ("N° de atención", answer.attention),
    ]


def _tables(answer: SiiAnswer) -> list[Table]:
    tables = []
    if answer.totals:
        rows = [
            (
                TYPE_NAMES.get(one.tipo, str(one.tipo)), str(one.informed), str(one.accepted),
                str(one.objected), str(one.rejected),
            )
            for one in answer.totals
        ]  # fmt: skip
        columns = ("Tipo", "Informados", "Aceptados", "Con reparos", "Rechazados")
        tables.append(Table("Documentos del envío", columns, rows))
    if len(answer.documents) > 1:
        named = [
            (
                TYPE_NAMES.get(one.tipo, str(one.tipo)),
                one.folio,
                one.state,
                "; ".join(one.details)[:300],
            )
            for one in answer.documents[:MOST_SHOWN]
        ]
        tables.append(Table("Con reparo o rechazo", ("Tipo", "Folio", "Estado", "Detalle"), named))
    return tables
