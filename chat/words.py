"""Which messages say something: by Spanish words where the database knows them, else by letters.

The index of migration 0006 holds the same expression, letter for letter, or it would not be used.
"""

from typing import Final

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Left

from chat.models import Message

CONFIGURATION: Final = "spanish"
# PostgreSQL indexes no more than a megabyte of words; nobody writes so much, but a machine may.
INDEXED_CHARACTERS: Final = 100_000
INDEX: Final = "chat_message_words"
INDEX_SQL: Final = (
    f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {INDEX} ON chat_message USING gin "
    f"(to_tsvector('{CONFIGURATION}'::regconfig, COALESCE(LEFT(content, {INDEXED_CHARACTERS}), '')))"
)


def saying(text: str) -> QuerySet[Message]:
    """Return the messages that have all words of a text; in quotes, one after the other."""
    if connection.vendor == "postgresql":
        said = SearchVector(Left("content", INDEXED_CHARACTERS), config=CONFIGURATION)
        asked = SearchQuery(text, config=CONFIGURATION, search_type="websearch")
        return Message.objects.annotate(said=said).filter(said=asked)
    wanted = Q()
    for word in text.replace('"', " ").split():
        wanted &= Q(content__icontains=word)
    return Message.objects.filter(wanted)
