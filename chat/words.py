"""Which messages say something: by Spanish words where the database knows them, else by letters.

People type them without accents: both sides are folded. The words of a message are those of ``chat_words``,
the function of PostgreSQL that migration 0011 indexes. It is to_tsvector with its real price: told
PostgreSQL's own, a hundredth of it, the planner reads a million messages where the index would give it two.
"""

import re
from typing import Final

from django.contrib.postgres.search import SearchQuery, SearchQueryCombinable, SearchVectorField
from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, Q, QuerySet, TextField, Value

from chat.models import Message
from knowledge.searching.analysis import fold

CONFIGURATION: Final = "spanish"
_LAST_WORD: Final = re.compile(r"(?:^|(?<=\s))\w+$")
# How far back a search looks at once, in messages: what is said often is found in the first of them.
_LOOKS: Final = (1_000, 20_000, None)
# What the places of a word that a million messages say need; with less, PostgreSQL reads their pages again.
_MEMORY: Final = "64MB"


class Folded(Func):
    """A text in lower case and without accents; ñ is n."""

    function = "chat_folded"
    output_field = TextField()


def teach_to_fold(connection: BaseDatabaseWrapper, **_: object) -> None:
    """Give a new connection to SQLite the function that PostgreSQL has by migration 0011."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("chat_folded", 1, _folded, deterministic=True)


def _folded(text: str | None) -> str | None:
    return None if text is None else fold(text)


def saying(text: str, *, unfinished: bool = False) -> QuerySet[Message]:
    """Return the messages that have all words of a text; in quotes, one after the other.

    Args:
        text: The words.
        unfinished: Whether the last one may be the beginning of a word.
    """
    if connection.vendor == "postgresql":
        said = Func(F("content"), function="chat_words", output_field=SearchVectorField())
        return Message.objects.alias(said=said).filter(said=_asked(text, unfinished=unfinished))
    wanted = Q()
    for word in text.replace('"', " ").split():
        wanted &= Q(folded__contains=Folded(Value(word)))
    return Message.objects.alias(folded=Folded("content")).filter(wanted)


def _asked(text: str, *, unfinished: bool) -> SearchQueryCombinable:
    asked = _query(text, "websearch")
    last = _LAST_WORD.search(text)
    if not unfinished or last is None:
        return asked
    # The whole word too: "facturas" is kept as "factur", which does not begin with "facturas".
    return asked | (_query(text[: last.start()], "websearch") & _query(f"{last[0]}:*", "raw"))


def _query(text: str, search_type: str) -> SearchQuery:
    return SearchQuery(Folded(Value(text)), config=CONFIGURATION, search_type=search_type)


def latest(found: QuerySet[Message], column: str, most: int) -> list[object]:
    """Return a column of the latest messages that were found, from the newest back.

    Args:
        found: What `saying` returns.
        column: Its name.
        most: How many messages at most.
    """
    newest = Message.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    # By an expression: ordered by the key itself, the planner may walk all messages from the newest back.
    found = found.order_by((F("pk") + 0).desc()).values_list(column, flat=True)
    values: list[object] = []
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL work_mem = '{_MEMORY}'")
        for look in _LOOKS:
            recent = found if look is None else found.filter(pk__gt=newest - look)
            values = list(recent[:most])
            if len(values) == most or (look is not None and look >= newest):
                break
    return values
