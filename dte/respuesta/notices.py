"""What can be said of an answer of the SII: one notice for each state, made from ``estados``."""

from collections.abc import Mapping
from typing import Final

from dte.examining.notices import Notice
from dte.respuesta.estados import ESTADOS, UPLOADS
from dte.rules.findings import Severity, SiiSeverity

_SOURCE: Final = "SII, estados de un envío y de un DTE (QueryEstUp, QueryEstDte); API de boletas"
_SII: Final[Mapping[Severity, SiiSeverity]] = {
    "reject": "rechazo",
    "review": "reparo",
    "warn": "aviso",
}

STATES: Final[Mapping[str, Notice]] = {
    code: Notice(
        code=f"SII-{code}",
        severity=estado.severity,
        message="{donde}" + estado.happened,
        fix=estado.todo,
        source=_SOURCE,
        sii=_SII[estado.severity] if estado.outcome else "n/a",
    )
    for code, estado in ESTADOS.items()
    if estado.severity is not None
}
UPLOAD: Final[Mapping[str, Notice]] = {
    status: Notice(
        f"SII-UP{status}", "reject", f"El SII no recibió el archivo: {reason}.", todo,
        "Instructivo técnico del SII, envío automático de DTE", sii="rechazo",
    )
    for status, (reason, todo) in UPLOADS.items()
}  # fmt: skip
OTHER_UPLOAD: Final = Notice(
    "SII-UPX", "reject", "El SII no recibió el archivo: error interno ({status}).",
    "Súbalo de nuevo en unos minutos; si se repite, avise a la mesa de ayuda del SII.",
    "Instructivo técnico del SII, envío automático de DTE", sii="rechazo",
)  # fmt: skip
UNKNOWN: Final = Notice(
    "SII-OTRO", "review", "El SII respondió «{estado}», un estado que no se conoce aquí: {glosa}.",
    "Lea la glosa del SII; si dice rechazo, corrija y envíe de nuevo.", _SOURCE,
)  # fmt: skip
REJECTED_INSIDE: Final = Notice(
    "SII-EPR", "reject",
    "El envío se procesó, pero el SII rechazó {rechazados} de {informados} documentos.",
    "«Envío Procesado» no es «aceptado»: corrija los rechazados, cada uno con su mismo folio, y "
    "envíelos otra vez; los demás no se envían de nuevo.", _SOURCE, sii="rechazo",
)  # fmt: skip
OBJECTED_INSIDE: Final = Notice(
    "SII-EPR", "review",
    "El envío se procesó y el SII aceptó con reparos {reparos} de {informados} documentos.",
    "Los documentos valen y no se envían de nuevo; corrija la causa para los próximos.", _SOURCE,
    sii="reparo",
)  # fmt: skip
OPEN_INSIDE: Final = Notice(
    "SII-EPR", "review",
    "El envío se procesó, pero esta respuesta no dice qué fue de sus documentos.",
    "Consulte el envío por sus totales (QueryEstUp), o cada documento, antes de darlos por aceptados.",
    _SOURCE,
)  # fmt: skip
DETAIL: Final = Notice(
    "SII-DET",
    "review",
    "{donde}{detalle}",
    "Corrija la causa antes de emitir los próximos.",
    _SOURCE,
)
