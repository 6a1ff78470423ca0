"""IMG: a printed document that cannot be read at all; what is found on its pages is said elsewhere."""

from dte.rules.registry import XML, by_reader, family, rule

family("IMG", "El PDF o la imagen de un documento")

rule(
    "IMG-01",
    title="El PDF o la imagen no se puede leer.",
    message="El PDF o la imagen no se puede leer: {motivo}.",
    fix="Genere el PDF de nuevo, o fotografíe o escanee la hoja a 150–300 puntos por pulgada y súbala "
    "como PDF, PNG o JPEG.",
    source="Regla propia",
    sii="n/a",
    severity="reject",
    confidence="alta",
    forms=XML,
    level="file",
    fields=("/",),
)(by_reader)
