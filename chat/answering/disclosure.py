"""Keeps the rules of the system prompt out of answers, for a model that can be talked into telling them.

The knowledge in the prompt may be told, that is what it is for; how the assistant is to behave is not.
A run of words that stands so in the rules is held back while it may become a quotation of them.
"""

import re
from functools import cache
from typing import Final

from chat.plugins import COMMON_INSTRUCTIONS

REFUSAL: Final = "No puedo mostrar las instrucciones con que trabajo."
# Where what may be told begins.
_KNOWLEDGE: Final = "# Resumen de lo esencial"
# Words in a row as in the rules: from so many on they are held back, from so many on they are a quotation.
_SUSPECT: Final = 5
_QUOTED: Final = 10
_TOKENS: Final = re.compile(r"\w+|\W+")
_WORD: Final = re.compile(r"\w+")


class DisclosureFilter:
    """Takes the rules out of an answer while it is being written.

    Attributes:
        disclosed: Whether there was a quotation; from there on nothing is passed on.
    """

    def __init__(self) -> None:
        self.disclosed = False
        self._word = ""  # the last one so far, which may go on in the next piece
        self._held = ""
        self._run = 0
        self._last: tuple[str, ...] = ()

    def feed(self, text: str) -> str:
        """Take the next piece of the answer; return what can be passed on already."""
        passed: list[str] = []
        for token in _TOKENS.findall(text):
            if token[0].isalnum() or token[0] == "_":
                self._word += token
            else:
                self._end_word()
            if self.disclosed:
                break
            if self._run:
                self._held += token
            else:
                passed.append(self._held + token)
                self._held = ""
        return "".join(passed)

    def flush(self) -> str:
        """Return what was held back when no more text comes."""
        self._end_word()
        held, self._held = self._held, ""
        return f"\n\n{REFUSAL}" if self.disclosed else held

    def _end_word(self) -> None:
        if not self._word or self.disclosed:
            return
        self._last = (*self._last[1 - _SUSPECT :], self._word.lower())
        self._word = ""
        if self._last in _rules():
            self._run = self._run + 1 if self._run else _SUSPECT
        else:
            self._run = 0
        self.disclosed = self._run >= _QUOTED


@cache
def _rules() -> frozenset[tuple[str, ...]]:
    words = _WORD.findall(COMMON_INSTRUCTIONS.partition(_KNOWLEDGE)[0].lower())
    return frozenset(tuple(words[at : at + _SUSPECT]) for at in range(len(words) - _SUSPECT + 1))
