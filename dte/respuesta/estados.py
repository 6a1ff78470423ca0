"""The states that the SII answers with, what each means and what to do then.

Of uploads, envelopes and documents: SII, «Estado de envío» and «Estado de un DTE» (web services
QueryEstUp, QueryEstDte, QueryEstDteAv), Instructivo técnico, and the API of boletas. What to do is ours.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from dte.rules.findings import Severity
from dte.rules.registry import SiiOutcome

Scope = Literal["envelope", "document", "service", "book"]


class Estado(NamedTuple):
    """One state of the SII."""

    glosa: str
    """In the SII's words."""
    happened: str
    todo: str
    severity: Severity | None
    """What we advise; None when there is nothing to do."""
    outcome: SiiOutcome
    """What became of the documents; empty while that is open."""
    scope: Scope


_FIX_AND_RESEND: Final = (
    "Corrija el archivo, fírmelo de nuevo y envíelo otra vez: ningún documento quedó recibido y los "
    "folios se pueden volver a usar."
)
_WAIT: Final = (
    "No lo envíe otra vez. Consulte de nuevo en unos minutos con el mismo número de envío: todavía "
    "puede ser rechazado."
)
_RETRY: Final = "Es una falla de la consulta, no del documento: consulte de nuevo en unos minutos."
_LOGIN: Final = (
    "Pida un token nuevo (semilla firmada con un certificado vigente) y repita la consulta."
)


def _envelope(glosa: str, happened: str, todo: str = _FIX_AND_RESEND) -> Estado:
    return Estado(glosa, happened, todo, "reject", "rejected", "envelope")


def _open(glosa: str, happened: str) -> Estado:
    return Estado(glosa, happened, _WAIT, "review", "", "envelope")


def _modified(glosa: str, happened: str) -> Estado:
    return Estado(
        glosa, happened, "Nada: el documento está aceptado.", None, "accepted", "document"
    )


def _failed(glosa: str, todo: str = _RETRY) -> Estado:
    return Estado(glosa, "El SII no pudo responder la consulta.", todo, "review", "", "service")


