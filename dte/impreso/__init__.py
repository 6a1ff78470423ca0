"""A printed or PDF document: what its stamp says, whether it is genuine, and whether the page agrees.

lector   a program of its own that reads stamps and text from a PDF or an image
hojas    runs it within bounds
timbre   the stamp: what it says, its two signatures
cotejo   the stamp beside the text of the page, and beside the XML
notices  the catalogue of what can be wrong
"""

from typing import Final

from dte.examining.examination import Ask, Case, Examination, Kind, Table
from dte.examining.given import Given
from dte.formato.tipos import TYPE_NAMES
from dte.impreso import notices
from dte.impreso.cotejo import beside_page, check_page, check_xml
from dte.impreso.hojas import Pages, read_pages
from dte.impreso.timbre import Ted, check_stamp, read_stamp
from dte.rules.findings import Finding, plain, spell, worst_severity

_IMAGES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
_ASK: Final = Ask("document", "XML del documento", "Para comparar la hoja con él.", "file")
_STATES: Final = {"reject": "falso", "review": "revisar", "warn": "autentico"}
_HEADLINES: Final = {
    "autentico": (
        "Timbre auténtico",
        "El timbre fue hecho con los folios que el SII autorizó al emisor, y la hoja dice lo mismo.",
    ),
    "revisar": ("Revisar", "Hay puntos que una persona debe mirar en la hoja."),
    "falso": ("No confiar", "El timbre no es válido o la hoja no corresponde: no la acepte así."),
    "sin_timbre": ("Sin timbre legible", "En la hoja no hay un timbre que se pueda leer."),
}
_NOT_CHECKED: Final = (
    "si el SII recibió el documento: el timbre no lo dice",
    "la firma electrónica y las líneas del documento, que sólo están en el XML",
    "lo que la hoja muestra como imagen y no como texto",
)


def recognise(given: Given) -> bool:
    """Tell whether it begins as a PDF, a PNG or a JPEG does."""
    return b"%PDF-" in given.content[:1024] or given.content.startswith(_IMAGES)


def examine(given: Given, case: Case) -> Examination:
    """Examine a printed document."""
    pages = read_pages(given.content)
    read = [(stamp, read_stamp(stamp.content)) for stamp in pages.stamps]
    stamps = [ted for _, ted in read if ted is not None]
    if not stamps:
        return _without(pages)
    ted = stamps[0]
    findings: list[Finding] = [*check_stamp(ted, case), *check_page(ted, pages.text)]
    others = {one.identity for one in stamps}
    if len(others) > 1:
        findings.append(notices.SEVERAL.at("TED", cuantos=len(others)))
    if given.document is not None:
        findings += check_xml(ted, given.document, case)
    findings += _history(ted, case)
    state = _STATES[worst_severity(findings)]
    headline, statement = _HEADLINES[state]
    if given.document is not None and state == "autentico":
        statement += " Coincide con el XML entregado."
    return Examination(
        state=state,
        headline=headline,
        statement=statement,
        findings=findings,
        summary=_summary(ted, pages),
        facts=_facts(ted, read[0][0].page, pages),
        tables=(_table(ted, pages),),
        checked=(
            "firma del timbre y firma del SII sobre sus folios (CAF)",
            "rango, tipo, emisor y vigencia de los folios",
            *(("el texto de la página",) if pages.text else ()),
            *(("el XML entregado",) if given.document is not None else ()),
        ),
        not_checked=_NOT_CHECKED,
        asks=() if given.document is not None else (_ASK,),
        confidence=90,
    )


def _without(pages: Pages) -> Examination:
    findings = [notices.NOT_A_STAMP.at("/", pagina=stamp.page) for stamp in pages.stamps[:5]] or [
        notices.NO_STAMP.at("/", miradas=pages.looked, paginas=pages.count)
    ]
    headline, statement = _HEADLINES["sin_timbre"]
    return Examination(
        state="sin_timbre",
        headline=headline,
        statement=statement,
        findings=findings,
        summary={"pages": pages.count},
        facts=(("Páginas", str(pages.count)),),
        checked=(f"{pages.looked} de {pages.count} páginas",),
        not_checked=_NOT_CHECKED,
        confidence=70,
    )


def _history(ted: Ted, case: Case) -> list[Finding]:
    past = case.records.document(ted.text("RE"), ted.tipo, ted.text("F"))
    if past is None or past.total is None or ted.total is None or past.total == ted.total:
        return []
    return [notices.HISTORY.at("TED/DD/MNT", total=past.total, timbre=ted.total)]


def _summary(ted: Ted, pages: Pages) -> dict[str, object]:
    return {
        "type": ted.tipo or None,
        "folio": ted.text("F"),
        "issue_date": ted.issued.isoformat() if ted.issued else None,
        "issuer": {"rut": ted.text("RE"), "name": ted.caf("RS")},
        "receiver": {"rut": ted.text("RR"), "name": ted.text("RSR")},
        "total": plain(ted.total),
        "timbre": {name: ted.text(name) for name in ("IT1", "TSTED")},
        "pages": pages.count,
    }


def _facts(ted: Ted, page: int, pages: Pages) -> list[tuple[str, str]]:
    name = TYPE_NAMES.get(ted.tipo, f"Tipo {ted.text('TD')}")
    return [
        ("Documento", f"{name} N° {ted.text('F')}"),
        ("Emisor", f"{ted.text('RE')} {ted.caf('RS')}"),
        ("Receptor", f"{ted.text('RR')} {ted.text('RSR')}"),
        ("Emitido", ted.text("FE")),
        ("Total", spell(ted.total)),
        ("Timbrado", ted.text("TSTED")),
        ("Folios autorizados", f"{ted.caf('RNG', 'D')}–{ted.caf('RNG', 'H')} el {ted.caf('FA')}"),
        ("Timbre en la página", f"{page} de {pages.count}"),
    ]


def _table(ted: Ted, pages: Pages) -> Table:
    words = {True: "sí", False: "no", None: "no se sabe"}
    rows = [
        (seen.name.capitalize(), seen.value, words[seen.on_page])
        for seen in beside_page(ted, pages.text)
    ]
    return Table("Lo que dice el timbre", ("Dato", "Timbre", "Está en la página"), rows)


KIND: Final = Kind("Impreso", "Documento impreso o PDF", recognise, examine)
