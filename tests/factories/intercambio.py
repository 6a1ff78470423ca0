"""Answers between companies: RespuestaDTE and EnvioRecibos, signed by keys of the run."""

from collections.abc import Mapping, Sequence

from dte.respuesta.recibos import DECLARATION
from tests.documents import BUYER, DAY, ISSUER
from tests.factories.keys import Signer, signer
from tests.factories.signature import SII, signature

HEAD = '<?xml version="1.0" encoding="ISO-8859-1"?>\n'
DOCUMENT = {
    "TipoDTE": "33", "Folio": "123", "FchEmis": DAY, "RUTEmisor": ISSUER, "RUTRecep": BUYER,
    "MntTotal": "1190",
}  # fmt: skip
COVER = {"RutResponde": BUYER, "RutRecibe": ISSUER}


def _tags(values: Mapping[str, str]) -> str:
    return "".join(f"<{name}>{value}</{name}>" for name, value in values.items() if value)


def result(state: str = "0", **changes: str) -> str:
    """What the receiver answers about one document."""
    values = DOCUMENT | {
        "CodEnvio": "1", "EstadoDTE": state, "EstadoDTEGlosa": "Glosa", "CodRchDsc": "" if state == "0" else "-1",
    }  # fmt: skip
    return f"<ResultadoDTE>{_tags(values | changes)}</ResultadoDTE>"


def reception(state: str = "0", documents: Sequence[str] = ("0",), **changes: str) -> str:
    """The acknowledgement of an envelope and of the documents in it."""
    values = {
        "NmbEnvio": "envio.xml", "FchRecep": f"{DAY}T12:00:00", "CodEnvio": "1", "EnvioDTEID": "SetDoc",
        "RutEmisor": ISSUER, "RutReceptor": BUYER, "EstadoRecepEnv": state, "RecepEnvGlosa": "Glosa",
        "NroDTE": str(len(documents)),
    }  # fmt: skip
    rows = "".join(
        f"<RecepcionDTE>{_tags(DOCUMENT | {'EstadoRecepDTE': one, 'RecepDTEGlosa': 'Glosa'})}</RecepcionDTE>"
        for one in documents
    )
    return f"<RecepcionEnvio>{_tags(values | changes)}{rows}</RecepcionEnvio>"


def exchange(
    *details: str, cover: Mapping[str, str] | None = None, by: Signer | None = None
) -> bytes:
    """A signed RespuestaDTE."""
    values = COVER | {
        "IdRespuesta": "7", "NroDetalles": str(len(details)), "TmstFirmaResp": f"{DAY}T13:00:00",
    } | dict(cover or {})  # fmt: skip
    inside = f'<Caratula version="1.0">{_tags(values)}</Caratula>{"".join(details)}'
    body = f'<Resultado ID="R1">{inside}</Resultado>'
    mark = signature(
        body.replace("<Resultado ", f'<Resultado xmlns="{SII}" ', 1), "R1", by or signer()
    )
    root = f'<RespuestaDTE xmlns="{SII}" version="1.0">\n{body}\n{mark}</RespuestaDTE>'
    return (HEAD + root).encode("iso-8859-1")


def receipt(identifier: str = "T33F123", by: Signer | None = None, **changes: str) -> str:
    """One signed receipt."""
    values = {
        "TipoDoc": "33", **{name: text for name, text in DOCUMENT.items() if name != "TipoDTE"},
        "Recinto": "Bodega 1", "RutFirma": "9876543-3", "Declaracion": DECLARATION,
        "TmstFirmaRecibo": f"{DAY}T13:00:00",
    }  # fmt: skip
    body = f'<DocumentoRecibo ID="{identifier}">{_tags(values | changes)}</DocumentoRecibo>'
    scoped = body.replace("<DocumentoRecibo ", f'<DocumentoRecibo xmlns="{SII}" ', 1)
    return f'<Recibo version="1.0">{body}{signature(scoped, identifier, by or signer())}</Recibo>'


def receipts(*each: str, cover: Mapping[str, str] | None = None, by: Signer | None = None) -> bytes:
    """A signed EnvioRecibos."""
    values = COVER | {"TmstFirmaEnv": f"{DAY}T13:00:00"} | dict(cover or {})
    body = f'<SetRecibos ID="S1"><Caratula version="1.0">{_tags(values)}</Caratula>{"".join(each)}</SetRecibos>'
    scoped = body.replace("<SetRecibos ", f'<SetRecibos xmlns="{SII}" ', 1)
    mark = signature(scoped, "S1", by or signer())
    root = f'<EnvioRecibos xmlns="{SII}" version="1.0">\n{body}\n{mark}</EnvioRecibos>'
    return (HEAD + root).encode("iso-8859-1")
