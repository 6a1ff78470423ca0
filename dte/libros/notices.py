"""What can be wrong with a book or a report of folios."""

from typing import Final

from dte.examining.notices import Notice

_AGAIN = "Corrija el dato, vuelva a firmar y genere el archivo de nuevo."

STRUCTURE: Final = Notice(
    "LIB-01",
    "reject",
    "{campo} {problema}.",
    fix="Ajuste el archivo al esquema del SII antes de firmarlo.",
    source="esquemas LibroCV_v10 y LibroGuia_v10 del SII; Formato Reporte Consumo de Folios v1.0",
    sii="rechazo",
)
SIGNATURE: Final = Notice(
    "LIB-02",
    "reject",
    "La firma del archivo no es válida: {motivo}.",
    fix="Vuelva a firmar, y no edite el archivo después.",
    source="esquema xmldsignature_v10 del SII",
    sii="rechazo",
)
CERTIFICATE: Final = Notice(
    "LIB-03",
    "reject",
    "El certificado vale del {desde} al {hasta} y se firmó el {firmado}.",
    fix="Firme con un certificado vigente.",
    source="esquema xmldsignature_v10 del SII; F2.2 p.45",
    sii="rechazo",
)
SUM: Final = Notice(
    "LIB-04",
    "reject",
    "{campo} dice {dice} y el detalle suma {suma} ({que}).",
    fix="El resumen debe ser la suma del detalle: vuelva a calcularlo.",
    source="Regla propia: el resumen se calcula del detalle",
    sii="reparo",
)
RUT: Final = Notice(
    "LIB-05",
    "review",
    "El RUT de {de_quien} {problema}.",
    fix=_AGAIN,
    source="Regla propia",
)
REPEATED: Final = Notice(
    "LIB-06",
    "review",
    "El documento tipo {tipo} folio {folio} de {rut} viene más de una vez.",
    fix="Deje una sola línea por documento.",
    source="Regla propia",
)
PERIOD: Final = Notice(
    "LIB-07",
    "reject",
    "El período tributario «{periodo}» no es un mes AAAA-MM.",
    fix=_AGAIN,
    source="esquemas LibroCV_v10 y LibroGuia_v10 (xs:gYearMonth)",
    sii="rechazo",
)
NOTIFICATION: Final = Notice(
    "LIB-08",
    "review",
    "Un libro ESPECIAL responde a una notificación del SII y no indica su folio.",
    fix="Complete FolioNotificacion con el folio con que el SII lo pidió.",
    source="esquema LibroCV_v10 (FolioNotificacion)",
)
FOLIOS: Final = Notice(
    "LIB-09",
    "reject",
    "Tipo {tipo}: {campo} es {dice} y debería ser {esperado} ({que}).",
    fix="Cuente de nuevo los folios emitidos y anulados del período.",
    source="Formato Reporte Consumo de Folios v1.0 del SII (2009)",
    sii="rechazo",
)
RANGE: Final = Notice(
    "LIB-10",
    "reject",
    "Tipo {tipo}: el rango {desde}–{hasta} {problema}.",
    fix="Revise los rangos de folios: no se invierten ni se traslapan.",
    source="Formato Reporte Consumo de Folios v1.0 del SII (2009)",
    sii="rechazo",
)
TOTAL: Final = Notice(
    "LIB-11",
    "review",
    "Tipo {tipo}: el total es {dice} y neto, IVA y exento suman {suma}.",
    fix="Revise los montos del resumen.",
    source="Formato Reporte Consumo de Folios v1.0 del SII (2009)",
)
DATES: Final = Notice(
    "LIB-12",
    "reject",
    "El período va del {desde} al {hasta}.",
    fix="FchInicio debe ser anterior o igual a FchFinal.",
    source="Formato Reporte Consumo de Folios v1.0 del SII (2009)",
    sii="rechazo",
)
