"""What can be said of a CAF, the SII's authorisation of folios."""

from typing import Final

from dte.examining.notices import Notice

_SIGNED: Final = (
    "LCORE (validador del caf); firma FRMA sobre DA, verificada en documentos aceptados"
)
_AGAIN: Final = (
    "Vuelva a descargar el archivo desde el SII (Timbraje electrónico, «Reobtención de folios») y "
    "cárguelo sin abrirlo ni guardarlo con un editor."
)
_OWN: Final = "Regla propia"

SIGNATURE: Final = Notice(
    "CAF-21", "reject", "La firma del SII sobre el CAF no es válida: {motivo}.", _AGAIN, _SIGNED,
    sii="rechazo",
)  # fmt: skip
REENCODED: Final = Notice(
    "CAF-22", "reject",
    "El archivo se guardó en otra codificación y sus tildes o eñes cambiaron: dice «{texto}» y el SII "
    "firmó «{original}».",
    _AGAIN, _SIGNED, sii="rechazo",
)  # fmt: skip
REFORMATTED: Final = Notice(
    "CAF-23", "reject",
    "Al editar el archivo se agregaron espacios o saltos de línea dentro de {campos}: así la firma del "
    "SII no es válida.",
    _AGAIN, _SIGNED, sii="rechazo",
)  # fmt: skip
INCOMPLETE: Final = Notice(
    "CAF-24", "reject", "Al CAF le falta {campo}, o no se entiende.", _AGAIN,
    "XSD26 (CAF dentro del TED)", sii="rechazo",
)  # fmt: skip
WRONG_RUT: Final = Notice(
    "CAF-25", "reject", "El RUT del CAF {problema}.", _AGAIN, "XSD26 RUTType; módulo 11"
)
UNKNOWN_TYPE: Final = Notice(
    "CAF-26", "reject", "El tipo de documento {tipo} no es de un documento electrónico.", _AGAIN,
    "XSD26 DTEType",
)  # fmt: skip
INVERTED: Final = Notice(
    "CAF-27", "reject", "El rango de folios está invertido: va de {desde} a {hasta}.", _AGAIN,
    "Inferido: un CAF así tampoco pasa la firma del SII",
)  # fmt: skip
EXPIRED: Final = Notice(
    "CAF-28", "reject", "El CAF venció el {vence}: se autorizó el {autorizado}.",
    "No timbre con él: el SII rechaza los documentos. Anule en el SII los folios sin usar y pida un CAF "
    "nuevo.",
    "RES58; preguntas frecuentes del SII 001.003.6968 a 6970", sii="rechazo",
)  # fmt: skip
EXPIRES_SOON: Final = Notice(
    "CAF-29", "warn", "El CAF vence el {vence}: quedan {dias} días.",
    "Use los folios antes de esa fecha, o pida un CAF nuevo y anule los que sobren.",
    "RES58; preguntas frecuentes del SII 001.003.6968 a 6970",
)  # fmt: skip
GREY_DAYS: Final = Notice(
    "CAF-29", "warn",
    "El CAF vence el {vence}: ya pasaron 180 días desde su autorización y algunos sistemas lo dan por "
    "vencido.",
    "Úselo hoy o pida un CAF nuevo.", "RES58; LibreDTE cuenta 180 días",
)  # fmt: skip
OTHER_KEY: Final = Notice(
    "CAF-30", "reject",
    "La llave privada (RSASK) no es la de la llave pública que autorizó el SII (RSAPK).",
    "Se mezclaron dos archivos: vuelva a descargar el CAF desde el SII.",
    "F2.2 (timbre: FRMT se verifica con RSAPK)", sii="rechazo",
)  # fmt: skip
NO_KEY: Final = Notice(
    "CAF-31", "review", "El archivo no trae la llave privada (RSASK): con él no se puede timbrar.",
    "Cargue el archivo AUTORIZACION completo que entrega el SII, no el CAF copiado de un timbre.",
    "Archivo AUTORIZACION del SII",
)  # fmt: skip
BROKEN_KEY: Final = Notice(
    "CAF-32", "reject", "La llave privada (RSASK) está dañada: {motivo}.", _AGAIN,
    "Archivo AUTORIZACION del SII; PEM, RFC 7468",
)  # fmt: skip
JOINED_KEY: Final = Notice(
    "CAF-33", "warn",
    "La llave privada (RSASK) perdió sus saltos de línea: aquí se pudo leer, pero muchos programas no "
    "la aceptan.",
    _AGAIN, "PEM, RFC 7468 sección 2",
)  # fmt: skip
UNKNOWN_AUTHORITY: Final = Notice(
    "CAF-34", "warn",
    "El CAF lleva IDK «{idk}», que no es la llave de producción (300) ni de certificación (100) del SII: "
    "su firma no se pudo verificar.",
    "Si el SII le entregó este archivo, siga adelante; si no, descárguelo de nuevo.",
    "LCORE (certificados 100 y 300)",
)  # fmt: skip
OTHER_ENVIRONMENT: Final = Notice(
    "CAF-35", "reject", "El CAF es de {ambiente} y no sirve en el ambiente de {pedido}.",
    "Pida el CAF en el ambiente en que va a emitir.", "LCORE (certificados 100 y 300)", sii="rechazo",
)  # fmt: skip
OTHER_ISSUER: Final = Notice(
    "CAF-36", "reject", "El CAF es de {rut} y el emisor es {emisor}.",
    "Cargue un CAF del mismo emisor.", "SMOY (orden de las revisiones del SII)", sii="rechazo",
)  # fmt: skip
EXHAUSTED: Final = Notice(
    "CAF-37", "review", "No quedan folios sin usar entre {desde} y {hasta}.",
    "Pida un CAF nuevo antes de seguir emitiendo.", _OWN,
)  # fmt: skip
FEW_LEFT: Final = Notice(
    "CAF-37", "warn", "Quedan {quedan} folios de {total}.", "Pida pronto un CAF nuevo.", _OWN
)
GAPS: Final = Notice(
    "CAF-38", "warn", "Hay folios sin usar antes del último usado ({ultimo}): {huecos}.",
    "Úselos o anúlelos en el SII: el registro de ventas muestra los saltos.",
    "preguntas frecuentes del SII sobre folios no utilizados",
)  # fmt: skip
RESAVED: Final = Notice(
    "CAF-39", "warn", "El archivo no está como lo entrega el SII: {cambio}.",
    "Aquí no dañó la firma del SII; guarde de todos modos el archivo original.", _OWN,
)  # fmt: skip
OVERLAP: Final = Notice(
    "CAF-40", "review", "Dos archivos del ZIP autorizan los mismos folios de {emisor}, tipo {tipo}: {folios}.",
    "Cargue uno solo, o emitirá dos documentos con el mismo folio.", _OWN,
)  # fmt: skip
USED_UNREAD: Final = Notice(
    "CAF-41", "warn", "De los folios usados que se indicaron no se entendió «{texto}».",
    "Escriba números y rangos, por ejemplo 1-40, 45.", _OWN,
)  # fmt: skip
FUTURE: Final = Notice(
    "CAF-42",
    "review",
    "El CAF dice que se autorizó el {autorizado}, que todavía no llega.",
    _AGAIN,
    _OWN,
)
OTHER_PUBLIC_KEY: Final = Notice(
    "CAF-43", "review", "La llave pública suelta (RSAPUBK) no es la que autorizó el SII (RSAPK).",
    "No se usa para timbrar, pero muestra que el archivo se editó: descárguelo de nuevo.",
    "Archivo AUTORIZACION del SII",
)  # fmt: skip
