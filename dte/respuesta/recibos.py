"""EnvioRecibos: the receipts of goods or services that a receiver signs (Ley 19.983)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from dte.crypto import SignatureCheck, count_ids, verify_part
from dte.documents.document import Values
from dte.examining.examination import Case, Examination, Kind, Table
from dte.examining.given import Given
from dte.formato.elements import child, children
from dte.formato.reading import Problem
from dte.formato.structure import ONCE, Times, frame, read_part
from dte.respuesta import avisos, parties
from dte.respuesta.intercambio import DOCUMENT
from dte.respuesta.parties import Named
from dte.rules.findings import Finding

MOST: Final = 1_000
DECLARATION: Final = (
    "El acuse de recibo que se declara en este acto, de acuerdo a lo dispuesto en la letra b) del Art. 4, "
    "y la letra c) del Art. 5 de la Ley 19.983, acredita que la entrega de mercaderias o servicio(s) "
    "prestado(s) ha(n) sido recibido(s)."
)
"""Declaracion, the one text that Recibos_v10.xsd allows."""
TYPES: Final = frozenset({33, 34, 43, 46, 52})


@dataclass(slots=True)
class Receipts:
    """An EnvioRecibos taken apart."""

    cover: Values
    receipts: list[Named]
    checks: list[SignatureCheck]
    """Of each receipt."""
    whole: SignatureCheck
    problems: list[Problem] = field(default_factory=list)


def read(given: Given) -> Receipts:
    """Take an EnvioRecibos apart; what does not fit the schema is among the problems."""
    root = given.tree.root
    body = child(root, "SetRecibos")
    ids = count_ids(root)
    problems = list(
        frame(root, "EnvioRecibos", {"SetRecibos": ONCE, "Signature": ONCE}, ("version",))
    )
    cover: dict[str, object] = {}
    receipts: list[Named] = []
    checks: list[SignatureCheck] = []
    if body is not None:
        parts = {"Caratula": ONCE, "Recibo": Times(1, MOST)}
        problems += frame(body, "SetRecibos", parts, ("ID",))
        element = child(body, "Caratula")
        cover = read_part(element, "recibos", "Caratula", problems) if element is not None else {}
        for number, node in enumerate(children(body, "Recibo")[:MOST], 1):
            path = f"Recibo[{number}]"
            inside = {"DocumentoRecibo": ONCE, "Signature": ONCE}
            problems += frame(node, path, inside, ("version",))
            document = child(node, "DocumentoRecibo")
            data = {} if document is None else read_part(document, "recibo", path, problems)
            receipts.append(Named(path, Values(data), "TipoDoc"))
            checks.append(verify_part(document, child(node, "Signature"), ids))
    whole = verify_part(body, child(root, "Signature"), ids)
    return Receipts(Values(cover), receipts, checks, whole, problems)


def examine(given: Given, case: Case) -> Examination:
    """Examine an EnvioRecibos."""
    sent = read(given)
    findings = [
        *parties.structure(sent.problems),
        *parties.signature(
            sent.whole, "el envío de recibos", "Signature", sent.cover.moment("TmstFirmaEnv")
        ),
        *_receipts(sent),
        *parties.from_receiver(sent.receipts, sent.cover.text("RutResponde")),
        *parties.against_document(sent.receipts, given.document),
        *parties.against_history(sent.receipts, case),
    ]
    wrong = any(found.severity == "reject" for found in findings)
    one = sent.receipts[0] if len(sent.receipts) == 1 else None
    count = len(sent.receipts)
    many = "recibo" if count == 1 else "recibos"
    return Examination(
        state="no vale" if wrong else "recibido",
        headline="El recibo no vale como está" if wrong else "Mercaderías o servicios recibidos",
        statement=f"{count} {many} de mercaderías o servicios (Ley 19.983)."
        + ("" if wrong else " Con ellos el documento se puede ceder y tiene mérito ejecutivo."),
        findings=findings,
        summary={
            "type": one.tipo if one else None,
            "folio": one.folio if one else "",
            "issuer": {"rut": sent.cover.text("RutRecibe"), "name": ""},
            "receiver": {"rut": sent.cover.text("RutResponde"), "name": ""},
            "signature": "valid" if sent.whole.valid else "invalid",
            "documents": [
                {"type": receipt.tipo, "folio": receipt.folio, "signature": _word(check)}
                for receipt, check in zip(sent.receipts, sent.checks, strict=True)
            ],
        },
        facts=[
            ("Responde", sent.cover.text("RutResponde")),
            ("Emisor", sent.cover.text("RutRecibe")),
            ("Recibos", str(count)),
            ("Firmado", sent.cover.text("TmstFirmaEnv").replace("T", " ")),
            ("Firma del envío", "válida" if sent.whole.valid else "no es válida"),
        ],
        tables=_tables(sent),
        checked=(
            "estructura según los esquemas del SII",
            "firma del envío y de cada recibo, y vigencia de los certificados",
            "la declaración que exige la ley",
        ),
        not_checked=("los poderes de quien firma", "lo anotado en el Registro del SII"),
        answered=[receipt.answered() for receipt in sent.receipts],
        asks=() if given.document is not None else (DOCUMENT,),
        confidence=90,
    )


def _word(check: SignatureCheck) -> str:
    return "valid" if check.valid else "invalid"


def _receipts(sent: Receipts) -> Iterator[Finding]:
    for one, check in zip(sent.receipts, sent.checks, strict=True):
        path, moment = f"{one.path}/Signature", one.values.moment("TmstFirmaRecibo")
        yield from parties.signature(check, f"el recibo de {one.name}", path, moment)
        declared = " ".join(one.values.text("Declaracion").split())
        if declared and declared != DECLARATION:
            yield avisos.DECLARATION.at(f"{one.path}/Declaracion", documento=one.name)
        signer = one.values.text("RutFirma")
        holder = check.certificate.rut if check.certificate else ""
        if signer and holder and signer.upper() != holder:
            yield avisos.OTHER_SIGNER.at(
                f"{one.path}/RutFirma", documento=one.name, dice=signer, es=holder
            )
        if one.tipo and one.tipo not in TYPES:
            yield avisos.NO_RECEIPT_TYPE.at(f"{one.path}/TipoDoc", documento=one.name)


def _tables(sent: Receipts) -> list[Table]:
    rows = [
        (
            one.name,
            one.values.text("Recinto"),
            one.values.text("RutFirma"),
            one.values.text("TmstFirmaRecibo").replace("T", " "),
            "válida" if check.valid else "no es válida",
        )
        for one, check in zip(sent.receipts[:200], sent.checks, strict=False)
    ]
    columns = ("Documento", "Recinto", "Firma", "Fecha", "Firma electrónica")
    return [Table("Recibos", columns, rows)] if rows else []


def recognise(given: Given) -> bool:
    """Tell by the root."""
    return given.root == "EnvioRecibos"


KIND = Kind(
    name="EnvioRecibos",
    title="Recibo de mercaderías o servicios (EnvioRecibos)",
    recognise=recognise,
    examine=examine,
)
