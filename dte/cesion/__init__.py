"""AEC: the file in which the credit of an invoice is ceded (Ley 19.983).

reading   an AEC taken apart, its signatures checked
checks    what the Registro checks, and what it leaves to the parties
notices   the catalogue of what can be wrong
"""

from typing import Final

from dte.cesion.checks import check
from dte.cesion.reading import Aec, read_aec
from dte.crypto import SignatureCheck
from dte.examining.examination import Case, Examination, Kind, Table
from dte.examining.given import Given
from dte.formato.tipos import TYPE_NAMES
from dte.rules.findings import plain, spell, worst_severity

_STATES: Final = {"reject": "no_anotable", "review": "dudosa", "warn": "anotable"}
_HEADLINES: Final = {
    "anotable": ("En orden", "Nada de lo revisado impide anotar la cesión en el Registro del SII."),
    "dudosa": ("Revisar", "Hay puntos que una persona debe revisar antes de enviar la cesión."),
    "no_anotable": (
        "No enviar",
        "El Registro del SII rechazaría esta cesión, o no vale como está: corrija lo señalado.",
    ),
}
_CHECKED: Final = (
    "estructura según los esquemas del SII",
    "firmas del AEC, del documento cedido, de cada cesión y de los recibos",
    "el documento cedido: formato, timbre, CAF y firma",
    "cadena de cedentes y cesionarios, montos, fechas y declaración jurada",
)
_NOT_CHECKED: Final = (
    "si el cedente es el último cesionario anotado en el Registro",
    "si el documento está registrado en el SII y si el deudor lo reclamó",
    "los poderes de quienes firman",
    "revocación de los certificados",
)


def recognise(given: Given) -> bool:
    """Tell whether the root is that of an AEC."""
    return given.root == "AEC"


def examine(given: Given, case: Case) -> Examination:
    """Examine an AEC."""
    aec = read_aec(given.tree, case.as_of)
    findings = list(check(aec, case))
    state = _STATES[worst_severity(findings)]
    headline, statement = _HEADLINES[state]
    return Examination(
        state=state,
        headline=headline,
        statement=statement,
        findings=findings,
        summary=_summary(aec),
        facts=_facts(aec),
        tables=(_chain(aec), _signatures(aec)),
        checked=_CHECKED,
        not_checked=_NOT_CHECKED,
        confidence=90,
    )


def _summary(aec: Aec) -> dict[str, object]:
    document, last = aec.document, aec.cessions[-1] if aec.cessions else None
    summary: dict[str, object] = {
        "type": document.tipo if document else None,
        "folio": document.folio if document else "",
        "issuer": {"rut": document.issuer, "name": document.text("Encabezado/Emisor/RznSoc")}
        if document
        else {},
        "receiver": {
            "rut": document.receiver,
            "name": document.text("Encabezado/Receptor/RznSocRecep"),
        }
        if document
        else {},
        "total": plain(document.totals("MntTotal")) if document else None,
        "cesiones": len(aec.cessions),
    }
    if last is not None:
        summary |= {
            "cedente": last.assignor,
            "cesionario": last.assignee,
            "monto_cesion": plain(last.values.amount("MontoCesion")),
        }
    return summary


def _facts(aec: Aec) -> list[tuple[str, str]]:
    document, last = aec.document, aec.cessions[-1] if aec.cessions else None
    facts = []
    if document is not None:
        name = TYPE_NAMES.get(document.tipo, str(document.tipo))
        facts += [
            ("Documento", f"{name} N° {document.folio}"),
            ("Emisor", f"{document.issuer} {document.text('Encabezado/Emisor/RznSoc')}"),
            ("Deudor", f"{document.receiver} {document.text('Encabezado/Receptor/RznSocRecep')}"),
            ("Total", spell(document.totals("MntTotal"))),
        ]
    if last is not None:
        facts += [
            ("Cede", f"{last.assignor} {last.values.text('Cedente/RazonSocial')}"),
            ("A", f"{last.assignee} {last.values.text('Cesionario/RazonSocial')}"),
            ("Monto cedido", spell(last.values.amount("MontoCesion"))),
            ("Recibos", str(len(aec.receipts))),
        ]
    return facts


def _chain(aec: Aec) -> Table:
    rows = [
        (
            one.values.text("SeqCesion"),
            f"{one.assignor} {one.values.text('Cedente/RazonSocial')}",
            f"{one.assignee} {one.values.text('Cesionario/RazonSocial')}",
            spell(one.values.amount("MontoCesion")),
            one.values.text("UltimoVencimiento"),
            one.values.text("TmstCesion"),
        )
        for one in aec.cessions
    ]
    return Table("Cesiones", ("N°", "Cedente", "Cesionario", "Monto", "Vence", "Fecha"), rows)


def _signatures(aec: Aec) -> Table:
    rows = [_signed("AEC", aec.whole), _signed("Documento cedido", aec.ceded)]
    for cession in aec.cessions:
        rows += [_signed(f"Cesión {cession.number}", found) for found in cession.signatures]
    rows += [_signed(f"Recibo {receipt.number}", receipt.check) for receipt in aec.receipts]
    return Table("Firmas", ("Parte", "Firmante", "Resultado"), rows)


def _signed(part: str, found: SignatureCheck) -> tuple[str, str, str]:
    certificate = found.certificate
    who = f"{certificate.rut} {certificate.holder}".strip() if certificate else ""
    return part, who, "válida" if found.valid else "; ".join(found.defects.values())


KIND: Final = Kind("AEC", "Archivo electrónico de cesión", recognise, examine)
