"""The documents of docs/examples, which `make run` proposes to validate: fictional, stamped and signed.

`python -m tests.examples` writes them anew; the keys differ on each run.
"""

from pathlib import Path
from typing import Final

from tests.documents import BUYER, ISSUER, Document
from tests.factories import signed

EXAMPLES: Final = Path(__file__).parent.parent / "docs" / "examples"
DAY: Final = "2026-11-20"


def factura(*, iva: int) -> Document:
    """Three lines, one of them with a discount, on thirty days' credit. The IVA of 139,250 is 26,458."""
    net = 139_250
    return {
        "Encabezado": {
            "IdDoc": {
                "TipoDTE": "33",
                "Folio": "4127",
                "FchEmis": DAY,
                "FmaPago": "2",
                "FchVenc": "2026-12-20",
            },
            "Emisor": {
                "RUTEmisor": ISSUER,
                "RznSoc": "Molinos del Itata SpA",
                "GiroEmis": "Venta al por mayor de abarrotes",
                "Acteco": ["463020"],
                "DirOrigen": "Camino a Coelemu 100",
                "CmnaOrigen": "Chillán",
            },
            "Receptor": {
                "RUTRecep": BUYER,
                "RznSocRecep": "Panificadora La Espiga Limitada",
                "GiroRecep": "Elaboración de pan",
                "DirRecep": "Av. Brasil 1207",
                "CmnaRecep": "Curicó",
            },
            "Totales": {
                "MntNeto": str(net),
                "TasaIVA": "19",
                "IVA": str(iva),
                "MntTotal": str(net + iva),
            },
        },
        "Detalle": [
            {
                "NroLinDet": "1",
                "NmbItem": "Harina panadera 25 kg",
                "QtyItem": "5",
                "PrcItem": "19500",
                "MontoItem": "97500",
            },
            {
                "NroLinDet": "2",
                "NmbItem": "Levadura fresca 500 g",
                "QtyItem": "20",
                "PrcItem": "1750",
                "DescuentoPct": "5",
                "DescuentoMonto": "1750",
                "MontoItem": "33250",
            },
            {"NroLinDet": "3", "NmbItem": "Despacho a planta", "MontoItem": "8500"},
        ],
    }


def write() -> None:
    """Write both examples: one in order, one whose IVA is wrong."""
    authorisation = {"first": 4001, "last": 4500, "granted": "2026-09-15"}
    for name, iva in (("factura-33.xml", 26_458), ("factura-33-iva-errado.xml", 25_458)):
        content = signed(
            33,
            doc=factura(iva=iva),
            caf=authorisation,
            stamped=f"{DAY}T10:15:00",
            tmst=f"{DAY}T10:15:02",
        )
        (EXAMPLES / name).write_bytes(content)


if __name__ == "__main__":
    write()
