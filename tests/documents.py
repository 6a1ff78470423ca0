"""Plain documents for the rule tests: one valid document per type, to be spoiled in one place.

    codes(document(33, {"Encabezado/Totales/IVA": "1"}), form="xml")

They are complete in content but neither stamped nor signed; tests of stamps and signatures use the
factory of signed documents.
"""

import copy
import json
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from lxml import etree

from dte.documents.document import Dte
from dte.formato.outline import Field, outline_for
from dte.parsing.json import parse_json, read_json
from dte.parsing.xml import XmlFile, read_xml
from dte.rules.engine import judge
from dte.rules.findings import Finding
from dte.rules.registry import Context

Document = dict[str, Any]
DELETE = None

AS_OF = datetime(2026, 3, 2, 12, tzinfo=ZoneInfo("America/Santiago"))
DAY = "2026-03-02"
ISSUER = "76192083-9"
BUYER = "77120455-4"

_ISSUER = {
    "RUTEmisor": ISSUER,
    "RznSoc": "Molinos del Itata SpA",
    "GiroEmis": "Venta al por mayor de abarrotes",
    "Acteco": ["463020"],
    "DirOrigen": "Camino a Coelemu 100",
    "CmnaOrigen": "Chillán",
}
_BUYER = {
    "RUTRecep": BUYER,
    "RznSocRecep": "Panificadora La Espiga Limitada",
    "GiroRecep": "Elaboración de pan",
    "DirRecep": "Av. Brasil 1207",
    "CmnaRecep": "Curicó",
}
_FOREIGNER = {
    "RUTRecep": "55555555-5",
    "RznSocRecep": "Northern Foods Inc.",
    "DirRecep": "12 Harbor Street",
}


def _line(**fields: str) -> dict[str, object]:
    return {"NroLinDet": "1", "NmbItem": "Harina 25 kg", **fields}


def _reference(tipo: str, code: str | None = None, **fields: str) -> dict[str, str]:
    row = {"NroLinRef": "1", "TpoDocRef": tipo, "FolioRef": "77", "FchRef": "2026-03-01", **fields}
    return row | {"CodRef": code, "RazonRef": "Anula el documento"} if code else row


_TAXED = {"MntNeto": "1000", "TasaIVA": "19", "IVA": "190", "MntTotal": "1190"}
_TAXED_LINE = _line(QtyItem="2", PrcItem="500", MontoItem="1000")
_EXPORT_TOTALS = {"TpoMoneda": "DOLAR USA", "MntExe": "1000", "MntTotal": "1000"}
_IN_PESOS = {
    "TpoMoneda": "PESO CL",
    "TpoCambio": "950",
    "MntExeOtrMnda": "950000",
    "MntTotOtrMnda": "950000",
}


def _header(
    tipo: int, totals: dict[str, object], *, receiver: dict[str, object], **iddoc: str
) -> Document:
    return {
        "IdDoc": {"TipoDTE": str(tipo), "Folio": "123", "FchEmis": DAY, **iddoc},
        "Emisor": _ISSUER,
        "Receptor": receiver,
        "Totales": totals,
    }


def _boleta(tipo: int, totals: dict[str, str]) -> Document:
    header = _header(tipo, totals, receiver={"RUTRecep": "66666666-6"}, IndServicio="3")
    header["Emisor"] = {
        "RUTEmisor": ISSUER,
        "RznSocEmisor": _ISSUER["RznSoc"],
        "GiroEmisor": _ISSUER["GiroEmis"],
    }
    return {
        "Encabezado": header,
        "Detalle": [_line(QtyItem="1", PrcItem="1190", MontoItem="1190")],
    }


def _export(tipo: int, **iddoc: str) -> Document:
    header = _header(tipo, _EXPORT_TOTALS, receiver=_FOREIGNER, **iddoc)
    header["OtraMoneda"] = _IN_PESOS
    document: Document = {
        "Encabezado": header,
        "Detalle": [_line(QtyItem="10", PrcItem="100", MontoItem="1000")],
    }
    if tipo != 110:
        document["Referencia"] = [_reference("110" if tipo == 112 else "112", "1")]
    return document


