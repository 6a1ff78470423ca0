"""Who cites the text that changed: rules of the validator and documents of the knowledge base."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.utils.module_loading import import_string

from knowledge.models import Document, Kind
from knowledge.monitoring.references import Reference, campos, fields, references

MAX_NAMED: Final = 200


@dataclass(frozen=True, slots=True)
class Citing:
    """A rule or a code list, and where it says it comes from.

    Attributes:
        fields: Names of the XML elements it is about.
    """

    code: str
    title: str
    source: str
    fields: frozenset[str] = frozenset()


Citations = Callable[[], Iterable[Citing]]


def rules(text: str, source_kind: str) -> list[dict[str, str]]:
    """Return the rules and code lists that cite a changed text, or are about a field it names.

    Args:
        text: What changed.
        source_kind: What the page publishes.
    """
    if not settings.KNOWLEDGE_CITATIONS:
        return []
    # Settings name the function: who has rules lies above us.
    citations: Citations = import_string(settings.KNOWLEDGE_CITATIONS)
    cited, named, numbers = _cited(text, source_kind), fields(text), campos(text)
    about_format = Reference("formato", "dte", 0) in cited
    exact = [found for found in cited if found.kind != "formato"]
    found, wide = [], []
    for citing in citations():
        sources = references(citing.source)
        in_format = any(source.kind == "formato" for source in sources)
        if (
            any(mine.is_same(theirs) for mine in sources for theirs in exact)
            or citing.fields & named
            or (about_format and in_format and campos(citing.source) & numbers)
        ):
            found.append(citing)
        elif about_format and in_format:
            wide.append(citing)
    # A new version of the whole format touches all that rests on it; a change of one field does not.
    chosen = found or wide
    return [
        {"code": citing.code, "title": citing.title, "source": citing.source}
        for citing in chosen[:MAX_NAMED]
    ]


def documents(text: str, source_kind: str) -> list[dict[str, str]]:
    """Return the documents in use whose source or text cites a changed text."""
    cited = [found for found in _cited(text, source_kind) if found.kind != "formato"]
    if not cited:
        return []
    found = []
    for document in Document.objects.active().iterator():
        sources = references(f"{document.source}\n{document.body}")
        if any(mine.is_same(theirs) for mine in sources for theirs in cited):
            found.append(
                {"slug": document.slug, "title": document.title, "source": document.source}
            )
    return found[:MAX_NAMED]


def _cited(text: str, source_kind: str) -> list[Reference]:
    found = references(text)
    if source_kind == Kind.FORMATO:
        found.append(Reference("formato", "dte", 0))
    return list(dict.fromkeys(found))
