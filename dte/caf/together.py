"""What several CAF files show only together: the folios of each type, and ranges loaded twice."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from dte.caf import notices
from dte.examining.examination import Examination, Table
from dte.rules.findings import spell

Group = list[dict[str, Any]]


def together(examinations: Sequence[Examination]) -> Examination:
    """Return the folios that a set of CAF files authorises, by issuer and type."""
    groups: dict[tuple[str, int], Group] = defaultdict(list)
    usable = 0
    for one in examinations:
        summary = one.summary
        if summary["folios"]:
            groups[summary["issuer"]["rut"], summary["type"] or 0].append(summary)
        if one.state in {"vigente", "por vencer"}:
            usable += summary["left"] or 0
    findings = [
        notices.OVERLAP.at("CAF/DA/RNG", emisor=issuer, tipo=tipo, folios=f"{begin} a {end}")
        for (issuer, tipo), group in groups.items()
        for begin, end in _overlaps(group)
    ]
    rows = [_row(issuer, group) for (issuer, _), group in sorted(groups.items())]
    return Examination(
        state="repetidos" if findings else "en orden",
        headline="Folios de todos los CAF",
        statement=f"{len(examinations)} archivos con {spell(usable)} folios que se pueden usar.",
        findings=findings,
        summary={"files": len(examinations), "left": usable},
        tables=[Table("Folios por emisor y tipo", _COLUMNS, rows)],
    )


_COLUMNS = ("Emisor", "Tipo", "Rangos", "Folios", "Quedan", "Vence primero")


def _overlaps(group: Group) -> list[tuple[int, int]]:
    ranges = sorted((one["first"], one["last"]) for one in group)
    found, highest = [], 0
    for begin, end in ranges:
        if begin <= highest:
            found.append((begin, min(end, highest)))
        highest = max(highest, end)
    return found


def _row(issuer: str, group: Group) -> tuple[str, ...]:
    ranges = sorted((one["first"], one["last"]) for one in group)
    dates = [one["expires"] for one in group if one["expires"]]
    return (
        issuer,
        f"{group[0]['type_name']} ({group[0]['type']})",
        ", ".join(f"{begin}-{end}" for begin, end in ranges[:20]),
        spell(sum(one["folios"] for one in group)),
        spell(sum(one["left"] for one in group)),
        "-".join(reversed(min(dates).split("-"))) if dates else "no vencen",
    )
