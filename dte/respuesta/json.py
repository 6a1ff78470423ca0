"""Answers of the SII in JSON: the API of boletas, and what programs keep of the others."""

from collections.abc import Mapping

from dte.examining.given import Given
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
from dte.respuesta.estados import ESTADOS

_STATE = ("estado", "revision_estado", "codigo", "status", "state")
_GLOSA = ("glosa", "descripcion", "revision_detalle", "glosa_estado", "detalle", "mensaje")
_TRACK = ("trackid", "track_id", "trackId", "TRACKID", "trackID")
_ISSUER = ("rut_emisor", "rutEmisor", "emisor", "rut")
_TIPO = ("tipo", "dte", "tipo_dte", "tipoDte", "TipoDTE")
_MARKS = frozenset(
    (*_TRACK, "rut_emisor", "rut_envia", "detalle_rep_rech", "estadistica", "revision_estado", "glosa",
     "revision_detalle", "glosa_estado", "descripcion")
)  # fmt: skip


def is_answer(given: Given) -> bool:
    """Tell by the names of its fields: a state, and something the SII's answers have beside it."""
    value = given.json
    if not isinstance(value, dict) or not _MARKS.intersection(value):
        return False
    return any(_text(value, name) for name in _STATE) or any(_text(value, name) for name in _TRACK)


def read(given: Given) -> SiiAnswer:
    """Read an answer in JSON, which ``is_answer``."""
    value = given.json
    state, glosa = split_state(_first(value, _STATE))
    if state not in ESTADOS and _first(value, _STATE):
        state = state or _first(value, _STATE)[:20]
    track_id = to_track(_first(value, _TRACK))
    answer = SiiAnswer(
        state=state or ("REC" if track_id else ""),
        glosa=(_first(value, _GLOSA) or glosa)[:300],
        track_id=track_id,
        issuer=to_rut(_first(value, _ISSUER)),
        sender=to_rut(_text(value, "rut_envia")),
        received=_text(value, "fecha_recepcion")[:40],
        file=_text(value, "file")[:200],
        totals=[_totals(row) for row in _rows(value, "estadistica")][:50],
        documents=[_document(row) for row in _rows(value, "detalle_rep_rech")][:MAX_DOCUMENTS],
    )
    folio = to_folio(_text(value, "folio"))
    if folio:
        tipo = to_int(_first(value, _TIPO))
        answer.documents.insert(0, DocumentState(tipo, folio, state, answer.glosa))
    return answer


def _totals(row: Mapping[str, object]) -> Totals:
    return Totals(
        to_int(_text(row, "tipo")),
        to_int(_text(row, "informados")),
        to_int(_text(row, "aceptados")),
        to_int(_text(row, "rechazados")),
        to_int(_text(row, "reparos")),
    )


def _document(row: Mapping[str, object]) -> DocumentState:
    return DocumentState(
        to_int(_text(row, "tipo")),
        to_folio(_text(row, "folio")),
        _text(row, "estado")[:20],
        _text(row, "descripcion")[:300],
        [_detail(error) for error in _rows(row, "error")][:50],
    )


def _detail(error: Mapping[str, object]) -> str:
    """Write an error of the API of boletas as the other channels do: ``(HED-3-100) …``."""
    parts = [_text(error, name) for name in ("seccion", "nivel", "codigo")]
    code = f"({'-'.join(parts)}) " if all(parts) else ""
    words = ": ".join(filter(None, (_text(error, "descripcion"), _text(error, "detalle"))))
    return f"{code}{words}"[:500]


def _rows(value: Mapping[str, object], name: str) -> list[dict[str, object]]:
    rows = value.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _first(value: Mapping[str, object], names: tuple[str, ...]) -> str:
    return next((found for name in names if (found := _text(value, name))), "")


def _text(value: Mapping[str, object], name: str) -> str:
    found = value.get(name)
    if isinstance(found, bool) or found is None or isinstance(found, (dict, list)):
        return ""
    return str(found).strip()
