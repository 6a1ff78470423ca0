"""Judging one submission as a whole: a document, or an envelope and everything in it."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from dte.documents.document import Dte, Form
from dte.documents.envelope import Envelope, Summary
from dte.judging.verdict import Recommendation, Verdict, decide, statement, summary, worst
from dte.parsing.json import read_json
from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import XmlFile
from dte.rules.engine import finding_of, judge, judge_envelope
from dte.rules.findings import Finding
from dte.rules.registry import Context, Mode

# Documents of one envelope that Claude may be asked about.
MAX_REVIEWED = 5
MAX_TEXTS = 50


@dataclass(slots=True)
class Judged:
    """One document with everything said about it."""

    number: int
    form: Form
    summary: dict[str, Any]
    findings: list[Finding]
    digest: str
    """SHA-256 of its content: of the very bytes for XML, of the fields for JSON."""
    mode: Mode = "emission"
    """From which side it was judged."""
    dte: Dte | None = None
    """Kept while something still needs the document itself, such as Claude's review."""
    id: str = ""
    """Identifier in the history, once it is stored."""
    content: bytes = b""
    """The document as it came, for a key that asked us to keep it."""
    review: dict[str, Any] = field(default_factory=dict)
    """What became of Claude's review; empty when none was wanted."""

    @property
    def kind_name(self) -> str:
        """The SII's word for what it is: DTE, or the root of the envelope."""
        return str(self.summary["type_name"]) if "documents" in self.summary else "DTE"

    @property
    def verdict(self) -> Verdict:
        """What to do with it."""
        return decide(self.findings, self.form)

    @property
    def stored(self) -> dict[str, Any]:
        """What the history keeps to show later, besides the findings."""
        return self.summary

    @property
    def stored_findings(self) -> list[dict[str, object]]:
        """The findings as the history keeps them."""
        return [found.as_dict() for found in self.findings]

    def as_dict(self) -> dict[str, object]:
        """Return its part of the answer."""
        verdict = self.verdict
        scope = statement(
            verdict.recommendation,
            self.form,
            self.mode,
            [self.summary.get("type")],
            of_envelope="documents" in self.summary,
        )
        return {
            **({"id": self.id} if self.id else {}),
            "kind": self.kind_name,
            **verdict.as_dict(),
            "findings": [found.as_dict() for found in self.findings],
            "document": self.summary,  # as older clients know it
            "summary": self.summary,
            "not_checked": scope["not_checked"],
            "valid_for_sii": scope,
            **({"review": self.review} if self.review else {}),
        }


@dataclass(slots=True)
class Report:
    """The answer to one submission."""

    documents: list[Judged]
    envelope: Judged | None = None
    """What is said of the envelope itself, as of one more document (number 0)."""
    account: dict[str, object] = field(default_factory=dict)
    """What the answer says of its cost."""

    @property
    def recommendation(self) -> Recommendation:
        """The worst of the envelope's own and its documents'."""
        return worst(judged.verdict.recommendation for judged in self.everything)

    @property
    def everything(self) -> list[Judged]:
        """The envelope, if there is one, and its documents."""
        return [*([self.envelope] if self.envelope else []), *self.documents]

    def as_dict(self) -> dict[str, Any]:
        """Return the answer: the document's own, or the envelope's with one result per document."""
        if self.envelope is None:
            return {**self.documents[0].as_dict(), **self.account}
        findings = [found for judged in self.everything for found in judged.findings]
        verdict = decide(findings, "xml")
        types = [judged.summary.get("type") for judged in self.documents]
        return {
            **self.envelope.as_dict(),
            **verdict.as_dict(),
            "errors": self._texts("errors"),
            "warnings": self._texts("warnings"),
            "valid_for_sii": statement(
                verdict.recommendation,
                "xml",
                self.envelope.mode,
                types,
                of_envelope=worst(one.verdict.recommendation for one in self.documents) == "send",
            ),
            "documents": [
                {"number": judged.number, **judged.as_dict()} for judged in self.documents
            ],
            **self.account,
        }

    def _texts(self, name: str) -> list[str]:
        """Old clients show these in a dialog, which an envelope of 2,000 documents must not fill."""
        texts: list[str] = []
        for judged in self.everything:
            prefix = f"Documento {judged.number}: " if judged.number else ""
            texts += (prefix + text for text in getattr(judged.verdict, name))
            if len(texts) > MAX_TEXTS:
                return [*texts[:MAX_TEXTS], "… y más: vea cada documento."]
        return texts


