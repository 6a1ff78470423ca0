"""The passages behind an answer, numbered as the answer cites them."""

import re
from collections.abc import Sequence
from typing import Any, Final

from knowledge.official import official_links
from knowledge.searching.search import Hit

# "[3]" or "[1][3]", with the space before it. After a letter it is something else: the SII writes a
# line number as in "DET L[3]-2-200".
_CITATIONS: Final = re.compile(r"( |(?<!\w))((?:\[\d{1,2}\])+)")
_NUMBER: Final = re.compile(r"\d+")
# An ending that may turn out to be part of that when more text comes.
_UNFINISHED: Final = re.compile(r" ?(?:\[\d{1,2}\])*(?:\[\d{0,2})?$")


class CitationFilter:
    """Takes citations of passages that do not exist out of an answer while it is being written.

    A model may make up a number, or cite a passage of an earlier question. What it says stays; that
    it says where it read it does not.
    """

    def __init__(self, passages: int) -> None:
        self.removed = 0
        self._passages = passages
        self._held = ""
        self._before = ""

    def feed(self, text: str) -> str:
        """Take the next piece of the answer; return what can be passed on already."""
        text = self._held + text
        end = len(text)
        # Only after these can a citation go on; the expression looks at every letter.
        if text[-1:] in " ]" or "[" in text[-3:]:
            ending = _UNFINISHED.search(text)
            end = ending.start() if ending else end
        self._held = text[end:]
        return self._checked(text[:end])

    def flush(self) -> str:
        """Return what was held back when no more text comes."""
        held, self._held = self._held, ""
        return self._checked(held)

    def _checked(self, text: str) -> str:
        # With the character before, which tells a citation from a line number.
        checked = _CITATIONS.sub(self._existing, self._before + text)[len(self._before) :]
        self._before = text[-1:] or self._before
        return checked

    def _existing(self, citations: re.Match[str]) -> str:
        numbers = _NUMBER.findall(citations[2])
        kept = [f"[{n}]" for n in numbers if 1 <= int(n) <= self._passages]
        self.removed += len(numbers) - len(kept)
        return citations[1] + "".join(kept) if kept else ""


def cite(hits: Sequence[Hit], answer: str | None = None) -> list[dict[str, Any]]:
    """Describe the passages that an answer had, in the numbering of its ``[n]``.

    The text of the passage is left out: an event must stay small, and the search endpoint has it.

    Args:
        hits: The passages, in the order they were given to the model.
        answer: The model's answer; without one every passage counts as cited, being quoted.
    """
    numbers = range(1, len(hits) + 1)
    cited = set(numbers) if answer is None else _cited(answer)
    return [
        {
            "number": number,
            "title": hit.title,
            "section": hit.section,
            "document_id": hit.document_id,
            "version": hit.version,
            "module": hit.module,
            "source": hit.source,
            "url": hit.url,
            "document_url": hit.document_url,
            "date": hit.date,
            **_official(hit.source),
            "score": round(hit.score, 3),
            "cited": number in cited,
        }
        for number, hit in zip(numbers, hits, strict=True)
    ]


def _official(source: str) -> dict[str, Any]:
    links = list(official_links(source))
    return {"official_url": links[0]["url"] if links else "", "official_links": links}


def cited_again(citations: list[dict[str, Any]], answer: str) -> list[dict[str, Any]]:
    """Return the passages of an answer that has gone on, by what it cites now."""
    cited = _cited(answer)
    return [{**one, "cited": one["number"] in cited} for one in citations]


def _cited(answer: str) -> set[int]:
    runs = (match[2] for match in _CITATIONS.finditer(answer))
    return {int(number) for run in runs for number in _NUMBER.findall(run)}
