"""CAF: the file with which the SII authorises folios, and the secret key that stamps with them."""

from dte.caf.examination import examine
from dte.caf.together import together
from dte.examining.examination import Kind
from dte.examining.given import Given


def recognise(given: Given) -> bool:
    """Tell by the root: AUTORIZACION, or a CAF copied out of it."""
    return given.root in {"AUTORIZACION", "CAF"}


KIND = Kind(
    name="CAF",
    title="Autorización de folios (CAF)",
    recognise=recognise,
    examine=examine,
    keeps_content=False,
    together=together,
)
