"""Conversations as their owner keeps them: listed, searched, renamed, exported, erased. Synchronous."""

from datetime import datetime, timedelta
from typing import Any, Final, TypedDict

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Left
from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from chat.live.turns import Turn
from chat.models import Conversation, ConversationQuerySet, Message, owner_of
from chat.words import Folded, saying
from usage.models import ApiKey, IdempotentAnswer

SHOWN_TITLE: Final = 80
# Deleted at once, so that neither a lock nor a transaction lasts long.
BATCH: Final = 500
# How many conversations a search looks through before it asks the index of all words.
_LOOKS: Final = (40, 400)


class Pages(CursorPagination):
    """Pages that stay put while conversations go on."""

    page: list[Conversation]

    page_size = 30
    page_size_query_param = "limit"
    max_page_size = 100
    ordering = ("-updated_at", "-id")

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Read the cursor; one that somebody made up is no page, rather than an error of ours."""
        cursor: Cursor | None = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None:
            try:
                Conversation._meta.get_field("updated_at").to_python(cursor.position)
            except ValidationError:
                raise NotFound(self.invalid_cursor_message) from None
        return cursor

    def next_ids(self, owned: ConversationQuerySet, request: Request, most: int) -> list[int]:
        """Return the first conversations of those that a page may show; none for a page before."""
        cursor = self.decode_cursor(request)
        if cursor is not None and cursor.reverse:
            return []
        if cursor is not None and cursor.position is not None:
            owned = owned.filter(updated_at__lt=cursor.position)
        return list(owned.order_by(*self.ordering).values_list("pk", flat=True)[:most])


class Exported(TypedDict):
    """A whole conversation."""

    session_id: str
    title: str
    created_at: datetime
    updated_at: datetime
    messages: list[Message]


def listed(
    api_key: ApiKey, pages: Pages, request: Request, *, q: str = "", end_user: str = ""
) -> list[Conversation]:
    """Return a page of the caller's conversations with what a list shows of them.

    Args:
        api_key: The caller.
        pages: Knows afterwards where the next page begins.
        request: Names the page.
        q: Text of the title, or words of a message, the last of which may be unfinished.
        end_user: Only those begun for this one of the account's users.
    """
    owned = Conversation.objects.owned_by(api_key)
    if end_user:
        owned = owned.filter(end_user=end_user)
    if not (q := q.strip()):
        pages.paginate_queryset(_shown(owned), request)
        return pages.page
    # The next few fill a page with what is said often; for the rest the words' index is quick.
    for look in _LOOKS:
        if not (near := pages.next_ids(owned, request, look)):
            break
        pages.paginate_queryset(_shown(matching(owned.filter(pk__in=near), q, near)), request)
        if pages.has_next:
            return pages.page
    pages.paginate_queryset(_shown(matching(owned, q, owned)), request)
    return pages.page


def matching(
    found: ConversationQuerySet, q: str, among: ConversationQuerySet | list[int]
) -> ConversationQuerySet:
    """Return the conversations whose title has a text, or whose messages have its words.

    Args:
        found: Of which.
        q: The text, with or without its accents.
        among: Conversations whose messages are looked through; at least those of ``found``.
    """
    said = saying(q, unfinished=True).filter(conversation__in=among)
    titled = Q(folded_title__contains=Folded(Value(q)))
    found = found.alias(folded_title=Folded("title"))
    return found.filter(titled | Q(pk__in=said.values("conversation")))


def _shown(found: ConversationQuerySet) -> QuerySet[Conversation]:
    of_it = Message.objects.filter(conversation=OuterRef("pk")).order_by()
    counted = of_it.values("conversation").annotate(n=Count("pk"))
    first = of_it.filter(role=Message.Role.USER)
    return found.defer("user_context").annotate(
        # Counted of the rows that are shown; joined, it would be of all.
        message_count=Coalesce(Subquery(counted.values("n")), 0),
        first_question=Subquery(
            first.order_by("pk")
            .annotate(start=Left("content", 4 * SHOWN_TITLE))
            .values("start")[:1]
        ),
    )


def title_of(title: str, first_question: str | None) -> str:
    """Return a conversation's own title, or the beginning of its first question."""
    if title:
        return title
    words = " ".join((first_question or "").split())
    if len(words) <= SHOWN_TITLE:
        return words
    cut = words[: SHOWN_TITLE - 1]
    return f"{cut.rpartition(' ')[0] or cut}…"


