"""The sums of a book against its detail, and the counts of a report of folios against its ranges."""

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal

from dte.documents.document import Row, Values
from dte.documents.rut import rut_problem
from dte.libros import notices
from dte.rules.findings import Finding

# Total of the summary, and the field of the detail that it adds up.
_AMOUNTS = (
    ("TotMntExe", "MntExe"),
    ("TotMntNeto", "MntNeto"),
    ("TotMntIVA", "MntIVA"),
    ("TotMntTotal", "MntTotal"),
)
_MOST = 20
_Group = tuple[str, str]


def check_purchases_and_sales(book: Values) -> Iterator[Finding]:
    """Yield what does not add up in an IECV; what is sent without detail cannot be added."""
    groups: dict[_Group, list[Row]] = {}
    for row in book.rows("Detalle"):
        groups.setdefault(_group(row), []).append(row)
    summaries = [("ResumenSegmento/TotalesSegmento", True)]
    whole = book.text("Caratula/TipoEnvio") == "TOTAL" or not book.has("ResumenSegmento")
    summaries.append(("ResumenPeriodo/TotalesPeriodo", whole))
    for path, comparable in summaries:
        for totals in book.rows(path) if comparable else ():
            yield from _compare(totals, groups.get(_group(totals), []))
    yield from _details(book.rows("Detalle"), "TpoDoc", "NroDoc")


def _group(row: Row) -> _Group:
    return row.text("TpoDoc"), row.text("TpoImp") or "1"


def _compare(totals: Row, rows: list[Row]) -> Iterator[Finding]:
    if not rows:  # boletas and the like are summed up without detail
        return
    valid = [row for row in rows if not row.has("Anulado")]
    what = f"tipo {totals.text('TpoDoc')}"
    stated = totals.amount("TotDoc")
    if stated is not None and stated not in {len(rows), len(valid)}:
        yield _sum(totals, "TotDoc", stated, Decimal(len(valid)), f"documentos de {what}")
    for total, name in _AMOUNTS:
        said = totals.amount(total)
        added = sum((row.amount_or_zero(name) for row in valid), Decimal(0))
        if said is not None and said != added:
            yield _sum(totals, total, said, added, f"{name} de {what}")


def _sum(totals: Row, name: str, said: Decimal, added: Decimal, what: str) -> Finding:
    path = totals.path(name)
    return notices.SUM.at(path, campo=name, dice=said, suma=added, que=what)


def _details(rows: Iterable[Row], tipo: str, folio: str) -> Iterator[Finding]:
    seen: Counter[tuple[str, str, str]] = Counter()
    said = 0
    for row in rows:
        rut = row.text("RUTDoc")
        if rut and said < _MOST and (problem := rut_problem(rut)):
            said += 1
            yield notices.RUT.at(row.path("RUTDoc"), de_quien="el documento", problema=problem)
        if row.text("Operacion") == "2":  # takes back another line
            continue
        key = (row.text(tipo), row.text(folio), rut)
        seen[key] += 1
        if seen[key] == 2 and key[1]:
            yield notices.REPEATED.at(
                row.path(folio), tipo=key[0] or "52", folio=key[1], rut=rut or "el emisor"
            )


def check_guides(book: Values) -> Iterator[Finding]:
    """Yield what does not add up in a book of guías."""
    rows = book.rows("Detalle")
    valid = [row for row in rows if row.text("Anulado") not in {"1", "2"}]
    whole = book.text("Caratula/TipoEnvio") in {"TOTAL", ""} or not book.has("ResumenSegmento")
    for path, comparable in (("ResumenSegmento", True), ("ResumenPeriodo", whole)):
        if not book.has(path) or not comparable or not rows:
            continue
        sales = [row for row in valid if row.text("TpoOper") in {"1", ""}]
        annulled = Counter(row.text("Anulado") for row in rows)
        expected = {
            "TotFolAnulado": Decimal(annulled["1"]),
            "TotGuiaAnulada": Decimal(annulled["2"]),
            "TotGuiaVenta": Decimal(len(sales)),
            "TotMntGuiaVta": sum((row.amount_or_zero("MntTotal") for row in sales), Decimal(0)),
        }
        for name, added in expected.items():
            said = book.amount(f"{path}/{name}")
            if said is not None and said != added:
                yield notices.SUM.at(
                    f"{path}/{name}", campo=name, dice=said, suma=added, que="guías del libro"
                )
        for totals in book.rows(f"{path}/TotTraslado"):
            tipo = totals.text("TpoTraslado")
            count = Decimal(sum(row.text("TpoOper") == tipo for row in valid))
            said = totals.amount("CantGuia")
            if said is not None and said != count:
                yield _sum(totals, "CantGuia", said, count, f"guías de traslado {tipo}")
    yield from _details(rows, "TpoDoc", "Folio")


def check_folios(report: Values) -> Iterator[Finding]:
    """Yield what does not add up in a report of folios."""
    start, end = report.date("Caratula/FchInicio"), report.date("Caratula/FchFinal")
    if start and end and start > end:
        yield notices.DATES.at("Caratula/FchInicio", desde=start, hasta=end)
    for row in report.rows("Resumen"):
        tipo = row.text("TipoDocumento")
        issued, annulled = (
            row.amount_or_zero("FoliosEmitidos"),
            row.amount_or_zero("FoliosAnulados"),
        )
        used = row.amount_or_zero("FoliosUtilizados")
        if used != issued + annulled:
            yield notices.FOLIOS.at(
                row.path("FoliosUtilizados"),
                tipo=tipo,
                campo="FoliosUtilizados",
                dice=used,
                esperado=issued + annulled,
                que="emitidos más anulados",
            )
        yield from _ranges(row, "RangoUtilizados", {issued, used}, "FoliosEmitidos", issued)
        yield from _ranges(row, "RangoAnulados", {annulled}, "FoliosAnulados", annulled)
        parts = [row.amount(name) for name in ("MntNeto", "MntIva", "MntExento")]
        total, added = row.amount("MntTotal"), sum(filter(None, parts), Decimal(0))
        if total is not None and any(part is not None for part in parts) and total != added:
            yield notices.TOTAL.at(row.path("MntTotal"), tipo=tipo, dice=total, suma=added)


def _ranges(
    row: Row, name: str, allowed: set[Decimal], field: str, stated: Decimal
) -> Iterator[Finding]:
    tipo, counted, last = row.text("TipoDocumento"), Decimal(0), Decimal(-1)
    edges = []
    for one in row.rows(name):
        first, final = one.amount("Inicial"), one.amount("Final")
        if first is not None:
            edges.append((first, first if final is None else final))
    for first, final in sorted(edges):
        problem = "está invertido" if final < first else ""
        if not problem and first <= last:
            problem = "se traslapa con otro"
        if problem:
            yield notices.RANGE.at(
                row.path(name), tipo=tipo, desde=first, hasta=final, problema=problem
            )
            return
        counted += final - first + 1
        last = final
    if counted not in allowed:
        yield notices.FOLIOS.at(
            row.path(field),
            tipo=tipo,
            campo=field,
            dice=stated,
            esperado=counted,
            que=f"según {name}",
        )
