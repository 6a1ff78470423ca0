"""What the rules and code lists rest on, for whoever watches those texts."""

from collections.abc import Iterator

from dte.rules import REGISTRY
from knowledge.monitoring.citing import Citing

_FORMAT = "Formato DTE v2.2 del SII (2019)"
_LISTS = (
    Citing(
        "lista: impuestos",
        "Códigos, tasas y signo de los impuestos adicionales y retenciones",
        f"{_FORMAT}, sección 4, p.46-49",
        frozenset({"TipoImp", "TasaImp", "MontoImp", "CodImpAdic", "ImptoReten", "ImptReten"}),
    ),
    Citing(
        "lista: aduana",
        "Tablas de Aduanas que usan las exportaciones",
        "Compendio de Normas Aduaneras, Anexo 51",
        frozenset(
            {"CodModVenta", "CodClauVenta", "CodViaTransp", "CodPtoEmbarque", "CodPtoDesemb"}
            | {"CodUnidMedTara", "CodUnidPesoBruto", "CodUnidPesoNeto", "CodTpoBultos", "FmaPagExp"}
            | {"CodPaisRecep", "CodPaisDestin"}
        ),
    ),
    Citing(
        "lista: tipos de documento",
        "Tipos de DTE que se emiten y a los que se hace referencia",
        f"{_FORMAT}, p.9",
        frozenset({"TipoDTE", "TpoDocRef"}),
    ),
)


def citations() -> Iterator[Citing]:
    """Yield every rule and code list with its source; settings name this function."""
    yield from _LISTS
    for unit in REGISTRY.values():
        names = frozenset(path.rpartition("/")[2] for path in unit.fields)
        yield Citing(unit.code, unit.title, unit.source, names)
