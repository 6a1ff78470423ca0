"""An answer without the model: the sentence of the knowledge base that answers, then what goes with it.

One passage is quoted, of the others the title is named. Where the search itself is in doubt the answer
says so, and is worth no confidence.
"""

from collections.abc import Sequence
from typing import Final

from chat.answering import excerpt
from knowledge.searching.relevance import SURE
from knowledge.searching.search import Hit

NAMED: Final = 3  # passages at most: one quoted, two named
CLOSE: Final = 0.8  # of the best passage's score; below it the best one leads clearly
SOURCE_WORDS: Final = 20

IN_DOUBT: Final = (
    "No encontré una respuesta segura a su consulta. Lo más cercano que tengo es esto:"
)
CLOSING: Final = "*Respuesta sin IA: el texto se cita tal como está.*"
NOTHING_FOUND: Final = (
    "No encontré nada sobre eso en la base de conocimiento, y el asistente de IA no está disponible en "
    "este momento para responder de otra forma.\n\n"
    "Puede intentar:\n\n"
    "- nombrar el documento o el trámite: *factura exenta*, *CAF vencido*, *nota de crédito*;\n"
    "- usar el código o la glosa que devolvió el SII;\n"
    "- revisar la información oficial en [sii.cl](https://www.sii.cl)."
)


def worth_quoting(hits: Sequence[Hit]) -> list[Hit]:
    """Return the passages to answer with: the best alone where it clearly leads."""
    return [hit for hit in hits[:NAMED] if hit.score >= CLOSE * hits[0].score]


def in_doubt(hits: Sequence[Hit]) -> bool:
    """Say whether even the best passage may be beside the point."""
    return not hits or hits[0].score < SURE


def compose(hits: Sequence[Hit], question: str = "") -> str:
    """Return the answer as Markdown; an honest one when nothing was found.

    Args:
        hits: Passages from `worth_quoting`.
        question: What was asked, by which the sentence that answers is chosen.
    """
    if not hits:
        return NOTHING_FOUND
    best, *others = hits
    parts = [IN_DOUBT] if in_doubt(hits) else []
    parts.append(excerpt.answering(best.content, question))
    parts.append(f"— {_name(best)} [1]")
    if best.source:
        parts.append(f"*Fuente: {_shortened(_inline(best.source))}*")
    if others:
        parts.append("Vea también:")
        parts.append("\n".join(f"- {_name(hit)} [{n}]" for n, hit in enumerate(others, start=2)))
    return "\n\n".join([*parts, CLOSING])


def pieces(answer: str) -> list[str]:
    """Cut an answer between its blocks, for callers that show it as it comes."""
    return excerpt.split_blocks(answer)


def _name(hit: Hit) -> str:
    title = f"**{_inline(hit.title)}**"
    return f"{title}, {_inline(hit.section)}" if hit.section else title


def _inline(text: str) -> str:
    return " ".join(text.replace("*", "").split())


def _shortened(source: str) -> str:
    """Name the first official texts; the citation has them all."""
    words = source.split()
    if len(words) <= SOURCE_WORDS:
        return source
    cut = " ".join(words[:SOURCE_WORDS])
    whole, _, _ = cut.rpartition(";")
    return f"{whole or cut.rstrip(',;')} y otras"
