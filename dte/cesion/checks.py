"""What the Registro checks when an AEC is handed in, and what the parties must check themselves."""

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from dte.cesion import notices
from dte.cesion.reading import Aec, Cession
from dte.crypto import Defect
from dte.documents.document import day_in_chile
from dte.documents.rut import rut_problem
from dte.examining.examination import Case
from dte.examining.signatures import SignatureNotices
from dte.rules.findings import Finding

CEDABLE = frozenset({33, 34, 43, 46})
"""Formato Archivo Electrónico de Cesión v1.1, p. 8, campo 2."""
_signature: Final = SignatureNotices(notices.SIGNATURE, notices.CERTIFICATE)
MAX_IMAGE = 4_000_000
"""Characters of ImagenAR (DTECedido_v10.xsd)."""

_IDENTITY = (
    ("TipoDTE", "Encabezado/IdDoc/TipoDTE"),
    ("RUTEmisor", "Encabezado/Emisor/RUTEmisor"),
    ("RUTReceptor", "Encabezado/Receptor/RUTRecep"),
    ("Folio", "Encabezado/IdDoc/Folio"),
    ("FchEmis", "Encabezado/IdDoc/FchEmis"),
    ("MntTotal", "Encabezado/Totales/MntTotal"),
)


def check(aec: Aec, case: Case) -> Iterator[Finding]:
    """Yield everything found on an AEC."""
    for problem in aec.problems:
        yield notices.STRUCTURE.at(
            problem.path, line=problem.line, campo=problem.path, problema=problem.text
        )
    yield from _signature(aec.whole, "todo el AEC", "Signature", aec.cover.moment("TmstFirmaEnvio"))
    place = "Cesiones/DTECedido/Signature"
    yield from _signature(aec.ceded, "el documento cedido (DTECedido)", place, aec.ceded_at)
    yield from _document(aec, case)
    for number, cession in enumerate(aec.cessions):
        before = aec.cessions[number - 1] if number else None
        yield from _signers(cession)
        yield from _identity(cession, aec)
        yield from _parties(cession, before, aec)
        yield from _amount(cession, before)
        yield from _dates(cession, before, case)
        yield from _statement(cession, aec)
    yield from _cover(aec)
    yield from _enclosures(aec)


def _document(aec: Aec, case: Case) -> Iterator[Finding]:
    path = "Cesiones/DTECedido/DocumentoDTECedido/DTE"
    if aec.unreadable:
        yield notices.UNREADABLE_DOCUMENT.at(path, motivo=aec.unreadable)
    yield from aec.document_findings
    document = aec.document
    if document is None:
        return
    if document.tipo not in CEDABLE:
        yield notices.TYPE.at(f"{path}/Documento/Encabezado/IdDoc/TipoDTE", tipo=document.tipo)
    past = case.records.document(document.issuer, document.tipo, document.folio)
    if past is not None and past.outcome in {"rejected", "annulled"}:
        said = {"rejected": "rechazado", "annulled": "folio anulado"}[past.outcome]
        yield notices.KNOWN_BAD.at(path, estado=said)


def _signers(cession: Cession) -> Iterator[Finding]:
    authorised = cession.values.rows("Cedente/RUTAutorizado")
    path = f"Cesiones/Cesion[{cession.number}]/Signature"
    moment = cession.values.moment("TmstCesion")
    if len(cession.signatures) != len(authorised):
        yield notices.SIGNERS.at(
            path,
            numero=cession.number,
            firmas=len(cession.signatures),
            autorizado=len(authorised),
        )
    for place, found in enumerate(cession.signatures, 1):
        where = f"{path}[{place}]" if len(cession.signatures) > 1 else path
        yield from _signature(found, f"la cesión {cession.number}", where, moment)
        person = authorised[place - 1].text("RUT") if place <= len(authorised) else ""
        signer = found.certificate.rut if found.certificate else ""
        if not person or not signer or person == signer:
            continue
        yield notices.SIGNER.at(
            where,
            # Annotated cessions exist that name the company itself as the authorised person.
            severity="warn" if person == cession.assignor else None,
            numero=cession.number,
            firmante=signer,
            autorizado=person,
        )