def judge_json(
    value: object, ctx: Context, *, content: bytes | None = None, odd_text: bool = True
) -> Report:
    """Judge a parsed JSON document.

    Args:
        value: What ``parse_json`` returned.
        ctx: What the rules may know.
        content: The bytes of the document; without them, when it came inside something else, its
            canonical form.
        odd_text: Whether ``is_odd`` found characters to look at.

    Raises:
        Unreadable: When it has not the structure of a document.
    """
    dte = read_json(value, odd_text=odd_text)
    if content is None:
        canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        content = canonical.encode(errors="backslashreplace")
    return Report([_judge(dte, content, ctx)])


def _judge(dte: Dte, content: bytes, ctx: Context) -> Judged:
    digest = hashlib.sha256(content).hexdigest()
    if ctx.history is not None:
        ctx.history.expect(dte, digest)
    return Judged(
        number=ctx.number,
        form=dte.form,
        summary=summary(dte),
        findings=judge(dte, ctx),
        digest=digest,
        mode=ctx.mode,
        dte=dte,
        content=content,
    )


def judge_xml(file: XmlFile, ctx: Context) -> Report:
    """Judge every document of a file, and the envelope around them.

    Raises:
        Unreadable: When the file is one document and it cannot be read.
    """
    if file.envelope is None:
        return Report(list(judge_each(file, ctx)))
    # A parsed document weighs a hundred times its bytes: only a few are worth keeping for a review.
    keep = len(file.fragments) <= MAX_REVIEWED
    documents = [judged if keep else replace(judged, dte=None) for judged in judge_each(file, ctx)]
    return Report(documents, close(file, ctx))


def close(file: XmlFile, ctx: Context) -> Judged | None:
    """Judge the envelope itself, once all its documents were; None for a file without one."""
    if file.envelope is None:
        return None
    return Judged(
        number=0,
        form="xml",
        summary={
            "type": None,
            "type_name": file.envelope.kind,
            "documents": len(file.fragments),
            "form": "xml",
        },
        findings=judge_envelope(file.envelope, replace(ctx, envelope=file.envelope)),
        digest=hashlib.sha256(file.raw).hexdigest(),
        mode=ctx.mode,
    )


def judge_each(file: XmlFile, ctx: Context) -> Iterator[Judged]:
    """Judge the documents of a file one by one, noting each in the envelope's list."""
    for number, attempt in enumerate(file.attempts(), 1):
        if isinstance(attempt, Unreadable):
            if file.envelope is None:
                raise attempt
            yield _unreadable(attempt, file.envelope, replace(ctx, number=number))
            continue
        inside = replace(ctx, envelope=file.envelope, number=number)
        if file.envelope is not None:
            file.envelope.documents.append(Summary.of(attempt, number))
        yield _judge(attempt, attempt.xml.raw if attempt.xml else b"", inside)


def _unreadable(reason: Unreadable, envelope: Envelope, ctx: Context) -> Judged:
    start, end = envelope.fragments[ctx.number - 1]
    digest = hashlib.sha256(envelope.raw[start:end]).hexdigest()
    nothing = {"type": None, "type_name": "", "form": "xml"}
    return Judged(ctx.number, "xml", nothing, [finding_of(reason, ctx.mode)], digest, ctx.mode)
