"""The fields of a CAF file."""

from dataclasses import dataclass, field
from datetime import date

from lxml import etree

from dte.documents.document import to_type
from dte.examining.tree import Tree
from dte.formato.elements import child, text


@dataclass(frozen=True, slots=True)
class CafFile:
    """What an AUTORIZACION (or a CAF alone) says; empty and None where it says nothing."""

    tree: Tree
    caf: etree._Element
    issuer: str
    name: str
    tipo: int
    first: int | None
    last: int | None
    granted: date | None
    modulus: str
    exponent: str
    idk: int | None
    private_key: str = field(repr=False)
    """PEM, as the file writes it. Never to be stored or logged."""
    public_key: str

    @property
    def missing(self) -> list[str]:
        """Names of what a CAF needs and does not have."""
        needed = {
            "el RUT del emisor (RE)": self.issuer,
            "la razón social (RS)": self.name,
            "el tipo de documento (TD)": self.tipo,
            "el primer folio (RNG/D)": self.first,
            "el último folio (RNG/H)": self.last,
            "la fecha de autorización (FA)": self.granted,
            "la llave pública (RSAPK)": self.modulus and self.exponent,
            "el número de la llave del SII (IDK)": self.idk,
            "la firma del SII (FRMA)": text(self.caf, "FRMA"),
        }
        return [name for name, value in needed.items() if value in (None, "", 0)]


def read_caf(tree: Tree) -> CafFile | None:
    """Read a file; None when it has no CAF with a DA."""
    root = tree.root
    caf = root if etree.QName(root).localname == "CAF" else child(root, "CAF")
    da = child(caf, "DA")
    if caf is None or da is None:
        return None
    return CafFile(
        tree=tree,
        caf=caf,
        issuer=text(da, "RE"),
        name=text(da, "RS"),
        tipo=to_type(text(da, "TD")),
        first=_folio(text(da, "RNG", "D")),
        last=_folio(text(da, "RNG", "H")),
        granted=_day(text(da, "FA")),
        modulus=text(da, "RSAPK", "M"),
        exponent=text(da, "RSAPK", "E"),
        idk=_folio(text(da, "IDK")),
        private_key=text(root, "RSASK"),
        public_key=text(root, "RSAPUBK"),
    )


def _folio(digits: str) -> int | None:
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 10 else None


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
