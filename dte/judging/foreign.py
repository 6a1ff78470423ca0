"""Judging JSON that may have been written for somebody else's API."""

from typing import Final

from dte.examining.notices import Notice
from dte.judging.report import Report, judge_json
from dte.parsing.others import read_foreign
from dte.rules.engine import sort
from dte.rules.registry import Context

PASSWORD: Final = Notice(
    "JSN-21",
    "warn",
    "El JSON trae la clave de un certificado: aquí no hace falta, y no se guardó.",
    fix="Para validar, mande solo el documento; si el JSON pasó por otros sistemas, cambie la clave.",
    source="Regla propia: fuga de un secreto",
)


def judge_any_json(
    value: object, ctx: Context, *, content: bytes | None = None, odd_text: bool = True
) -> Report:
    """Judge a parsed JSON document, in the SII's structure or in that of OpenFactura or SimpleAPI.

    Args:
        value: What ``parse_json`` returned.
        ctx: What the rules may know.
        content: The bytes, where they are the document; what came for another API is kept as the
            document alone, without what else was in the request.
        odd_text: Whether ``is_odd`` found characters to look at.

    Raises:
        Unreadable: When it has not the structure of a document.
    """
    foreign = read_foreign(value)
    if foreign is None:
        return judge_json(value, ctx, content=content, odd_text=odd_text)
    report = judge_json(foreign.document, ctx, odd_text=odd_text)
    if foreign.secret:
        judged = report.documents[0]
        judged.findings = sort([*judged.findings, PASSWORD.at("Certificado/Password")])
    return report