def rename(api_key: ApiKey, session_id: str, title: str) -> str:
    """Give a conversation a title; an empty one gives it that of its first question again.

    Raises:
        NotFound: The key has no such session.
    """
    conversation = Conversation.objects.of(api_key, session_id)
    Conversation.objects.filter(pk=conversation.pk).update(title=title)
    conversation.title = title
    return shown_title(conversation)


def shown_title(conversation: Conversation, messages: list[Message] | None = None) -> str:
    """Return the title of a conversation.

    Args:
        conversation: The conversation.
        messages: All of it, where they were read already.
    """
    if conversation.title or messages is not None:
        asked = (one.content for one in messages or () if one.role == Message.Role.USER)
        return title_of(conversation.title, next(asked, None))
    first = conversation.messages.filter(role=Message.Role.USER).order_by("pk")
    return title_of("", first.values_list("content", flat=True).first())


def erase(api_key: ApiKey, session_id: str) -> list[Turn]:
    """Delete a conversation with all that was kept of it; what it cost stays in the usage records.

    Returns:
        Its turns, whose copies in memory and in Redis are to be deleted too.

    Raises:
        NotFound: The key has no such session.
    """
    with transaction.atomic():
        # Locked, so that an answer just being stored is either deleted with it or never stored.
        found = Conversation.objects.select_for_update(of=("self",)).of(api_key, session_id)
        turns = _turns(api_key, found)
        found.delete()
    IdempotentAnswer.objects.filter(
        api_key__account=api_key.account_id, subject=session_id
    ).delete()
    return turns


def _turns(api_key: ApiKey, conversation: Conversation) -> list[Turn]:
    ids = conversation.messages.filter(role=Message.Role.USER).exclude(turn_id="")
    owner = owner_of(api_key)
    return [
        Turn(owner, conversation.session_id, turn_id)
        for turn_id in ids.values_list("turn_id", flat=True)
    ]


def purge(days: int) -> int:
    """Delete conversations in which nothing was said for so many days; return how many."""
    old = Conversation.objects.filter(updated_at__lt=timezone.now() - timedelta(days=days))
    purged = 0
    while batch := list(old.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            Message.objects.filter(conversation__in=batch).delete()
            _, by_model = old.filter(pk__in=batch).delete()
        if not by_model.get("chat.Conversation"):
            break  # somebody goes on with them
        purged += by_model["chat.Conversation"]
    return purged


def exported(api_key: ApiKey, session_id: str) -> Exported:
    """Return a whole conversation as data.

    Raises:
        NotFound: The key has no such session.
    """
    conversation = Conversation.objects.of(api_key, session_id)
    return {
        "session_id": conversation.session_id,
        "title": shown_title(conversation),
        "created_at": conversation.created_at,
        "updated_at": conversation.updated_at,
        "messages": list(
            conversation.messages.select_related("usage").defer("prompt").order_by("pk")
        ),
    }


def as_markdown(conversation: Exported) -> str:
    """Return an exported conversation as a text for people."""
    parts = [f"# {conversation['title'] or 'Conversación'}", f"*{_moment(conversation)}*"]
    for message in conversation["messages"]:
        who = "Pregunta" if message.role == Message.Role.USER else "Respuesta"
        parts += [f"## {who}", message.content + (" …" if message.cut else "")]
        if cited := [one for one in message.citations if one.get("cited")]:
            parts.append("\n".join(_source(one) for one in cited))
    return "\n\n".join(parts) + "\n"


def _moment(conversation: Exported) -> str:
    return f"{timezone.localtime(conversation['created_at']):%d-%m-%Y %H:%M}"


def _source(citation: dict[str, Any]) -> str:
    place = ", ".join(filter(None, (citation["title"], citation.get("section"))))
    official = citation.get("official_url") or citation.get("source") or ""
    return f"[{citation['number']}] {place}" + (f" – {official}" if official else "")
