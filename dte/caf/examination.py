"""Examining one CAF file."""

from datetime import date, timedelta
from typing import Final

from dte.caf import notices
from dte.caf.firma import check_signature
from dte.caf.folios import Folios, count_folios, read_ranges, spell_ranges
from dte.caf.llave import check_keys
from dte.caf.reading import CafFile, read_caf
from dte.crypto import Status
from dte.crypto.authorities import CERTIFICATION_IDK, PRODUCTION_IDK
from dte.documents.document import SANTIAGO
from dte.documents.rut import rut_problem, tidy
from dte.examining.examination import Ask, Case, Examination
from dte.examining.given import Given
from dte.examining.notices import spell_out
from dte.formato.tipos import TYPE_NAMES
from dte.parsing.unreadable import Unreadable
from dte.rules.caf import EXPIRING_TYPES, SIX_MONTHS_IN_DAYS, expiry
from dte.rules.findings import Finding, spell

SOON: Final = timedelta(days=30)
FEW: Final = 10
ENVIRONMENTS: Final = {PRODUCTION_IDK: "produccion", CERTIFICATION_IDK: "certificacion"}
_SIGNATURES: Final = {
    Status.VALID: "válida",
    Status.UNKNOWN_AUTHORITY: "no se pudo verificar",
    Status.MISSING: "falta",
}
_HEADLINES: Final = {
    "vigente": "CAF vigente",
    "por vencer": "CAF por vencer",
    "vencido": "CAF vencido",
    "agotado": "CAF sin folios",
    "dañado": "CAF dañado",
    "inservible": "CAF que no sirve aquí",
    "incompleto": "CAF incompleto",
}
_USED: Final = Ask(
    "usados",
    "Folios ya usados",
    "Por ejemplo 1-40, 45. Así se cuentan los que quedan y los saltos.",
)


def examine(given: Given, case: Case) -> Examination:
    """Examine a CAF file.

    Raises:
        Unreadable: It is not XML, or has no CAF inside.
    """
    file = read_caf(given.tree)
    if file is None:
        raise Unreadable("XML-01", motivo="es una AUTORIZACION sin CAF/DA: llegó cortada o vacía")
    today = case.as_of.astimezone(SANTIAGO).date()
    findings = [*_structure(file), *_fitness(file, given, case)]
    signature, found = check_signature(file)
    findings += found
    key, found = check_keys(file)
    findings += found
    expires, found = _validity(file, today)
    findings += found
    folios, found = _folios(file, given, case)
    findings += found
    state = _state(findings, signature)
    return Examination(
        state=state,
        headline=_HEADLINES[state],
        statement=_statement(file, state, expires, folios),
        findings=findings,
        summary=_summary(file, signature, key, expires, folios),
        facts=_facts(file, signature, key, expires, folios),
        checked=(
            "firma del SII (FRMA)",
            "estructura, RUT, tipo y rango",
            "vigencia según el tipo de documento",
            "llave privada contra la pública",
            "daños por edición: codificación y saltos de línea",
        ),
        not_checked=(
            "folios anulados en el SII",
            "folios usados fuera de este servicio, salvo los indicados",
        ),
        asks=() if given.fields.get("usados") else (_USED,),
        confidence=95 if signature is not Status.UNKNOWN_AUTHORITY else 75,
    )


def _structure(file: CafFile) -> list[Finding]:
    findings = [notices.INCOMPLETE.at("CAF/DA", campo=name) for name in file.missing]
    if file.issuer and (problem := rut_problem(file.issuer)):
        findings.append(notices.WRONG_RUT.at("CAF/DA/RE", problema=problem))
    if file.tipo and file.tipo not in TYPE_NAMES:
        findings.append(notices.UNKNOWN_TYPE.at("CAF/DA/TD", tipo=file.tipo))
    if file.first is not None and file.last is not None and file.first > file.last:
        findings.append(notices.INVERTED.at("CAF/DA/RNG", desde=file.first, hasta=file.last))
    return findings


def _fitness(file: CafFile, given: Given, case: Case) -> list[Finding]:
    """Say whether it serves this issuer and this environment, where they were said."""
    findings = []
    issuer = tidy(given.fields.get("emisor", ""))
    if issuer and file.issuer and issuer != file.issuer.upper():
        findings.append(notices.OTHER_ISSUER.at("CAF/DA/RE", rut=file.issuer, emisor=issuer))
    environment = ENVIRONMENTS.get(file.idk or 0, "")
    if case.environment and environment and environment != case.environment:
        findings.append(
            notices.OTHER_ENVIRONMENT.at(
                "CAF/DA/IDK", ambiente=_spelled(environment), pedido=_spelled(case.environment)
            )
        )
    return findings


def _spelled(environment: str) -> str:
    return environment.replace("cion", "ción")


