"""Questions that were not answered well: what an editor should write next."""

import hashlib
import re
from typing import Final

from django.db.models import F, TextChoices
from django.utils import timezone

from knowledge.models import Question
from knowledge.searching import analysis

MAX_TEXT: Final = 500

# What people type into a question and nobody needs to read here: RUTs, addresses, long numbers.
_PRIVATE: Final = re.compile(
    r"\b\d{1,2}\.?\d{3}\.?\d{3}-?[\dkK]\b|[^\s@]+@[^\s@]+|\b\d(?:[ .-]?\d){6,}\b"
)


_GREETINGS: Final = "hola gracias chao adios ok vale listo buenos buenas dias tardes noches"
_SAID_NOT_ASKED: Final = frozenset(analysis.stem(word) for word in analysis.words(_GREETINGS))


class Reason(TextChoices):
    """Why a question is on the list."""

    NOT_FOUND = "not_found", "no se encontró nada"
    THUMBS_DOWN = "thumbs_down", "mal evaluada"


def record(text: str, reason: Reason, *, module: str = "") -> None:
    """Count a question that was not answered well.

    Questions of the same words, in any order and form, are one. What identifies a person is
    removed before anything is stored. Asking again reopens a question that was resolved.

    Args:
        text: The question as typed.
        reason: What went wrong.
        module: The specialist's module, if one was chosen.
    """
    shown = " ".join(_PRIVATE.sub("…", text.replace("\x00", " ")).split())[:MAX_TEXT]
    group = _group(shown)
    if group is None:
        return
    question, _ = Question.objects.get_or_create(
        group=group, defaults={"text": shown, "module": module[:100]}
    )
    Question.objects.filter(pk=question.pk).update(
        **{reason.value: F(reason.value) + 1}, last_asked_at=timezone.now(), resolved_at=None
    )


def _group(text: str) -> str | None:
    stems = {analysis.stem(word) for word in analysis.words(text) if analysis.is_content(word)}
    if stems <= _SAID_NOT_ASKED:
        return None
    return hashlib.sha256(" ".join(sorted(stems)).encode()).hexdigest()
