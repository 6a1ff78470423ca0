"""JSON that was written for somebody else's API, turned into the SII's structure.

OpenFactura (Haulmer): ``{"dte": {"Encabezado": …}, "response": […]}``, the SII's names inside.
SimpleAPI: ``{"Documento": {"Encabezado": {"IdentificacionDTE": …}, "Detalles": […]}, "Certificado": …}``, names
of its own. What has no counterpart keeps its name, so that the rules can say it is unknown.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from dte.formato.reading import JsonNumber

_BODIES: Final = ("Documento", "Liquidacion", "Exportaciones")
_ZONES: Final[Mapping[str, Mapping[str, str]]] = {
    "IdDoc": {
        "FechaEmision": "FchEmis", "IndicadorNoRebaja": "IndNoRebaja", "TipoTraslado": "IndTraslado",
        "IndicadorServicio": "IndServicio", "IndicadorMontosBrutos": "MntBruto",
        "IndicadorMontosNetosBoleta": "IndMntNeto", "FormaPago": "FmaPago",
        "FechaVencimiento": "FchVenc", "FechaCancelacion": "FchCancel",
        "FormaPagoExportacion": "FmaPagExp", "TerminosPagoCodigo": "TermPagoCdg",
        "TerminosPagoDias": "TermPagoDias", "TipoImpresion": "TpoImpresion",
    },
    "Emisor": {
        "Rut": "RUTEmisor", "RazonSocial": "RznSoc", "RazonSocialBoleta": "RznSocEmisor",
        "Giro": "GiroEmis", "GiroBoleta": "GiroEmisor", "ActividadEconomica": "Acteco",
        "DireccionOrigen": "DirOrigen", "ComunaOrigen": "CmnaOrigen",
        "CorreoElectronico": "CorreoEmisor", "CodigoSucursal": "CdgSIISucur",
        "CodigoVendedor": "CdgVendedor",
    },
    "Receptor": {
        "Rut": "RUTRecep", "RazonSocial": "RznSocRecep", "Giro": "GiroRecep",
        "CorreoElectronico": "CorreoRecep", "Direccion": "DirRecep", "Comuna": "CmnaRecep",
        "Ciudad": "CiudadRecep", "DireccionPostal": "DirPostal", "CodigoInterno": "CdgIntRecep",
    },
    "Transporte": {
        "RutTransportista": "RUTTrans", "DireccionDestino": "DirDest", "ComunaDestino": "CmnaDest",
        "CiudadDestino": "CiudadDest",
    },
    "Totales": {
        "MontoNeto": "MntNeto", "MontoExento": "MntExe", "MontoTotal": "MntTotal",
        "MontoNoFacturable": "MontoNF", "ValorPagar": "VlrPagar", "TipoMoneda": "TpoMoneda",
        "CreditoEspecial": "CredEC", "ImpuestosRetenciones": "ImptoReten",
    },
    "ImptoReten": {"TipoImpuesto": "TipoImp", "TasaImpuesto": "TasaImp", "MontoImpuesto": "MontoImp"},
    "Detalle": {
        "NumeroLinea": "NroLinDet", "Nombre": "NmbItem", "Descripcion": "DscItem",
        "Cantidad": "QtyItem", "UnidadMedida": "UnmdItem", "Precio": "PrcItem",
        "Descuento": "DescuentoMonto", "DescuentoPorcentaje": "DescuentoPct",
        "Recargo": "RecargoMonto", "RecargoPorcentaje": "RecargoPct", "IndicadorExento": "IndExe",
        "CodigosItem": "CdgItem", "CodigoImpuestoAdicional": "CodImpAdic",
    },
    "CdgItem": {"TipoCodigo": "TpoCodigo", "Valor": "VlrCodigo"},
    "Referencia": {
        "Numero": "NroLinRef", "TipoDocumento": "TpoDocRef", "FolioReferencia": "FolioRef",
        "FechaDocumentoReferencia": "FchRef", "CodigoReferencia": "CodRef",
        "RazonReferencia": "RazonRef", "RutOtroContribuyente": "RUTOtr",
        "IndicadorGlobal": "IndGlobal",
    },
    "DscRcgGlobal": {
        "Numero": "NroLinDR", "TipoMovimiento": "TpoMov", "Descripcion": "GlosaDR",
        "TipoValor": "TpoValor", "Valor": "ValorDR", "IndicadorExento": "IndExeDR",
    },
}  # fmt: skip
_RENAMED: Final = {
    "IdentificacionDTE": "IdDoc",
    "Detalles": "Detalle",
    "Referencias": "Referencia",
    "DescuentosRecargos": "DscRcgGlobal",
}
# Zero is how its library writes what was not set.
_UNSET_AT_ZERO: Final = frozenset(
    {"IndExe", "DescuentoMonto", "DescuentoPct", "RecargoMonto", "RecargoPct", "IndExeDR", "CodRef",
     "IndServicio", "IndTraslado", "TipoDespacho", "FmaPago", "IndNoRebaja", "MntBruto", "IndGlobal"}
)  # fmt: skip
_NUMBERED: Final = {"Detalle": "NroLinDet", "Referencia": "NroLinRef", "DscRcgGlobal": "NroLinDR"}
_DATES: Final = frozenset({"FchEmis", "FchVenc", "FchCancel", "FchRef"})
_WORDS: Final = {
    "TpoMov": {"descuento": "D", "recargo": "R"},
    "TpoValor": {"pesos": "$", "porcentaje": "%"},
}


class Foreign(NamedTuple):
    """A document of another API."""

    document: dict[str, Any]
    """In the SII's structure."""
    api: str
    secret: bool
    """Whether the password of a certificate came along; it is not in ``document``."""


