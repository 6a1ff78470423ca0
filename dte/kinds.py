"""The kinds of file the service takes besides a DTE and its envelopes: one line each.

The first that recognises a file examines it; what nobody recognises is read as a document, whose
readers say what is wrong with it.
"""

from typing import Final

from dte import caf, certificado, cesion, impreso, libros, respuesta
from dte.examining.examination import Kind
from dte.examining.given import Given

KINDS: Final[tuple[Kind, ...]] = (
    caf.KIND,
    certificado.KIND,
    cesion.KIND,
    impreso.KIND,
    *libros.KINDS,
    *respuesta.KINDS,
)

# By far the most frequent: not worth asking every kind.
_DOCUMENTS: Final = frozenset({"DTE", "EnvioDTE", "EnvioBOLETA", "SetDTE"})


def recognise(given: Given) -> Kind | None:
    """Return the kind of a file; None for a document, and for what no kind knows."""
    if given.root in _DOCUMENTS:
        return None
    return next((kind for kind in KINDS if kind.recognise(given)), None)
