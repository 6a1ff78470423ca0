"""From a question, its passages and the conversation so far to the request for the model.

What never changes comes first, so that the provider's cache holds it: instructions, then the
specialist's part, then the conversation exactly as it was sent before, and last the new turn with its
passages. Passages and the user's text are data: they travel inside tags that they cannot close.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from chat.plugins import COMMON_INSTRUCTIONS, Specialist
from knowledge.searching.search import Hit
from usage.llm import Prompt, Turn

MAX_TOKENS: Final = 4096  # of answer, the model's thinking included

CONTINUE: Final = (
    "<continuar>\nTu respuesta anterior quedó cortada. Sigue exactamente donde quedó, sin repetir nada "
    "de lo dicho, sin saludo ni preámbulo; los números de pasaje son los mismos.\n</continuar>"
)

# Who the user is does not help to answer, and is not the provider's business.
_PERSONAL = frozenset(
    {"user_name", "user_email", "user_id", "user_login", "email", "phone", "company_rut"}
)
_OUR_TAGS = re.compile(
    r"<(?=/?(?:pasajes?|contexto|pregunta|especialidad|continuar|adjuntos?)\b)", re.IGNORECASE
)


def build(specialist: Specialist, history: Sequence[Turn], turn: str) -> Prompt:
    """Return the request for the model.

    Args:
        specialist: Whose instructions the conversation began with.
        history: Earlier turns, exactly as they were sent.
        turn: The new turn, from `user_turn`.
    """
    return Prompt(
        system=(COMMON_INSTRUCTIONS, specialist.instructions),
        turns=(*history, Turn("user", turn)),
        max_tokens=MAX_TOKENS,
        effort="medium",
    )


def handover(specialist: Specialist, opening: Specialist) -> str:
    """Return what hands a conversation over to another specialist, for the beginning of a turn.

    The system prompt stays that of the opening specialist: exchanging it would change the beginning
    of the request, and the whole conversation would be written to the provider's cache anew.
    """
    if specialist.name == opening.name:
        text = f"Vuelve a responder la especialidad inicial: {opening.title}."
    else:
        text = f"Desde aquí responde otra especialidad.\n\n{specialist.instructions}"
    return f"<especialidad>\n{text}\n</especialidad>"


def user_turn(
    question: str,
    hits: Iterable[Hit],
    user_context: Mapping[str, Any],
    files: Iterable[tuple[str, str]] = (),
) -> str:
    """Return the user's turn: passages, what is known of the user's situation, and the question.

    Args:
        question: What the user wrote.
        hits: Its passages.
        user_context: What the caller's system says about the user.
        files: Names of attached files, each with what was found out about it.
    """
    parts = [
        _passages(hits),
        _context(user_context),
        _files(files),
        f"<pregunta>\n{_inert(question)}\n</pregunta>",
    ]
    return "\n\n".join(part for part in parts if part)


def _passages(hits: Iterable[Hit]) -> str:
    passages = [
        f'<pasaje número="{number}" título="{_attribute(hit.title)}" '
        f'sección="{_attribute(hit.section)}" fuente="{_attribute(hit.source)}">\n'
        f"{_inert(hit.content)}\n</pasaje>"
        for number, hit in enumerate(hits, start=1)
    ]
    if not passages:
        return "<pasajes>\nNo hay pasajes sobre esta pregunta.\n</pasajes>"
    return "<pasajes>\n" + "\n".join(passages) + "\n</pasajes>"


def _context(user_context: Mapping[str, Any]) -> str:
    known = {
        key: value
        for key, value in user_context.items()
        if key not in _PERSONAL and value not in (None, False, "", "N/A")
    }
    if not known:
        return ""
    # Sorted, so that the same context is the same text in every turn.
    text = json.dumps(known, ensure_ascii=False, sort_keys=True)
    return f"<contexto>\n{_inert(text)}\n</contexto>"


def _files(files: Iterable[tuple[str, str]]) -> str:
    found = [
        f'<adjunto nombre="{_attribute(name)}">\n{_inert(text)}\n</adjunto>' for name, text in files
    ]
    return "<adjuntos>\n" + "\n".join(found) + "\n</adjuntos>" if found else ""


def _inert(text: str) -> str:
    """Keep a text from opening or closing the tags around it; other markup stays as written."""
    return _OUR_TAGS.sub("‹", text)


def _attribute(text: str) -> str:
    return _inert(text).replace('"', "'").replace("\n", " ")
