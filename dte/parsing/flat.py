"""The flat form that older Odoo clients send, translated to the SII's structure.

Keys outside the table are ignored, as the service that the form comes from did: clients add their own.
"""

from dte.documents.document import to_amount, to_date
from dte.documents.rut import tidy
from dte.formato.reading import JsonNumber, Node, Problem

MAX_TOTAL = 999_999_999_999
_CODE = "LEG-01"

_HEADER: dict[str, tuple[str, str]] = {
    "tipo_dte": ("IdDoc", "TipoDTE"),
    "folio": ("IdDoc", "Folio"),
    "fecha_emision": ("IdDoc", "FchEmis"),
    "fecha_vencimiento": ("IdDoc", "FchVenc"),
    "rut_emisor": ("Emisor", "RUTEmisor"),
    "razon_social_emisor": ("Emisor", "RznSoc"),
    "giro_emisor": ("Emisor", "GiroEmis"),
    "rut_receptor": ("Receptor", "RUTRecep"),
    "razon_social_receptor": ("Receptor", "RznSocRecep"),
    "giro_receptor": ("Receptor", "GiroRecep"),
    "direccion_receptor": ("Receptor", "DirRecep"),
    "comuna_receptor": ("Receptor", "CmnaRecep"),
    "monto_neto": ("Totales", "MntNeto"),
    "monto_exento": ("Totales", "MntExe"),
    "monto_iva": ("Totales", "IVA"),
    "monto_total": ("Totales", "MntTotal"),
}
_ITEM = {
    "nombre": "NmbItem",
    "descripcion": "DscItem",
    "cantidad": "QtyItem",
    "precio_unitario": "PrcItem",
    "descuento_monto": "DescuentoMonto",
    "monto": "MontoItem",
}
# Other names that clients give to a field, where the first is missing.
_ALSO = {"monto_iva": "iva"}
_NUMERIC = frozenset({"monto_neto", "monto_exento", "monto_iva", "monto_total"})
_RUTS = frozenset({"rut_emisor", "rut_receptor"})
_DATES = frozenset({"fecha_emision", "fecha_vencimiento"})
_NAMES = frozenset(_HEADER) | {"items"}


def is_flat(document: dict[str, object]) -> bool:
    """Tell whether an object has any field of the flat form."""
    return not _NAMES.isdisjoint(document)


def to_sii_structure(flat: dict[str, object]) -> tuple[Node, list[Problem]]:
    """Return the document and what is wrong with the flat form itself (rule LEG-01)."""
    problems: list[Problem] = []
    header: dict[str, Node] = {"IdDoc": {}, "Emisor": {}, "Receptor": {}, "Totales": {}}
    for key, (group, name) in _HEADER.items():
        value = flat.get(key)
        if value is None and key in _ALSO:
            value = flat.get(_ALSO[key])
        text = _text(value)
        if text is None:
            if value is not None:
                problems.append(Problem(key, "debe ser un texto o un número", None, _CODE))
            continue
        header[group][name] = _normalise_rut(text) if key in _RUTS else text
        if complaint := _complaint(key, text):
            problems.append(Problem(key, complaint, None, _CODE))
    if "TipoDTE" not in header["IdDoc"]:
        problems.append(Problem("tipo_dte", "es obligatorio y no viene", None, _CODE))
    items = flat.get("items")
    if items is not None and not isinstance(items, list):
        problems.append(Problem("items", "debe ser una lista", None, _CODE))
        items = None
    lines = [_line(item, number, problems) for number, item in enumerate(items or [], 1)]
    return {"Encabezado": header, "Detalle": lines}, problems


def _line(item: object, number: int, problems: list[Problem]) -> Node:
    line: Node = {"NroLinDet": str(number)}
    if not isinstance(item, dict):
        problems.append(Problem(f"items[{number}]", "debe ser un objeto", None, _CODE))
        return line
    for key, name in _ITEM.items():
        if (text := _text(item.get(key))) is not None:
            line[name] = text
    if item.get("exento") is True:
        line["IndExe"] = "1"
    return line


def _text(value: object) -> str | None:
    if isinstance(value, JsonNumber):
        return value.plain()
    return value if isinstance(value, str) else None


def _normalise_rut(text: str) -> str:
    """Odoo keeps RUTs as people write them: with dots, a lower-case k, a country prefix."""
    return tidy(text).removeprefix("CL")


def _complaint(key: str, text: str) -> str:
    if key in _DATES and to_date(text) is None:
        return f"vale «{text[:40]}» y debe ser una fecha AAAA-MM-DD"
    if key not in _NUMERIC:
        return ""
    value = to_amount(text)
    if value is None:
        return f"vale «{text[:40]}» y debe ser un número"
    if key == "monto_total" and not 0 < value <= MAX_TOTAL:
        return f"vale {value} y debe estar entre 1 y {MAX_TOTAL}"
    return ""
