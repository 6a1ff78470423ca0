"""Judging the files the factory makes, on their day."""

from typing import Any

from dte.documents.envelope import Summary
from dte.parsing.xml import read_xml
from dte.rules.engine import judge, judge_envelope
from dte.rules.findings import Finding
from dte.rules.registry import Context
from tests.documents import AS_OF


def findings(raw: bytes, **context: object) -> list[Finding]:
    """Every finding on a file: on its documents, and on the envelope when it is one."""
    file = read_xml(raw)
    found: list[Finding] = []
    for number, dte in enumerate(file.documents(), 1):
        ctx = Context(**{"as_of": AS_OF, "envelope": file.envelope, "number": number, **context})
        found += judge(dte, ctx)
        if file.envelope:
            file.envelope.documents.append(Summary.of(dte, number))
    if file.envelope:
        found += judge_envelope(file.envelope, Context(**{"as_of": AS_OF, **context}))
    return found


def codes(raw: bytes, family: str = "", **context: object) -> set[str]:
    """The codes of one family (of all when empty).

    Without SIG-09: no certificate of the run comes from an accredited authority.
    """
    return {
        found.code
        for found in findings(raw, **context)
        if found.code.startswith(family) and found.code != "SIG-09"
    }


def finding(raw: bytes, code: str, **context: Any) -> Any:
    """The first finding of a code, None when it did not fire."""
    return next((found for found in findings(raw, **context) if found.code == code), None)
