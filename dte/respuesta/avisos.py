"""What can be said of the answers that receivers send: RespuestaDTE and EnvioRecibos."""

from typing import Final

from dte.examining.notices import Notice

_XSD: Final = "RespuestaEnvioDTE_v10.xsd, EnvioRecibos_v10.xsd y Recibos_v10.xsd del SII"
_AGAIN: Final = "Pídale al receptor que la genere de nuevo, o avísele a quien hace su programa."
_LAW: Final = "Ley 19.983, artículos 4 y 5; Ley 20.956"

STRUCTURE: Final = Notice(
    "RSP-01",
    "reject",
    "{lugar}: {problema}.",
    "Corrija la respuesta según el esquema del SII.",
    _XSD,
)
SIGNATURE: Final = Notice(
    "RSP-02", "reject", "La firma de {parte} no es válida: {motivo}.", _AGAIN, _XSD
)
CERTIFICATE: Final = Notice(
    "RSP-03", "review",
    "El certificado con que se firmó {parte} valía del {desde} al {hasta}, y se firmó el {firmado}.",
    _AGAIN, "X.509",
)  # fmt: skip
COUNT: Final = Notice(
    "RSP-04", "review", "La carátula dice {dice} detalles y vienen {vienen}.", _AGAIN, _XSD
)
ENVELOPE_REFUSED: Final = Notice(
    "RSP-05", "reject", "El receptor no recibió el envío: {estado}. {glosa}",
    "Corrija lo que indica y mándele el envío otra vez; ante el SII el documento no cambia.", _XSD,
)  # fmt: skip
NOT_RECEIVED: Final = Notice(
    "RSP-06", "reject", "{documento}: el receptor no lo recibió: {estado}. {glosa}",
    "Corrija lo que indica y mándele el documento otra vez; ante el SII el documento no cambia.", _XSD,
)  # fmt: skip
DISCREPANCY: Final = Notice(
    "RSP-07", "review", "{documento}: aceptado con discrepancias. {glosa}",
    "Revise con el receptor la diferencia; si procede, corrija con nota de crédito o débito.", _XSD,
)  # fmt: skip
REFUSED: Final = Notice(
    "RSP-08", "reject", "{documento}: el receptor lo rechazó. {glosa}",
    "Aclare el motivo con el receptor. Mire en el Registro de aceptación o reclamo del SII si también "
    "reclamó, que es lo que vale; si tiene razón, anule con una nota de crédito.",
    _LAW,
)  # fmt: skip
NO_REASON: Final = Notice(
    "RSP-09",
    "warn",
    "{documento}: se rechaza u objeta sin código de motivo (CodRchDsc).",
    _AGAIN,
    _XSD,
)
OTHER_DOCUMENT: Final = Notice(
    "RSP-10", "reject", "{documento}: dice {campo} {dice} y en el documento adjunto es {es}.",
    "La respuesta no es de ese documento, o está mal hecha: pídala de nuevo.", "Regla propia",
)  # fmt: skip
NOT_NAMED: Final = Notice(
    "RSP-11", "review", "El documento adjunto (tipo {tipo} N° {folio}) no está en esta respuesta.",
    "Revise que la respuesta sea de ese documento.", "Regla propia",
)  # fmt: skip
OTHER_THAN_KNOWN: Final = Notice(
    "RSP-12", "review", "{documento}: dice {campo} {dice} y lo que se validó aquí fue {es}.",
    "Revise si el receptor recibió otro documento con ese folio.", "Regla propia",
)  # fmt: skip
OTHER_RECEIVER: Final = Notice(
    "RSP-13", "review", "Responde {responde}, y el receptor de {documento} es {receptor}.",
    "La respuesta debe venir del receptor del documento.", _XSD,
)  # fmt: skip
DECLARATION: Final = Notice(
    "RSP-14", "reject",
    "{documento}: la declaración del recibo no es la que exige la ley, y sin ella el recibo no vale.",
    "Pida el recibo con el texto exacto del esquema del SII.", "Recibos_v10.xsd; Ley 19.983, art. 4 letra b",
)  # fmt: skip
OTHER_SIGNER: Final = Notice(
    "RSP-15",
    "review",
    "{documento}: dice que firma {dice} y el certificado es de {es}.",
    _AGAIN,
    _XSD,
)
NO_RECEIPT_TYPE: Final = Notice(
    "RSP-16", "warn", "{documento}: a ese tipo de documento no se le da recibo.",
    "El recibo vale para facturas, liquidaciones, facturas de compra y guías de despacho.", _LAW,
)  # fmt: skip
EMPTY: Final = Notice("RSP-17", "reject", "No responde a ningún envío ni documento.", _AGAIN, _XSD)
