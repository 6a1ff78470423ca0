"""Answers of the SII in the forms in which people have them."""

from collections.abc import Sequence

ISSUER = "76192083-9"
TRACK = "250978745"
Row = tuple[int, str, str, Sequence[str]]
"""Type, folio, state with its gloss, details."""

GLOSSES = {
    "REC": "Envio Recibido", "SOK": "Esquema Validado", "FOK": "Firma de Envio Validada",
    "PDR": "Envio en Proceso", "EPR": "Envio Procesado", "RSC": "Rechazado por Error en Schema",
    "RFR": "Rechazado por Error en Firma", "RCT": "Rechazado por Error en Caratula",
    "RCH": "DTE Rechazado", "RPR": "DTE Aceptado con Reparos", "RLV": "DTE Aceptado con Reparos Leves",
    "DOK": "DTE Recibido", "DNK": "DTE Recibido", "FAU": "DTE No Recibido", "FNA": "DTE No Autorizado",
    "LOK": "Envio de Libro Aceptado - Cuadrado",
}  # fmt: skip


def upload(status: str = "0", track: str = TRACK, errors: Sequence[str] = ()) -> bytes:
    """The answer to an upload."""
    detail = "".join(f"<ERROR>{error}</ERROR>" for error in errors)
    number = f"<TRACKID>{track}</TRACKID>" if status == "0" else ""
    return (
        '<?xml version="1.0"?>\n<RECEPCIONDTE>\n<RUTSENDER>9876543-3</RUTSENDER>'
        f"<RUTCOMPANY>{ISSUER}</RUTCOMPANY><FILE>envio.xml</FILE>"
        f"<TIMESTAMP>2026-03-02 11:22:33</TIMESTAMP><STATUS>{status}</STATUS>{number}"
        f"{f'<DETAIL>{detail}</DETAIL>' if detail else ''}\n</RECEPCIONDTE>"
    ).encode("iso-8859-1")


def envelope_state(
    state: str, totals: Sequence[tuple[int, int, int, int, int]] = (), track: str = TRACK
) -> bytes:
    """QueryEstUp: totals are type, informed, accepted, rejected, objected."""
    body = "".join(
        f"<TIPO_DOCTO>{tipo}</TIPO_DOCTO><INFORMADOS>{informed}</INFORMADOS>"
        f"<ACEPTADOS>{accepted}</ACEPTADOS><RECHAZADOS>{rejected}</RECHAZADOS>"
        f"<REPAROS>{objected}</REPAROS>"
        for tipo, informed, accepted, rejected, objected in totals
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><SII:RESPUESTA xmlns:SII="http://www.sii.cl/XMLSchema">'
        f"<SII:RESP_HDR><TRACKID>{track}</TRACKID><ESTADO>{state}</ESTADO>"
        f"<GLOSA>{GLOSSES.get(state, 'Otra')}</GLOSA><NUM_ATENCION>1 (2026/03/02 12:00:00)</NUM_ATENCION>"
        f"</SII:RESP_HDR><SII:RESP_BODY>{body}</SII:RESP_BODY></SII:RESPUESTA>"
    ).encode()


def document_state(state: str, error: str = "") -> bytes:
    """QueryEstDte, which does not say which document it was asked about."""
    return (
        '<?xml version="1.0"?><SII:RESPUESTA xmlns:SII="http://www.sii.cl/XMLSchema"><SII:RESP_HDR>'
        f"<ESTADO>{state}</ESTADO><GLOSA_ESTADO>{GLOSSES.get(state, '')}</GLOSA_ESTADO><ERR_CODE>1</ERR_CODE>"
        f"<GLOSA_ERR>{error}</GLOSA_ERR><NUM_ATENCION>7</NUM_ATENCION></SII:RESP_HDR></SII:RESPUESTA>"
    ).encode()


def soap(inside: bytes) -> bytes:
    """An answer as its web service returns it, escaped."""
    text = inside.decode().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
        f"<ns1:getEstUpResponse xmlns:ns1='x'><getEstUpReturn>{text}</getEstUpReturn>"
        "</ns1:getEstUpResponse></soapenv:Body></soapenv:Envelope>"
    ).encode()


