"""What comes back for a document that was sent: from the SII, and from its receiver."""

from dte.examining.examination import Kind
from dte.examining.given import Given
from dte.respuesta import intercambio, json, recibos, texto, xml
from dte.respuesta.examination import examine


def recognise(given: Given) -> bool:
    """Tell an answer of the SII by its root, the names of its JSON, or its words."""
    if given.form == "json":
        return json.is_answer(given)
    return given.root in xml.ROOTS or texto.is_answer(given)


SII = Kind(
    name="RespuestaSII",
    title="Respuesta del SII",
    recognise=recognise,
    examine=examine,
)
KINDS = (SII, intercambio.KIND, recibos.KIND)
