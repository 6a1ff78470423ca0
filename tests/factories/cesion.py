"""AEC: an invoice and the cessions of its credit, each part signed.

aec()                                       # one cession, valid
aec(cessions=[cession(1), cession(2)])      # the credit goes on from Crédito Uno to Fondo Dos
aec(ceded=signed(61), cessions=[…])         # another document
"""

from collections.abc import Sequence
from html import escape
from typing import Any

from tests.documents import DAY, ISSUER
from tests.factories import DECLARATION, signed
from tests.factories.keys import Signer, signer
from tests.factories.signature import SII, XSI, signature

TOTAL = "1190"
ISSUER_NAME = "Molinos del Itata SpA"
DEBTOR = "77120455-4"
PARTIES = (
    (ISSUER, ISSUER_NAME),
    ("76086428-5", "Crédito Uno Factoring S.A."),
    ("76123456-0", "Fondo de Inversión Dos"),
)
_SCOPE = f' xmlns="{SII}"'
_PDF = "JVBERi0xLjQKJeLjz9MK"


def cession(
    number: int = 1,
    changes: dict[str, object] | None = None,
    *,
    statement: bool = True,
    by: Sequence[Signer] | None = None,
    authorised: Sequence[str] = ("9876543-3",),
    in_context: bool = False,
    empty_uri: bool = False,
    spoil: tuple[str, str] = ("", ""),
    signatures: int | None = None,
) -> str:
    """Return one Cesion, signed.

    Args:
        number: SeqCesion; who cedes to whom follows from it.
        changes: texts by path (``IdDTE/Folio``, ``MontoCesion``); None leaves the element out.
        statement: whether it has the declaración jurada.
        by: who signs, once each.
        authorised: RUTs of the authorised persons.
        in_context: signed in its place, with the root's xmlns:xsi in scope.
        empty_uri: signed as a whole, with an empty Reference/@URI.
        spoil: a text replaced after signing.
        signatures: how many signatures there are, if not as many as signers.
    """
    by = by or [signer()]
    (assignor, assignor_name), (assignee, assignee_name) = PARTIES[number - 1], PARTIES[number]
    words = (
        f"Se declara bajo juramento que {assignor_name}, RUT {assignor} ha puesto a disposición del "
        f"cesionario {assignee_name}, RUT {assignee}, el o los documentos donde constan los recibos de "
        f"las mercaderías entregadas, entregados por parte del deudor, RUT {DEBTOR}."
    )
    fields: dict[str, object] = {
        "SeqCesion": str(number),
        "IdDTE/TipoDTE": "33",
        "IdDTE/RUTEmisor": ISSUER,
        "IdDTE/RUTReceptor": DEBTOR,
        "IdDTE/Folio": "123",
        "IdDTE/FchEmis": DAY,
        "IdDTE/MntTotal": TOTAL,
        "Cedente/RUT": assignor,
        "Cedente/RazonSocial": assignor_name,
        "Cedente/Direccion": "Avenida Collín 1200",
        "Cedente/eMail": "cesiones@example.cl",
        "Cedente/RUTAutorizado": "".join(
            f"<RUTAutorizado><RUT>{rut}</RUT><Nombre>Firmante</Nombre></RUTAutorizado>"
            for rut in authorised
        ),
        "Cedente/DeclaracionJurada": words if statement else None,
        "Cesionario/RUT": assignee,
        "Cesionario/RazonSocial": assignee_name,
        "Cesionario/Direccion": "Huérfanos 1055",
        "Cesionario/eMail": "recepcion@example.cl",
        "MontoCesion": TOTAL,
        "UltimoVencimiento": "2026-04-01",
        "TmstCesion": f"{DAY}T1{number}:30:00",
    } | (changes or {})
    body = f'<DocumentoCesion ID="Ces{number}">{_nested(fields)}</DocumentoCesion>'
    scope = _SCOPE + (f' xmlns:xsi="{XSI}"' if in_context else "")
    scoped = body.replace("<DocumentoCesion", f"<DocumentoCesion{scope}", 1)
    uri = f"Ces{number}"
    if empty_uri:
        scoped, uri = f'<Cesion{scope} version="1.0">{body}</Cesion>', ""
    marks = [signature(scoped, uri, one) for one in by]
    count = len(marks) if signatures is None else signatures
    text = f'<Cesion version="1.0">{body}{"".join((marks * 3)[:count])}</Cesion>'
    return text.replace(*spoil) if spoil[0] else text


