"""The documents behind the page's "Probar con un ejemplo": fictional companies, keys of one run.

``python -m tests.samples`` writes them again; a test judges them as they are on disk.
"""

from pathlib import Path
from typing import Final

from tests.documents import Document
from tests.factories import signed

FOLDER: Final = Path(__file__).parents[1] / "chat" / "static" / "chat" / "samples"
DAY: Final = "2026-11-20"

CORRECT: Document = {
    "Encabezado": {
        "IdDoc": {
            "TipoDTE": "33",
            "Folio": "1042",
            "FchEmis": DAY,
            "FmaPago": "2",
            "FchVenc": "2026-12-20",
        },
        "Emisor": {
            "RUTEmisor": "76543210-3",
            "RznSoc": "Papelera Los Aromos SpA",
            "GiroEmis": "Venta al por mayor de artículos de oficina",
            "Acteco": ["464901"],
            "DirOrigen": "Avenida Central 1250",
            "CmnaOrigen": "Rancagua",
        },
        "Receptor": {
            "RUTRecep": "77821456-3",
            "RznSocRecep": "Ferretería San Esteban Limitada",
            "GiroRecep": "Ferretería y materiales de construcción",
            "DirRecep": "Calle Larga 320",
            "CmnaRecep": "San Esteban",
        },
        "Totales": {"MntNeto": "148000", "TasaIVA": "19", "IVA": "28120", "MntTotal": "176120"},
    },
    "Detalle": [
        {
            "NroLinDet": "1",
            "NmbItem": "Resma de papel carta",
            "QtyItem": "40",
            "PrcItem": "3200",
            "MontoItem": "128000",
        },
        {
            "NroLinDet": "2",
            "NmbItem": "Archivador de palanca",
            "QtyItem": "10",
            "PrcItem": "2000",
            "MontoItem": "20000",
        },
    ],
}

# What goes wrong most: a mistyped RUT, two digits swapped in the tax, a field left out, a line
# changed after its amount was computed, a date of the month before.
FAULTS: dict[str, object] = {
    "Folio": "1043",
    "FchVenc": "2026-10-20",
    "RUTRecep": "77821456-7",
    "GiroRecep": None,
    "IVA": "28210",
    "QtyItem": "45",
}


def _spoiled(node: object) -> object:
    if isinstance(node, list):
        return [_spoiled(node[0]), *node[1:]]
    if not isinstance(node, dict):
        return node
    changed = {name: FAULTS.get(name, _spoiled(value)) for name, value in node.items()}
    return {name: value for name, value in changed.items() if value is not None}


def write() -> None:
    """Write both samples, stamped and signed on their day."""
    for name, content in (("factura", CORRECT), ("factura-con-errores", _spoiled(CORRECT))):
        document = signed(
            doc=content,
            caf={"first": 1001, "last": 1200, "granted": "2026-10-05"},
            stamped=f"{DAY}T10:15:00",
            tmst=f"{DAY}T10:15:02",
        )
        (FOLDER / f"{name}.xml").write_bytes(document)


if __name__ == "__main__":
    write()