def _identity(cession: Cession, aec: Aec) -> Iterator[Finding]:
    if aec.document is None:
        return
    for name, path in _IDENTITY:
        said, document_value = cession.values.text(f"IdDTE/{name}"), aec.document.text(path)
        same = said == document_value or (
            said.isdigit() and document_value.isdigit() and int(said) == int(document_value)
        )
        if said and not same:
            yield notices.OTHER_DOCUMENT.at(
                f"{cession.path}/IdDTE/{name}",
                numero=cession.number,
                campo=name,
                dice=said,
                en_documento=document_value,
            )


def _parties(cession: Cession, before: Cession | None, aec: Aec) -> Iterator[Finding]:
    stated = cession.values.text("SeqCesion")
    if stated.isdigit() and int(stated) != cession.number:
        path = f"{cession.path}/SeqCesion"
        yield notices.SEQUENCE.at(path, lugar=cession.number, numero=int(stated))
    path = f"{cession.path}/Cedente/RUT"
    owners = _owners(cession)
    if before is None and cession.assignor and owners and cession.assignor not in owners:
        yield notices.FIRST_ASSIGNOR.at(path, cedente=cession.assignor, titular=owners[0])
    if before is not None and cession.assignor != before.assignee:
        yield notices.CHAIN.at(
            path, numero=cession.number, cedente=cession.assignor, titular=before.assignee
        )
    if cession.assignor and cession.assignor == cession.assignee:
        yield notices.ONESELF.at(path, numero=cession.number, rut=cession.assignor)
    elif cession.assignee and cession.assignee == _debtor(cession):
        path = f"{cession.path}/Cesionario/RUT"
        yield notices.TO_THE_DEBTOR.at(path, numero=cession.number, rut=cession.assignee)
    yield from _ruts(cession)


def _owners(cession: Cession) -> list[str]:
    """Who may cede first: the issuer; of a factura de compra, which the buyer issues, the seller too."""
    ids = cession.values
    owners = [ids.text("IdDTE/RUTEmisor")]
    if ids.text("IdDTE/TipoDTE") == "46":
        owners.insert(0, ids.text("IdDTE/RUTReceptor"))
    return [rut for rut in owners if rut]


def _debtor(cession: Cession) -> str:
    """Who owes: the receiver; of a factura de compra its issuer."""
    is_purchase = cession.values.text("IdDTE/TipoDTE") == "46"
    return cession.values.text("IdDTE/RUTEmisor" if is_purchase else "IdDTE/RUTReceptor")


def _ruts(cession: Cession) -> Iterator[Finding]:
    whose = [("Cedente/RUT", "el cedente"), ("Cesionario/RUT", "el cesionario")]
    rows = cession.values.rows("Cedente/RUTAutorizado")
    ruts = [(path, name, cession.values.text(path)) for path, name in whose]
    ruts += [(row.path("RUT"), "la persona autorizada", row.text("RUT")) for row in rows]
    for path, name, rut in ruts:
        if rut and (problem := rut_problem(rut)):
            yield notices.RUT.at(f"{cession.path}/{path}", de_quien=name, problema=problem)


def _amount(cession: Cession, before: Cession | None) -> Iterator[Finding]:
    amount, total = cession.values.amount("MontoCesion"), cession.values.amount("IdDTE/MntTotal")
    path = f"{cession.path}/MontoCesion"
    if amount is None:
        return
    if total is not None and amount > total:
        yield notices.AMOUNT.at(path, numero=cession.number, monto=amount, total=total)
    if amount == Decimal(0):
        yield notices.NO_AMOUNT.at(path, numero=cession.number)
    earlier = before.values.amount("MontoCesion") if before else None
    if earlier is not None and amount > earlier:
        yield notices.MORE_THAN_BEFORE.at(
            path, numero=cession.number, monto=amount, anterior=earlier
        )