def mail_xml(
    state: str, totals: Sequence[tuple[int, int, int, int, int]], rows: Sequence[Row] = ()
) -> bytes:
    """The file that the SII sends by mail."""
    subtotals = "".join(
        f"<SUBTOTAL><TIPODOC>{tipo}</TIPODOC><INFORMADO>{informed}</INFORMADO><ACEPTA>{accepted}</ACEPTA>"
        f"<RECHAZO>{rejected}</RECHAZO><REPARO>{objected}</REPARO></SUBTOTAL>"
        for tipo, informed, accepted, rejected, objected in totals
    )
    revisions = "".join(
        f"<REVISIONDTE><TIPODTE>{tipo}</TIPODTE><FOLIO>{folio}</FOLIO>"
        f"<ESTADO>{code} - {GLOSSES[code]}</ESTADO>{''.join(f'<DETALLE>{one}</DETALLE>' for one in details)}"
        "</REVISIONDTE>"
        for tipo, folio, code, details in rows
    )
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<RESULTADO_ENVIO><IDENTIFICACION>'
        f"<RUTEMISOR>{ISSUER}</RUTEMISOR><RUTENVIA>9876543-3</RUTENVIA><TRACKID>{TRACK}</TRACKID>"
        f"<TMSTRECEPCION>02/03/2026 11:22:33</TMSTRECEPCION><ESTADO>{state} - {GLOSSES[state]}</ESTADO>"
        f"</IDENTIFICACION><ESTADISTICA>{subtotals}</ESTADISTICA>"
        f"<REVISIONENVIO>{revisions}</REVISIONENVIO></RESULTADO_ENVIO>"
    ).encode("iso-8859-1")


def mail_text(
    state: str, totals: Sequence[tuple[int, int, int, int, int]], rows: Sequence[Row] = ()
) -> str:
    """The same as a person copies it from the mail."""
    counts = "\n".join(
        f"   {tipo}        {informed}          {rejected}         {objected}         {accepted}"
        for tipo, informed, accepted, rejected, objected in totals
    )
    found = "\n".join(
        f"   {tipo}   {folio}   {code} - {GLOSSES[code]}\n"
        + "\n".join(f"      {one}" for one in details)
        for tipo, folio, code, details in rows
    )
    return (
        "Resultado de Revisión Envío de DTE\n==================================\n"
        f"Rut de Empresa Emisora   : 76.192.083-9\nRut que Realizó el Envío : 9876543-3\n"
        f"Identificador de Envío   : {TRACK}\nFecha de Recepción       : 02/03/2026 11:22:33\n"
        f"Estado del Envío         : {state} - {GLOSSES[state]}\n\nEstadísticas del Envío\n"
        "Tipo DTE  Informados  Rechazos  Reparos  Aceptados\n-------------------------------\n"
        f"{counts}\n\nDetalle de Rechazos y Reparos\nTipo DTE  Folio  Estado\n-----------------\n{found}\n"
    )


def mail_message(body: str, attached: bytes | None = None) -> bytes:
    """A whole message, with the file attached if there is one."""
    from email.message import EmailMessage

    message = EmailMessage()
    message["From"] = "siidte@sii.cl"
    message["To"] = "dte@molinos.example"
    message["Subject"] = "Resultado de Revision Envio de DTE"
    message.set_content(body)
    if attached is not None:
        message.add_attachment(attached, maintype="application", subtype="xml", filename="r.xml")
    return message.as_bytes()


def boleta_json(state: str, rows: Sequence[Row] = (), accepted: int = 1) -> dict[str, object]:
    """The API of boletas; a detail is section, level, code and words with blanks between."""
    rejected = sum(row[2] == "RCH" for row in rows)
    objected = len(rows) - rejected
    return {
        "rut_emisor": ISSUER, "rut_envia": "9876543-3", "trackid": int(TRACK),
        "fecha_recepcion": "02/03/2026 11:22:33", "estado": state,
        "estadistica": [
            {"tipo": 39, "informados": accepted + len(rows), "aceptados": accepted,
             "rechazados": rejected, "reparos": objected}
        ],
        "detalle_rep_rech": [
            {"tipo": tipo, "folio": int(folio), "estado": code, "descripcion": GLOSSES[code],
             "error": [
                 dict(zip(("seccion", "nivel", "codigo", "descripcion"), detail.split(" ", 3), strict=True))
                 for detail in details
             ]}
            for tipo, folio, code, details in rows
        ],
    }  # fmt: skip
