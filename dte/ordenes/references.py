"""Which orders a document names: in its references, its notes or the texts of its lines."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

from dte.ordenes.reading import Bill, Order

# Words after which a number is that of an order.
_BUYERS_WORDS: Final = frozenset({"OC", "ODC", "NOC", "PO", "ORDEN", "ORDENES"})
# A supplier counts «pedidos» of its own: such a number need not be the buyer's.
_ORDER_WORDS: Final = _BUYERS_WORDS | {"PEDIDO"}
_FILLERS: Final = frozenset(
    ["DE", "COMPRA", "COMPRAS", "N", "NO", "NRO", "NUM", "NUMERO", "Y", "E", "SEGUN", "SU"]
)
_TOKEN = re.compile(r"[A-Z0-9][A-Z0-9/._-]*")
_LAST_NUMBER = re.compile(r"(\d{1,15})\D*$")


class Named(IntEnum):
    """How clearly a document names an order."""

    UNKNOWN = -2
    """It names an order that is none of those given."""
    OTHER = -1
    """It names another of those given."""
    NO = 0
    BARE = 1
    """A bare number equals the order's; it may be any number."""
    NUMBER = 2
    """After a word such as «OC» stands the order's number without its prefix."""
    EXACT = 3


class Token(NamedTuple):
    """A word of a text, without signs."""

    text: str
    word: str = ""
    """The order's word it stands after, or begins with."""
    reference: bool = False
    """Whether it is from a reference, and not from a text about something else."""


class Key(NamedTuple):
    """An order's name as it is compared."""

    text: str
    prefix: str
    number: int | None


def named_orders(bill: Bill, orders: Sequence[Order]) -> list[Named]:
    """Tell for each order how clearly the document names it."""
    tokens = [token for text in bill.references for token in _tokens(text, reference=True)]
    for text in (*bill.notes, *(line.name for line in bill.lines)):
        tokens += _tokens(text, reference=False)
    keys = [_key(order.name) for order in orders]
    found = [max((_level(key, token) for token in tokens), default=Named.NO) for key in keys]
    if any(level >= Named.NUMBER for level in found):
        return [Named.OTHER if level < Named.NUMBER else level for level in found]
    return [Named.UNKNOWN] * len(orders) if _names_unknown(tokens, keys) else found


def _tokens(text: str, *, reference: bool) -> Iterator[Token]:
    """Yield the words of a text; a prefix apart from its number, «P 00123», also as one word."""
    upper = text.upper().replace("O/C", "OC ").replace("O.C.", "OC ")
    plain = unicodedata.normalize("NFKD", upper).encode("ascii", "ignore").decode()
    words = [squeezed for word in _TOKEN.findall(plain) if (squeezed := _squeeze(word))]
    after = ""
    for word in words:
        letters = word.rstrip("0123456789")
        yield (
            Token(word[len(letters) :], letters, reference)
            if (letters in _ORDER_WORDS and letters != word)
            else Token(word, after, reference)
        )
        if word in _ORDER_WORDS:
            after = word
        elif word not in _FILLERS and not word.isdigit():
            after = ""
    for first, second in pairwise(words):
        if first.isalpha() and second.isdigit() and len(first) <= 4:
            yield Token(first + second)


def _squeeze(word: str) -> str:
    return re.sub(r"[^A-Z0-9]", "", word)[:40]


@lru_cache(maxsize=2048)
def _key(name: str) -> Key:
    squeezed = _squeeze(name.upper())
    last = _LAST_NUMBER.search(name)
    letters = re.match(r"[A-Z]*", squeezed)
    return Key(squeezed, letters[0] if letters else "", int(last[1]) if last else None)


def _level(key: Key, token: Token) -> Named:
    if not key.text:
        return Named.NO
    whole = token.word + token.text
    if not key.text.isdigit() and key.number is not None:
        if key.text in {token.text, whole}:
            return Named.EXACT
        if token.text.endswith(key.text) and token.text[: -len(key.text)] in _ORDER_WORDS:
            return Named.EXACT  # «OC-P00123»
    if not token.text.isdigit() or key.number is None or int(token.text[:15]) != key.number:
        return Named.NO
    if token.word and key.number > 9:
        return Named.EXACT if token.text == key.text else Named.NUMBER
    return Named.BARE if token.reference and key.number > 99 else Named.NO


def _names_unknown(tokens: Iterable[Token], keys: Iterable[Key]) -> bool:
    """Tell whether some word has the form of an order's name: after «OC», or with the orders' prefix."""
    forms = {(key.prefix, len(key.text)) for key in keys if key.prefix and key.number is not None}
    for token in tokens:
        letters = token.text.rstrip("0123456789")
        digits = len(token.text) - len(letters)
        if digits >= 3 and not letters and token.word in _BUYERS_WORDS:
            return True
        if digits >= 3 and (letters, len(token.text)) in forms:
            return True
    return False
