"""Books and reports of old: IECV, the book of guías, and the report of folios (RCOF).

    sumas    sums against detail, counts against ranges
    notices  the catalogue of what can be wrong

None of them is sent any more as a matter of course; people still have them, make them in certification,
or are asked for one by the SII.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from dte.crypto import SignatureCheck, count_ids, verify_part
from dte.documents.document import Values
from dte.documents.rut import rut_problem
from dte.examining.examination import Case, Examination, Kind, Table
from dte.examining.given import Given
from dte.examining.signatures import SignatureNotices
from dte.formato.elements import child
from dte.formato.reading import Problem
from dte.formato.structure import ONCE, frame, read_part
from dte.libros import notices
from dte.libros.sumas import check_folios, check_guides, check_purchases_and_sales
from dte.rules.findings import Finding, spell, worst_severity

Check = Callable[[Values], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Book:
    """One of the three: how it is built, what it must add up to, and whether anyone asks for it."""

    name: str
    title: str
    root: str
    body: str
    outline: str
    check: Check
    rows: str
    """The repeated zone of its summary."""
    obligation: str
    moment: str


IECV: Final = Book(
    "LibroCompraVenta",
    "Libro de compras o ventas (IECV)",
    "LibroCompraVenta",
    "EnvioLibro",
    "libro_cv",
    check_purchases_and_sales,
    "ResumenPeriodo/TotalesPeriodo",
    "Ya no se envía: desde agosto de 2017 lo reemplaza el Registro de Compras y Ventas (Res. Ex. SII 61 "
    "de 2017).",
    "TmstFirma",
)
GUIDES: Final = Book(
    "LibroGuia",
    "Libro de guías de despacho",
    "LibroGuia",
    "EnvioLibro",
    "libro_guia",
    check_guides,
    "ResumenPeriodo/TotTraslado",
    "No se envía cada mes: sólo cuando el SII lo pide con una notificación (libro ESPECIAL), o al "
    "certificarse.",
    "TmstFirma",
)
FOLIOS: Final = Book(
    "ConsumoFolios",
    "Reporte de consumo de folios (RCOF)",
    "ConsumoFolios",
    "DocumentoConsumoFolios",
    "consumo_folios",
    check_folios,
    "Resumen",
    "Ya no es obligatorio enviarlo cada día (Res. Ex. SII 53 de 2022); el SII lo pide al certificarse.",
    "Caratula/TmstFirmaEnv",
)
_signature: Final = SignatureNotices(notices.SIGNATURE, notices.CERTIFICATE)
_STATES: Final = {"reject": "con_faltas", "review": "revisar", "warn": "en_orden"}
_HEADLINES: Final = {
    "en_orden": ("En orden", "Su estructura, sus sumas y su firma están bien."),
    "revisar": ("Revisar", "Hay puntos que una persona debe mirar."),
    "con_faltas": ("Con faltas", "El SII lo rechazaría, o sus sumas no cuadran."),
}


def _examine(book: Book, given: Given) -> Examination:
    root = given.tree.root
    body = child(root, book.body)
    problems = list(frame(root, book.root, {book.body: ONCE, "Signature": ONCE}, ("version",)))
    data = read_part(body, book.outline, "", problems) if body is not None else {}
    values = Values(data)
    check = verify_part(body, child(root, "Signature"), count_ids(root))
    findings = [
        *_structure(problems),
        *_signature(check, "el libro", "Signature", values.moment(book.moment)),
    ]
    findings += [*_cover(values), *book.check(values)]
    state = _STATES[worst_severity(findings)]
    headline, statement = _HEADLINES[state]
    return Examination(
        state=state,
        headline=headline,
        statement=f"{statement} {book.obligation}",
        findings=findings,
        summary=_summary(values),
        facts=_facts(values, check, book),
        tables=(_table(values, book),),
        checked=("estructura", "sumas del resumen contra el detalle", "firma y certificado"),
        not_checked=("los documentos que el libro nombra", "revocación del certificado"),
        confidence=85,
    )


def _structure(problems: list[Problem]) -> Iterator[Finding]:
    for one in problems:
        yield notices.STRUCTURE.at(one.path, line=one.line, campo=one.path, problema=one.text)


def _cover(values: Values) -> Iterator[Finding]:
    for name, whose in (
        ("RutEmisorLibro", "el emisor"),
        ("RutEmisor", "el emisor"),
        ("RutEnvia", "quien envía"),
    ):
        rut = values.text(f"Caratula/{name}")
        if rut and (problem := rut_problem(rut)):
            yield notices.RUT.at(f"Caratula/{name}", de_quien=whose, problema=problem)
    period = values.text("Caratula/PeriodoTributario")
    if period and not values.date("Caratula/PeriodoTributario") and not _is_month(period):
        yield notices.PERIOD.at("Caratula/PeriodoTributario", periodo=period)
    special = values.text("Caratula/TipoLibro") == "ESPECIAL"
    if special and not values.has("Caratula/FolioNotificacion"):
        yield notices.NOTIFICATION.at("Caratula/FolioNotificacion")


def _is_month(period: str) -> bool:
    return Values({"day": f"{period}-01"}).date("day") is not None


def _summary(values: Values) -> dict[str, Any]:
    issuer = values.text("Caratula/RutEmisorLibro") or values.text("Caratula/RutEmisor")
    return {
        "issuer": {"rut": issuer, "name": ""},
        "periodo": values.text("Caratula/PeriodoTributario") or values.text("Caratula/FchInicio"),
        "documentos": len(values.rows("Detalle")),
    }


def _facts(values: Values, check: SignatureCheck, book: Book) -> list[tuple[str, str]]:
    signer = check.certificate
    return [
        ("Emisor", _summary(values)["issuer"]["rut"]),
        ("Período", _summary(values)["periodo"]),
        ("Operación", values.text("Caratula/TipoOperacion").lower()),
        ("Documentos en el detalle", str(len(values.rows("Detalle")))),
        ("Firma", f"{signer.rut} {signer.holder}".strip() if signer else ""),
        ("¿Es obligatorio?", book.obligation),
    ]


def _table(values: Values, book: Book) -> Table:
    names = {
        "libro_cv": ("TpoDoc", "TotDoc", "TotMntExe", "TotMntNeto", "TotMntIVA", "TotMntTotal"),
        "libro_guia": ("TpoTraslado", "CantGuia", "MntGuia"),
        "consumo_folios": ("TipoDocumento", "FoliosEmitidos", "FoliosAnulados", "MntTotal"),
    }[book.outline]
    rows = [
        (
            row.text(names[0]),
            *(spell(row.amount(name)) if row.has(name) else "" for name in names[1:]),
        )
        for row in values.rows(book.rows)
    ]
    return Table("Resumen", names, rows)


def _kind(book: Book) -> Kind:
    def recognise(given: Given) -> bool:
        return given.root == book.root

    def examine(given: Given, case: Case) -> Examination:
        return _examine(book, given)

    return Kind(book.name, book.title, recognise, examine)


KINDS: Final = tuple(_kind(book) for book in (IECV, GUIDES, FOLIOS))
