"""An answer without the model: the best passages of the knowledge base, quoted with their titles."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from knowledge.searching.search import Hit

QUOTED: Final = 3
CLOSE: Final = 0.6  # of the best passage's score
EXCERPT: Final = 1200  # characters; whole paragraphs, so a little more or less

INTRODUCTION: Final = "Esto dice la base de conocimiento sobre su consulta:"
CLOSING: Final = (
    "*Respuesta sin IA: el asistente no está disponible en este momento, así que los pasajes se citan "
    "tal como están.*"
)
NOTHING_FOUND: Final = (
    "No encontré nada sobre eso en la base de conocimiento, y el asistente de IA no está disponible en "
    "este momento para responder de otra forma.\n\n"
    "Puede intentar:\n\n"
    "- nombrar el documento o el trámite: *factura exenta*, *CAF vencido*, *nota de crédito*;\n"
    "- usar el código o la glosa que devolvió el SII;\n"
    "- revisar la información oficial en [sii.cl](https://www.sii.cl)."
)
ELLIPSIS: Final = "…"

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)\s*#*$")
_BLOCK_END = re.compile(r"(?<=\n\n)")
_SENTENCE_END = re.compile(r"(?<=[.!?:])\s+")


def worth_quoting(hits: Sequence[Hit]) -> list[Hit]:
    """Return the few passages that a person should have to read."""
    return [hit for hit in hits[:QUOTED] if hit.score >= CLOSE * hits[0].score]


def compose(hits: Sequence[Hit]) -> str:
    """Return the answer as Markdown; an honest one when nothing was found."""
    if not hits:
        return NOTHING_FOUND
    # By document, in the order of each one's best passage; its title and source are said once.
    by_document: dict[str, list[tuple[int, Hit]]] = {}
    for number, hit in enumerate(hits, start=1):
        by_document.setdefault(hit.document_id, []).append((number, hit))
    documents = [_document(passages) for passages in by_document.values()]
    return "\n\n".join([INTRODUCTION, *documents, CLOSING])


def pieces(answer: str) -> list[str]:
    """Cut an answer between its blocks, for callers that show it as it comes."""
    return _BLOCK_END.split(answer)


def _document(passages: Sequence[tuple[int, Hit]]) -> str:
    first = passages[0][1]
    parts = [f"### {_inline(first.title)}"]
    for number, hit in passages:
        parts += [
            f"**{number}. {_inline(hit.section or hit.title)}**",
            _quoted(_excerpt(hit.content)),
        ]
    if first.source:
        parts.append(f"*Fuente: {_inline(first.source)}*")
    return "\n\n".join(parts)


def _inline(text: str) -> str:
    return " ".join(text.replace("*", "").split())


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _excerpt(content: str) -> str:
    """Return the first whole blocks of a passage; a fence or a table is never cut in two."""
    taken: list[str] = []
    size = 0
    for block in _blocks(content):
        if taken and size + len(block) > EXCERPT:
            return "\n\n".join([*taken, ELLIPSIS])
        taken.append(_shortened(block) if not taken else block)
        size += len(block)
    return "\n\n".join(taken)


def _blocks(content: str) -> Iterator[str]:
    """Yield paragraphs, lists, tables and whole code blocks; headings become bold text."""
    lines: list[str] = []
    fence = ""
    for line in content.splitlines():
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark.group(1)
        elif mark and line.strip().startswith(fence) and not line.strip().strip(fence[0]):
            fence = ""
        if line.strip() or fence:
            lines.append(line if fence else _without_heading(line))
        elif lines:
            yield "\n".join(lines)
            lines = []
    if fence:
        lines.append(fence)
    if lines:
        yield "\n".join(lines)


def _without_heading(line: str) -> str:
    heading = _HEADING.match(line)
    return f"**{_inline(heading.group(1))}**" if heading else line


def _shortened(block: str) -> str:
    """Cut a single overlong paragraph at the end of a sentence."""
    if len(block) <= EXCERPT or "\n" in block:
        return block
    kept = ""
    for sentence in _SENTENCE_END.split(block):
        if kept and len(kept) + len(sentence) > EXCERPT:
            break
        kept = f"{kept} {sentence}".strip()
    return f"{kept} {ELLIPSIS}"
