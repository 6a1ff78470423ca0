"""Which messages say something: by Spanish words where the database knows them, else by letters.

The words of a message are those of ``chat_words``, the function of PostgreSQL that migration 0010 makes
and indexes. It is to_tsvector with its real price: told PostgreSQL's own, a hundredth of it, the planner
reads a million messages where the index would give it two.
"""

from typing import Final

from django.contrib.postgres.search import SearchQuery, SearchVectorField
from django.db import connection, transaction
from django.db.models import F, Func, Q, QuerySet

from chat.models import Message

CONFIGURATION: Final = "spanish"
# How far back a search looks at once, in messages: what is said often is found in the first of them.
_LOOKS: Final = (1_000, 20_000, None)
# What the places of a word that a million messages say need; with less, PostgreSQL reads their pages again.
_MEMORY: Final = "64MB"


def saying(text: str) -> QuerySet[Message]:
    """Return the messages that have all words of a text; in quotes, one after the other."""
    if connection.vendor == "postgresql":
        said = Func(F("content"), function="chat_words", output_field=SearchVectorField())
        asked = SearchQuery(text, config=CONFIGURATION, search_type="websearch")
        return Message.objects.alias(said=said).filter(said=asked)
    wanted = Q()
    for word in text.replace('"', " ").split():
        wanted &= Q(content__icontains=word)
    return Message.objects.filter(wanted)


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