ESTADOS: Final[Mapping[str, Estado]] = {
    # An upload and its envelope, in the order in which the SII goes through them.
    "REC": _open("Envío Recibido", "El SII recibió el archivo y todavía no lo revisa."),
    "SOK": _open("Esquema Validado", "El esquema está bien; siguen la firma, la carátula y los documentos."),
    "FOK": _open("Firma de Envío Validada", "La firma del sobre está bien; faltan los documentos."),
    "CRT": _open("Carátula OK", "La carátula está bien; el SII está por revisar los documentos."),
    "PRD": _open("Envío en Proceso", "El SII está revisando los documentos."),
    "PDR": _open("Envío en Proceso", "El SII está revisando los documentos."),
    "EPR": Estado(
        "Envío Procesado",
        "El SII terminó de revisar el envío. Eso no dice que aceptó los documentos: vea cada uno.",
        "Mire cuántos documentos se aceptaron, tuvieron reparos o se rechazaron.",
        None, "", "envelope",
    ),
    "RSC": _envelope(
        "Rechazado por Error en Schema",
        "El archivo no cumple el esquema XML del SII: se rechazó entero, antes de mirar los documentos.",
        "Valide el envío aquí para ver qué campo no cumple. Revise también que xsi:schemaLocation nombre "
        "el esquema, y que ninguna línea pase de 4.090 caracteres. " + _FIX_AND_RESEND,
    ),
    "RFR": _envelope(
        "Rechazado por Error en Firma",
        "La firma del sobre no es válida, o el certificado no sirve: se rechazó el envío entero.",
        "Revise que el certificado esté vigente y que quien firma esté autorizado por el emisor en el "
        "SII, y que el archivo no cambie después de firmarlo. " + _FIX_AND_RESEND,
    ),
    "RCT": _envelope(
        "Rechazado por Error en Carátula",
        "La carátula no corresponde: se rechazó el envío entero.",
        "Revise RUT del emisor y de quien envía, número y fecha de resolución (en certificación, 0 y la "
        "fecha de autorización) y los subtotales por tipo. " + _FIX_AND_RESEND,
    ),
    "RCO": _envelope("Rechazado por Consistencia", "Los datos del envío no son consistentes."),
    "RPT": Estado(
        "Rechazo por Repetido",
        "El SII ya había recibido este mismo archivo.",
        "No lo envíe otra vez: consulte el estado del primer envío. Si los documentos cambiaron, firme "
        "de nuevo, para que el archivo sea otro.",
        "review", "", "envelope",
    ),
    "VOF": Estado(
        "El Archivo .xml No Fue Encontrado",
        "El SII no encontró el archivo del envío.",
        "Envíelo de nuevo.", "reject", "", "envelope",
    ),
    # A document.
    "DOK": Estado(
        "Documento Recibido por el SII. Datos Coinciden con los Registrados",
        "El SII tiene el documento y sus datos coinciden.",
        "Nada: el documento está aceptado.", None, "accepted", "document",
    ),
    "RLV": Estado(
        "DTE Aceptado con Reparos Leves",
        "El SII aceptó el documento y observó algo menor.",
        "El documento vale. Corrija la causa para los próximos.", "warn", "objected", "document",
    ),
    "RPR": Estado(
        "DTE Aceptado con Reparos",
        "El SII aceptó el documento, con reparos.",
        "El documento vale y no se envía de nuevo. Si el reparo es de montos o de datos, corríjalo con "
        "una nota de crédito o débito; corrija la causa para los próximos.",
        "review", "objected", "document",
    ),
    "RCH": Estado(
        "DTE Rechazado",
        "El SII rechazó el documento: no existe para el SII y no se puede entregar al receptor.",
        "Corrija la causa, timbre y firme de nuevo con el mismo folio, y envíelo otra vez.",
        "reject", "rejected", "document",
    ),
    "DNK": Estado(
        "Documento Recibido por el SII pero Datos NO Coinciden con los Registrados",
        "El SII tiene un documento de ese tipo y folio, pero con otra fecha, monto o receptor que los "
        "consultados; también responde así cuando el documento fue rechazado.",
        "Repita la consulta con la fecha, el monto y el receptor del XML que envió. Si son esos, mire "
        "el resultado del envío: puede haber sido rechazado, o el folio se usó en otro documento.",
        "review", "", "document",
    ),
    "FAU": Estado(
        "Documento No Recibido por el SII",
        "El SII no tiene ese documento.",
        "Revise el estado de su envío: si se rechazó, corrija y envíe de nuevo; si nunca se envió, "
        "envíelo. Revise también tipo y folio de la consulta, y el ambiente.",
        "review", "", "document",
    ),
    "FNA": Estado(
        "Documento No Autorizado",
        "El folio no está autorizado para ese emisor y tipo.",
        "Use un folio de un CAF vigente del mismo emisor, tipo y ambiente.", "reject", "rejected",
        "document",
    ),
    "FAN": Estado(
        "Documento Anulado",
        "El folio fue anulado en el SII.",
        "No se puede usar ese folio: emita el documento con otro.", "reject", "annulled", "document",
    ),
    "EMP": Estado(
        "Empresa No Autorizada a Emitir Documentos Tributarios Electrónicos",
        "El emisor no está autorizado a emitir este tipo de documento.",
        "Revise en el SII la autorización del emisor para ese tipo, y el ambiente.", "reject",
        "rejected", "document",
    ),
    "TMD": _modified("Existe Nota de Débito que Modifica Texto Documento", "Una nota de débito modificó su texto."),
    "TMC": _modified("Existe Nota de Crédito que Modifica Textos Documento", "Una nota de crédito modificó su texto."),
    "MMD": _modified("Existe Nota de Débito que Modifica Montos Documento", "Una nota de débito modificó sus montos."),
    "MMC": _modified("Existe Nota de Crédito que Modifica Montos Documento", "Una nota de crédito modificó sus montos."),
    "AND": _modified("Existe Nota de Débito que Anula Documento", "Una nota de débito lo anuló."),
    "ANC": _modified("Existe Nota de Crédito que Anula Documento", "Una nota de crédito lo anuló."),
    # Books of purchases and sales.
    "LOK": Estado(
        "Envío de Libro Aceptado - Cuadrado", "El SII aceptó el libro y cuadra.",
        "Nada.", None, "", "book",
    ),
    "LNC": Estado(
        "Envío de Libro Aceptado - No Cuadrado",
        "El SII aceptó el libro, pero los totales no cuadran con sus registros.",
        "Compare el resumen del libro con el registro de compras y ventas del SII.", "review", "", "book",
    ),
    "LRH": Estado(
        "Envío de Libro Rechazado", "El SII rechazó el libro.",
        "Corrija el libro y envíelo de nuevo.", "reject", "", "book",
    ),
    "LRS": Estado(
        "Envío de Libro Rechazado por Error en Schema", "El libro no cumple el esquema.",
        "Corrija el libro y envíelo de nuevo.", "reject", "", "book",
    ),
    "LRF": Estado(
        "Envío de Libro Rechazado por Error en Firma", "La firma del libro no es válida.",
        "Firme el libro de nuevo con un certificado vigente y envíelo.", "reject", "", "book",
    ),
    # The service itself.
    "001": _failed("Cookie Inactiva", _LOGIN),
    "002": _failed("Token Inactivo", _LOGIN),
    "003": _failed("Token No Existe", _LOGIN),
    "-3": _failed("RUT Usuario No Existe", "Revise el RUT de quien consulta."),
    "-6": _failed("Usuario No Autorizado", "Consulte con un usuario autorizado por el emisor en el SII."),
    "-11": _failed("Error de Proceso"),
}  # fmt: skip
"""By the code; codes the SII has and nobody published are answered by their gloss."""

UPLOADS: Final[Mapping[str, tuple[str, str]]] = {
    "1": ("Quien envía no tiene permiso para enviar por la empresa",
          "Autorice en el SII a quien firma el envío, o envíe con otro certificado."),
    "2": ("Error en el tamaño del archivo: es muy grande o muy chico", "Divida el envío y súbalo de nuevo."),
    "3": ("El archivo llegó cortado", "Súbalo de nuevo."),
    "5": ("Quien envía no está autenticado", _LOGIN.replace("la consulta", "el envío")),
    "6": ("La empresa no está autorizada a enviar archivos",
          "Revise el ambiente (certificación o producción) y la autorización de la empresa en el SII."),
    "7": ("El esquema del envío no es válido",
          "Valide el envío aquí, corrija lo que se indique y súbalo de nuevo."),
    "8": ("Error en la firma del documento", "Firme de nuevo con un certificado vigente y súbalo."),
    "9": ("El sistema del SII está bloqueado", "Súbalo de nuevo en unos minutos."),
}  # fmt: skip
"""STATUS of the answer to an upload, but for 0: Instructivo técnico, «Envío automático de DTE»."""


def outcome_of(state: str) -> SiiOutcome:
    """Return what became of a document in that state."""
    known = ESTADOS.get(state)
    return known.outcome if known else ""
