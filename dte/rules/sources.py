"""Where the rules come from: short names for what many of them cite.

Rules cite ``F2.2 p.27 campo 124``; whoever reads a finding gets the name of the document.
"""

import re

SOURCES = {
    "F2.2": "Formato DTE v2.2 del SII (2019)",
    "XSD26": "esquema XSD del SII (2026-02-06)",
    "RES58": "Res. Ex. SII 58 de 2017",
    # Answers of the SII that others have met and published.
    "LAPP": "respuestas del SII publicadas por LibreDTE (app community)",
    "LCORE": "LibreDTE (biblioteca core)",
    "SMOY": "notas de certificación de dte-chile, que citan al SII",
    "CDL": "notas de certificación de cl_dte_lib, que citan al SII",
    "RURAL": "notas de certificación de ruraldte-engine, que citan al SII",
    "ODOO": "documentación de Odoo para Chile, que cita al SII",
    "CLSII": "biblioteca cl-sii",
    "FE": "biblioteca facturacion-electronica",
}
_SHORT = re.compile(r"(?<![\w.-])(" + "|".join(map(re.escape, SOURCES)) + r")(?![\w-])")


def spell_out(source: str) -> str:
    """Return a citation with the short names written out."""
    return _SHORT.sub(lambda match: SOURCES[match[1]], source)