def read_foreign(value: object) -> Foreign | None:
    """Return the document of another API's request; None for any other JSON."""
    if not isinstance(value, dict):
        return None
    inner = value.get("dte")
    if isinstance(inner, dict) and "Encabezado" not in value:
        return Foreign(inner, "OpenFactura", secret=False)
    for body in _BODIES:
        document = value.get(body)
        if isinstance(document, dict) and _is_simple_api(document):
            return Foreign({body: _document(document)}, "SimpleAPI", _has_password(value))
    return None


def _is_simple_api(document: Mapping[str, object]) -> bool:
    header = document.get("Encabezado")
    return isinstance(header, dict) and "IdentificacionDTE" in header


def _has_password(value: Mapping[str, object]) -> bool:
    certificate = value.get("Certificado")
    return isinstance(certificate, dict) and any(
        certificate.get(name) for name in ("Password", "password", "Clave")
    )


def _document(document: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, object] = {}
    for name, value in document.items():
        own = _RENAMED.get(name, name)
        result[own] = _document(value) if own == "Encabezado" else _zone(own, value)
    return result


def _zone(name: str, value: object) -> object:
    """Rename what is inside a zone, which may be repeated."""
    names = _ZONES.get(name)
    if names is None:
        return value
    if isinstance(value, list):
        return [_numbered(name, _zone(name, row), place) for place, row in enumerate(value, 1)]
    if not isinstance(value, dict):
        return value
    return dict(_fields(names, value.items()))


def _fields(
    names: Mapping[str, str], items: Iterable[tuple[str, object]]
) -> Iterable[tuple[str, object]]:
    for given, value in items:
        name = names.get(given, given)
        if value is None or value in ("", []) or (name in _UNSET_AT_ZERO and _is_zero(value)):
            continue
        yield name, _zone(name, _as_written(name, value))


def _as_written(name: str, value: object) -> object:
    """Return a day without its hour, and a word as the SII abbreviates it."""
    if not isinstance(value, str):
        return value
    if name in _DATES:
        return value.partition("T")[0]
    return _WORDS[name].get(value.lower(), value) if name in _WORDS else value


def _numbered(zone: str, row: object, place: int) -> object:
    field = _NUMBERED.get(zone)
    if field is None or not isinstance(row, dict) or field in row:
        return row
    return {field: JsonNumber(place), **row}


def _is_zero(value: object) -> bool:
    return str(value) in {"0", "0.0", "0.00"}