def _nested(fields: dict[str, Any]) -> str:
    out, group = [], ""
    for path, value in fields.items():
        head, _, name = path.rpartition("/")
        if head != group:
            out.append(f"</{group}>" if group else "")
            out.append(f"<{head}>" if head else "")
            group = head
        if value is None:
            continue
        text = value if value.startswith("<") else f"<{name}>{escape(value)}</{name}>"
        out.append(text)
    out.append(f"</{group}>" if group else "")
    return "".join(out)


def receipt(folio: str = "123", *, tipo: str = "33", spoil: bool = False) -> str:
    """Return a signed Recibo."""
    body = (
        f'<DocumentoRecibo ID="Rec1"><TipoDoc>{tipo}</TipoDoc><Folio>{folio}</Folio>'
        f"<FchEmis>{DAY}</FchEmis><RUTEmisor>{ISSUER}</RUTEmisor><RUTRecep>{DEBTOR}</RUTRecep>"
        f"<MntTotal>{TOTAL}</MntTotal><Recinto>Bodega central</Recinto><RutFirma>9876543-3</RutFirma>"
        "<Declaracion>El acuse de recibo que se declara en este acto, de acuerdo a lo dispuesto en la "
        "letra b) del Art. 4, y la letra c) del Art. 5 de la Ley 19.983, acredita que la entrega de "
        "mercaderias o servicio(s) prestado(s) ha(n) sido recibido(s).</Declaracion>"
        f"<TmstFirmaRecibo>{DAY}T11:00:00</TmstFirmaRecibo></DocumentoRecibo>"
    )
    scoped = body.replace("<DocumentoRecibo", f"<DocumentoRecibo{_SCOPE}", 1)
    mark = signature(scoped, "Rec1", signer())
    if spoil:
        body = body.replace("Bodega", "Patio")
    return f'<Recibo version="1.0">{body}{mark}</Recibo>'


def aec(
    cessions: Sequence[str] | None = None,
    *,
    ceded: bytes | None = None,
    receipts: str = "",
    images: str = "",
    cover: dict[str, str] | None = None,
    spoil: tuple[str, str] = ("", ""),
    unsigned: bool = False,
    signing: dict[str, object] | None = None,
) -> bytes:
    """Return a signed AEC.

    Args:
        cessions: what ``cession`` returned; one valid cession when not given.
        ceded: the document, a valid invoice when not given.
        receipts: Recibo elements.
        images: ImagenAR and its like, as elements.
        cover: texts of the Caratula that differ.
        spoil: a text replaced after everything is signed.
        unsigned: leave the AEC's own signature out.
        signing: keyword arguments of ``signature.signature`` for the AEC's own.
    """
    cessions = [cession()] if cessions is None else cessions
    document = (ceded or signed(33)).decode("iso-8859-1").removeprefix(DECLARATION)
    inner = (
        f'<DocumentoDTECedido ID="DteCedido">{document}{images if "ImagenDTE" in images else ""}'
        f"{receipts}{images if 'ImagenAR' in images else ''}"
        f"<TmstFirma>{DAY}T11:10:00</TmstFirma></DocumentoDTECedido>"
    )
    scoped = inner.replace("<DocumentoDTECedido", f"<DocumentoDTECedido{_SCOPE}", 1)
    ceded_part = (
        f'<DTECedido version="1.0">{inner}{signature(scoped, "DteCedido", signer())}</DTECedido>'
    )
    last = max(len(cessions), 1)
    texts = {
        "RutCedente": PARTIES[min(last, 2) - 1][0],
        "RutCesionario": PARTIES[min(last, 2)][0],
        "NmbContacto": "Ana Díaz",
        "MailContacto": "cesiones@example.cl",
        "TmstFirmaEnvio": f"{DAY}T13:00:00",
    } | (cover or {})
    caratula = "".join(f"<{name}>{text}</{name}>" for name, text in texts.items())
    body = (
        f'<DocumentoAEC ID="Aec1"><Caratula version="1.0">{caratula}</Caratula>'
        f"<Cesiones>{ceded_part}{''.join(cessions)}</Cesiones></DocumentoAEC>"
    )
    xsi = f' xmlns:xsi="{XSI}"'
    placed = body.replace("<DocumentoAEC", f"<DocumentoAEC{_SCOPE}{xsi}", 1)
    mark = signature(placed, "Aec1", signer(), **{"declared": xsi, **(signing or {})})
    text = (
        f'{DECLARATION}<AEC{_SCOPE}{xsi} xsi:schemaLocation="{SII} AEC_v10.xsd" version="1.0">'
        f"{body}{'' if unsigned else mark}</AEC>"
    )
    return (text.replace(*spoil) if spoil[0] else text).encode("iso-8859-1")


IMAGE = f"<ImagenAR>{_PDF}</ImagenAR>"
