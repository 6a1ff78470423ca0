"""What can be said of a printed document, by its stamp, its text and the XML it claims to be."""

from typing import Final

from dte.examining.notices import Notice

_RECIPE = "F2.2 p.45 (timbre PDF417); receta verificada en documentos aceptados"
_ASK = "No lo acepte así: pida al emisor el XML, o consulte el documento en el sitio del SII."

NO_STAMP: Final = Notice(
    "IMP-01",
    "review",
    "No se encontró un timbre PDF417 legible en {miradas} de {paginas} páginas.",
    fix="Si el documento lo lleva, escanéelo derecho y nítido, a 150 puntos por pulgada o más. Si no lo "
    "lleva, no es la representación impresa de un DTE.",
    source=_RECIPE,
)
NOT_A_STAMP: Final = Notice(
    "IMP-02",
    "review",
    "El código PDF417 de la página {pagina} no contiene un timbre del SII (TED).",
    fix=_ASK,
    source=_RECIPE,
)
STAMP: Final = Notice(
    "IMP-03",
    "reject",
    "La firma del timbre no es válida: {motivo}.",
    fix=_ASK,
    source="TED-2-510 del SII; " + _RECIPE,
    sii="rechazo",
)
CAF: Final = Notice(
    "IMP-04",
    "reject",
    "La firma del SII sobre los folios (CAF) no es válida: {motivo}.",
    fix=_ASK,
    source=_RECIPE,
    sii="rechazo",
)
UNKNOWN_CAF: Final = Notice(
    "IMP-05",
    "warn",
    "El CAF del timbre lleva IDK «{idk}», que no es la llave de producción (300) ni de certificación "
    "(100) del SII: su firma no se pudo verificar.",
    fix="En producción los CAF llevan IDK 300.",
    source="LCORE (certificados 100 y 300)",
)
TEST_CAF: Final = Notice(
    "IMP-06",
    "review",
    "El timbre es del ambiente de certificación (IDK 100): es una prueba y no un documento válido.",
    fix=_ASK,
    source="LCORE (certificados 100 y 300)",
)
OTHER_CAF: Final = Notice(
    "IMP-07",
    "reject",
    "El timbre dice {dato} «{timbre}» y su CAF «{caf}».",
    fix=_ASK,
    source="SMOY; LCORE caf",
    sii="rechazo",
)
FOLIO: Final = Notice(
    "IMP-08",
    "reject",
    "El folio {folio} no está en el rango {desde}–{hasta} que autoriza el CAF del timbre.",
    fix=_ASK,
    source="SMOY; LCORE caf",
    sii="rechazo",
)
EXPIRED: Final = Notice(
    "IMP-09",
    "reject",
    "El CAF venció el {vence} y el timbre es del {timbrado}.",
    fix=_ASK,
    source="RES58 (6 meses desde la autorización)",
    sii="rechazo",
)
FUTURE: Final = Notice(
    "IMP-10",
    "warn",
    "El timbre dice que el documento se emitió el {emitido}, fecha que aún no llega.",
    fix="Confirme la fecha con el emisor.",
    source="Regla propia",
)
INCOMPLETE: Final = Notice(
    "IMP-11",
    "reject",
    "Al timbre le falta {falta}.",
    fix=_ASK,
    source="XSD26 (DD)",
    sii="rechazo",
)
TEXT: Final = Notice(
    "IMP-12",
    "review",
    "El timbre dice {dato} «{timbre}», y ese valor no está en el texto de la página.",
    fix="Compare la hoja con lo que dice el timbre: vale el timbre, que está firmado.",
    source="Regla propia",
)
XML: Final = Notice(
    "IMP-13",
    "reject",
    "El timbre dice {dato} «{timbre}» y el XML «{xml}».",
    fix="La hoja no es la representación de ese XML: pida al emisor la que corresponde.",
    source="XSD26 (DD); F2.2 p.45",
)
NOT_IN_XML: Final = Notice(
    "IMP-14",
    "reject",
    "El XML entregado no trae el documento del timbre (tipo {tipo}, folio {folio}).",
    fix="Suba el XML del documento impreso.",
    source="Regla propia",
)
XML_UNREADABLE: Final = Notice(
    "IMP-15",
    "review",
    "El XML con que comparar no se puede leer: {motivo}",
    fix="Suba el XML del DTE.",
    source="Regla propia",
)
HISTORY: Final = Notice(
    "IMP-16",
    "reject",
    "En su historial este documento es por {total} y el timbre dice {timbre}.",
    fix=_ASK,
    source="Regla propia",
)
SEVERAL: Final = Notice(
    "IMP-17",
    "warn",
    "El archivo trae timbres de {cuantos} documentos distintos; se examinó el primero.",
    fix="Suba cada documento por separado.",
    source="Regla propia",
)