def _valid() -> dict[int, Document]:
    taxed = {"Detalle": [_TAXED_LINE]}
    exempt_line = {"Detalle": [_line(QtyItem="2", PrcItem="500", MontoItem="1000", IndExe="1")]}
    retained = {"TipoImp": "15", "TasaImp": "19", "MontoImp": "190"}
    purchase_line = _TAXED_LINE | {"CodImpAdic": ["15"], "Retenedor": {"IndAgente": "R"}}
    commission = {"NroLinCom": "1", "TipoMovim": "C", "Glosa": "Comisión", "ValComNeto": "100"}
    liquidation_totals = _TAXED | {
        "Comisiones": {"ValComNeto": "100", "ValComExe": "0", "ValComIVA": "19"},
        "MntTotal": "1071",
    }
    return {
        33: {"Encabezado": _header(33, _TAXED, receiver=_BUYER, FmaPago="1"), **taxed},
        34: {
            "Encabezado": _header(
                34, {"MntExe": "1000", "MntTotal": "1000"}, receiver=_BUYER, FmaPago="1"
            ),
            **exempt_line,
        },
        39: _boleta(39, {"MntNeto": "1000", "IVA": "190", "MntTotal": "1190"}),
        41: _boleta(41, {"MntExe": "1190", "MntTotal": "1190"}),
        43: {
            "Encabezado": _header(43, liquidation_totals, receiver=_BUYER, FmaPago="1"),
            "Detalle": [_TAXED_LINE | {"TpoDocLiq": "33"}],
            "Comisiones": [commission | {"ValComExe": "0", "ValComIVA": "19"}],
        },
        46: {
            "Encabezado": _header(
                46, _TAXED | {"ImptoReten": [retained], "MntTotal": "1000"}, receiver=_BUYER
            ),
            "Detalle": [purchase_line],
        },
        52: {
            "Encabezado": _header(52, _TAXED, receiver=_BUYER, TipoDespacho="1", IndTraslado="1")
            | {"Transporte": {"DirDest": "Av. Brasil 1207", "CmnaDest": "Curicó"}},
            **taxed,
        },
        56: {
            "Encabezado": _header(56, _TAXED, receiver=_BUYER),
            **taxed,
            "Referencia": [_reference("61", "1")],
        },
        61: {
            "Encabezado": _header(61, _TAXED, receiver=_BUYER),
            **taxed,
            "Referencia": [_reference("33", "1")],
        },
        110: _export(110, IndServicio="4", FmaPagExp="1"),
        111: _export(111),
        112: _export(112),
    }


VALID = _valid()
TYPES = tuple(VALID)


def document(tipo: int = 33, changes: dict[str, object] | None = None, **zones: object) -> Document:
    """Return a valid document with some paths set (``Detalle[1]/QtyItem``) or deleted (``DELETE``)."""
    result = copy.deepcopy(VALID[tipo])
    for path, value in {**(changes or {}), **zones}.items():
        _set(result, path.split("/"), value)
    return result


def _set(node: Any, steps: list[str], value: Any) -> None:
    name, _, number = steps[0].partition("[")
    index = int(number.rstrip("]")) - 1 if number else None
    if len(steps) > 1:
        if index is None:
            _set(node.setdefault(name, {}), steps[1:], value)
        else:
            rows = node.setdefault(name, [])
            while len(rows) <= index:
                rows.append({})
            _set(rows[index], steps[1:], value)
    elif index is not None:
        node[name][index : index + 1] = [] if value is DELETE else [value]
    elif value is DELETE:
        node.pop(name, None)
    else:
        node[name] = value


def to_xml(doc: Document) -> bytes:
    """Return the document as the XML of one DTE, fields in the order of the format; not signed."""
    tipo = int(doc["Encabezado"]["IdDoc"].get("TipoDTE") or 33)
    name = {43: "Liquidacion", 110: "Exportaciones", 111: "Exportaciones", 112: "Exportaciones"}
    namespaces: Any = {None: "http://www.sii.cl/SiiDte"}  # the stubs do not know the default one
    root = etree.Element("DTE", version="1.0", nsmap=namespaces)
    body = etree.SubElement(root, name.get(tipo, "Documento"), ID="F1")
    _fill(body, doc, outline_for(tipo))
    raw = etree.tostring(root, encoding="ISO-8859-1", xml_declaration=True, pretty_print=True)
    assert isinstance(raw, bytes)
    return raw


def _fill(element: etree._Element, node: Document, field: Field) -> None:
    order = {name: child.order for name, child in field.children.items()}
    for name in sorted(node, key=lambda key: order.get(key, 999)):
        for value in node[name] if isinstance(node[name], list) else [node[name]]:
            child = etree.SubElement(element, name)
            if isinstance(value, dict):
                _fill(child, value, field.children.get(name, Field(name, 0, 1, "", 0)))
            else:
                child.text = value


def from_xml(raw: bytes) -> Dte:
    """Read the only document of a file."""
    return next(file_of(raw).documents())


def file_of(raw: bytes) -> XmlFile:
    """Read a file."""
    return read_xml(raw)


def from_json(doc: object) -> Dte:
    """Read a document from its JSON text, as a request brings it."""
    return read_json(parse_json(json.dumps(doc).encode()))


def read(doc: Document, form: Literal["xml", "json"]) -> Dte:
    """Read a document in either form."""
    return from_xml(to_xml(doc)) if form == "xml" else from_json(doc)


# Codes that a document which was neither stamped nor signed always gets.
UNSIGNED = frozenset({"TED-01", "SIG-01"})


def findings(
    doc: Document, form: Literal["xml", "json"] = "json", **context: object
) -> list[Finding]:
    """Judge a document on its day."""
    return judge(read(doc, form), Context(**{"as_of": AS_OF, **context}))


def codes(doc: Document, form: Literal["xml", "json"] = "json", **context: object) -> set[str]:
    """Return the codes of a document's findings, without those of every unsigned document.

    The format's own code is left out too where the XML was built without stamp and signature.
    """
    return {
        found.code
        for found in findings(doc, form, **context)
        if found.code not in UNSIGNED
        and not (found.code == "XSD-01" and found.path in {"TED", "TmstFirma"})
    }