def _validity(file: CafFile, today: date) -> tuple[date | None, list[Finding]]:
    """Return the last day on which it stamps, None where it never expires."""
    granted = file.granted
    if granted is None:
        return None, []
    if granted > today:
        return None, [notices.FUTURE.at("CAF/DA/FA", autorizado=granted)]
    if file.tipo not in EXPIRING_TYPES:
        return None, []
    expires = expiry(granted)
    if today > expires:
        return expires, [notices.EXPIRED.at("CAF/DA/FA", vence=expires, autorizado=granted)]
    if today > granted + SIX_MONTHS_IN_DAYS:
        return expires, [notices.GREY_DAYS.at("CAF/DA/FA", vence=expires)]
    if today > expires - SOON:
        days = (expires - today).days
        return expires, [notices.EXPIRES_SOON.at("CAF/DA/FA", vence=expires, dias=days)]
    return expires, []


def _folios(file: CafFile, given: Given, case: Case) -> tuple[Folios | None, list[Finding]]:
    first, last = file.first, file.last
    if first is None or last is None or first > last:
        return None, []
    told, unread = read_ranges(given.fields.get("usados", ""))
    known = case.records.used_folios(file.issuer.upper(), file.tipo, first, last)
    folios = count_folios(first, last, [*told, *((folio, folio) for folio in known)])
    findings = [notices.USED_UNREAD.at("usados", texto=unread)] if unread else []
    if not folios.left:
        findings.append(notices.EXHAUSTED.at("CAF/DA/RNG", desde=first, hasta=last))
    elif folios.used and folios.left <= FEW < folios.total:
        findings.append(notices.FEW_LEFT.at("CAF/DA/RNG", quedan=folios.left, total=folios.total))
    if folios.gaps:
        gaps = spell_ranges(folios.gaps)
        findings.append(notices.GAPS.at("CAF/DA/RNG", ultimo=folios.highest, huecos=gaps))
    return folios, findings


def _state(findings: list[Finding], signature: Status) -> str:
    codes = {found.code for found in findings}
    if signature not in {Status.VALID, Status.UNKNOWN_AUTHORITY}:
        return "dañado"
    if codes & {"CAF-24", "CAF-31"}:
        return "incompleto"
    if codes & {"CAF-25", "CAF-26", "CAF-27", "CAF-30", "CAF-32"}:
        return "dañado"
    if "CAF-28" in codes:
        return "vencido"
    if codes & {"CAF-35", "CAF-36"}:
        return "inservible"
    if any(found.code == "CAF-37" and found.severity == "review" for found in findings):
        return "agotado"
    return "por vencer" if "CAF-29" in codes else "vigente"


def _statement(file: CafFile, state: str, expires: date | None, folios: Folios | None) -> str:
    name = TYPE_NAMES.get(file.tipo, "documento").lower()
    parts = {
        "dañado": "Este archivo no sirve para timbrar: descárguelo de nuevo desde el SII.",
        "incompleto": "A este archivo le falta algo para timbrar con él.",
        "vencido": "No timbre con estos folios: el SII rechazaría los documentos.",
        "inservible": "El archivo está bien, pero no es para lo que se indicó.",
        "agotado": "Todos sus folios están usados.",
    }
    said = parts.get(state, f"Sirve para timbrar {name}.")
    if state in {"vigente", "por vencer"}:
        said += (
            f" Vence el {spell_out(expires)}." if expires else " Los folios de este tipo no vencen."
        )
        if folios is not None and folios.used:
            said += f" Quedan {spell(folios.left)} de {spell(folios.total)} folios."
    return said


def _summary(
    file: CafFile, signature: Status, key: str, expires: date | None, folios: Folios | None
) -> dict[str, object]:
    return {
        "type": file.tipo or None,
        "type_name": TYPE_NAMES.get(file.tipo, ""),
        "issuer": {"rut": file.issuer[:12], "name": file.name[:100]},
        "first": file.first,
        "last": file.last,
        "granted": file.granted.isoformat() if file.granted else None,
        "expires": expires.isoformat() if expires else None,
        "idk": file.idk,
        "environment": ENVIRONMENTS.get(file.idk or 0, ""),
        "signature": signature.value,
        "private_key": key,
        "folios": folios.total if folios else None,
        "used": folios.used_count if folios else None,
        "left": folios.left if folios else None,
        "next": folios.next if folios else None,
        "gaps": [list(gap) for gap in folios.gaps[:100]] if folios else [],
    }


def _facts(
    file: CafFile, signature: Status, key: str, expires: date | None, folios: Folios | None
) -> list[tuple[str, str]]:
    tipo = f"{TYPE_NAMES.get(file.tipo, '')} ({file.tipo})".strip() if file.tipo else ""
    when = "no vence" if file.tipo in TYPE_NAMES and file.tipo not in EXPIRING_TYPES else ""
    return [
        ("Emisor", f"{file.name[:100]} · {file.issuer[:12]}"),
        ("Tipo", tipo),
        ("Folios", f"{file.first} a {file.last}" if folios else ""),
        ("Quedan", f"{spell(folios.left)} de {spell(folios.total)}" if folios else ""),
        ("Siguiente", str(folios.next or "") if folios else ""),
        ("Autorizado", _day(file.granted)),
        ("Vence", _day(expires) or when),
        ("Ambiente", _spelled(ENVIRONMENTS.get(file.idk or 0, "desconocido"))),
        ("Firma del SII", _SIGNATURES.get(signature, "no es válida")),
        ("Llave privada", key),
    ]


def _day(day: date | None) -> str:
    return day.strftime("%d-%m-%Y") if day else ""