def _dates(cession: Cession, before: Cession | None, case: Case) -> Iterator[Finding]:
    values, number = cession.values, cession.number
    issued, due = values.date("IdDTE/FchEmis"), values.date("UltimoVencimiento")
    moment = values.moment("TmstCesion")
    if issued and due and due < issued:
        yield notices.DUE.at(
            f"{cession.path}/UltimoVencimiento", numero=number, vence=due, emitido=issued
        )
    if moment is None:
        return
    path = f"{cession.path}/TmstCesion"
    if day_in_chile(moment) > day_in_chile(case.as_of):
        yield notices.FUTURE.at(path, numero=number, fecha=values.text("TmstCesion"))
    if issued and day_in_chile(moment) < issued:
        yield notices.ORDER.at(
            path, numero=number, fecha=moment.date(), que_anterior="la emisión", anterior=issued
        )
    earlier = before.values.moment("TmstCesion") if before else None
    if earlier is not None and moment < earlier:
        yield notices.ORDER.at(
            path,
            numero=number,
            fecha=moment.date(),
            que_anterior="la cesión anterior",
            anterior=earlier.date(),
        )


def _statement(cession: Cession, aec: Aec) -> Iterator[Finding]:
    path = f"{cession.path}/Cedente/DeclaracionJurada"
    words = cession.values.text("Cedente/DeclaracionJurada")
    earlier = aec.cessions[: cession.number - 1]
    if not words and any(one.values.has("Cedente/DeclaracionJurada") for one in earlier):
        yield notices.STATEMENT_LOST.at(path, numero=cession.number)
    elif not words and not aec.receipts:
        yield notices.NO_RECEIPT.at(path, numero=cession.number)
    if not words:
        return
    plain = re.sub(r"[.\s]", "", words.upper())
    parties = (
        ("el cedente", cession.assignor),
        ("el cesionario", cession.assignee),
        ("el deudor", _debtor(cession)),
    )
    missing = [name for name, rut in parties if rut and rut not in plain]
    if missing:
        yield notices.STATEMENT_PARTIES.at(path, numero=cession.number, faltan=missing)


def _cover(aec: Aec) -> Iterator[Finding]:
    if not aec.cessions:
        return
    last = aec.cessions[-1]
    for name, role, expected in (
        ("RutCedente", "como cedente", last.assignor),
        ("RutCesionario", "como cesionario", last.assignee),
    ):
        said = aec.cover.text(name)
        if said and expected and said != expected:
            yield notices.COVER.at(f"Caratula/{name}", rol=role, dice=said, ultima=expected)


def _enclosures(aec: Aec) -> Iterator[Finding]:
    base = "Cesiones/DTECedido/DocumentoDTECedido"
    for receipt in aec.receipts:
        path = f"{base}/Recibo[{receipt.number}]"
        reasons = receipt.check.defects
        for defect, reason in reasons.items():
            yield notices.SIGNATURE.at(
                f"{path}/Signature",
                severity="review" if defect is not Defect.MISSING else "warn",
                parte=f"el recibo {receipt.number}",
                motivo=reason,
            )
        if aec.document is None:
            continue
        said = (receipt.values["TipoDoc"], receipt.values["Folio"], receipt.values["RUTEmisor"])
        document = aec.document
        ceded = (str(document.tipo), document.folio, document.issuer)
        of_a_guide = said[0] in {"50", "52"} and said[2] == ceded[2]
        if said != ceded and not of_a_guide:
            yield notices.RECEIPT.at(
                path, numero=receipt.number, dice=" ".join(said), cedido=" ".join(ceded)
            )
    for name, encoded in aec.images.items():
        if not _is_pdf(encoded):
            yield notices.IMAGE.at(f"{base}/{name}", nombre=name)
        if name == "ImagenAR" and len(encoded) > MAX_IMAGE:
            yield notices.IMAGE_SIZE.at(f"{base}/{name}", largo=len(encoded), maximo=MAX_IMAGE)


def _is_pdf(encoded: str) -> bool:
    start = "".join(encoded[:400].split())[:16]
    try:
        return b64decode(start[: len(start) // 4 * 4], validate=True).startswith(b"%PDF")
    except (Error, ValueError):
        return False
